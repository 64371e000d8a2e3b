"""What nobody expected is told by kind and place; its own words may hold anything."""

from __future__ import annotations

import logging

import pytest

from ekyc_tasks.errors import ConfigurationError, InputError, InternalError
from ekyc_tasks.normalize import column_mapping
from ekyc_tasks.support import safe_errors
from ekyc_tasks.support.safe_errors import bare, defect, reportable

CANARY = "+41798284000"


def met(function, *arguments) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it raises
        function(*arguments)
    return caught.value


def broken(*_):
    raise ValueError(CANARY)


def test_a_defect_names_its_kind_and_the_innermost_line_of_ours():
    error = met(column_mapping._snake, None)  # an AttributeError, inside of ours

    said = str(defect(error))

    assert said.startswith("unexpected AttributeError at ekyc_tasks/normalize/column_mapping.py:")
    assert "Run the same command with `ekyc --debug` to see more" in said


def test_its_words_are_heard_by_nobody_but_with_debug(caplog, monkeypatch):
    error = ExceptionGroup("both", [ExceptionGroup("one", [met(broken)]), RuntimeError("x")])

    assert str(defect(error)) == "unexpected ValueError. Run the same command with `ekyc --debug` to see more"
    assert caplog.text == ""

    monkeypatch.setattr(safe_errors.log, "level", logging.DEBUG)
    safe_errors.log._cache.clear()
    defect(error)
    assert CANARY in caplog.text


def test_a_file_systems_error_keeps_its_kind_and_hides_a_number_in_a_name():
    shown = bare(PermissionError(13, "Permission denied", f"/landing/{CANARY}.csv"))

    assert (type(shown), shown.strerror, shown.filename) == (
        PermissionError,
        "Permission denied",
        "/landing/[number].csv",
    )
    assert str(bare(OSError(CANARY))) == "[Errno 0] OSError"


def test_what_is_told_is_ours_or_has_a_remedy_or_is_a_defect():
    ours = InputError("x.csv is empty.")
    full = reportable(OSError(28, "No space left on device", f"/d/{CANARY}"))

    assert reportable(ours) is ours
    assert (type(full), str(full)) == (
        ConfigurationError,
        "No space left on device (/d/[number]). Fix this; the next run will continue.",
    )
    assert isinstance(reportable(met(broken)), InternalError)
    assert CANARY not in str(reportable(met(broken)))
