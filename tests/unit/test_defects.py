"""What nobody expected is told by kind and place; its own words may hold anything."""

from __future__ import annotations

import logging

import pytest

from ekyc_tasks import defects
from ekyc_tasks.defects import bare, defect, told
from ekyc_tasks.errors import ConfigurationError, Defect, InputError
from ekyc_tasks.normalize import layouts

CANARY = "+41798284000"


def met(function, *arguments) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it raises
        function(*arguments)
    return caught.value


def broken(*_):
    raise ValueError(CANARY)


def test_a_defect_names_its_kind_and_the_innermost_line_of_ours():
    error = met(layouts._snake, None)  # an AttributeError, inside of ours

    said = str(defect(error))

    assert said.startswith("unexpected AttributeError at ekyc_tasks/normalize/layouts.py:")
    assert "the same command with `ekyc --debug` shows more" in said


def test_its_words_are_heard_by_nobody_but_with_debug(caplog, monkeypatch):
    error = ExceptionGroup("both", [ExceptionGroup("one", [met(broken)]), RuntimeError("x")])

    assert str(defect(error)) == "unexpected ValueError; the same command with `ekyc --debug` shows more"
    assert caplog.text == ""

    monkeypatch.setattr(defects.log, "level", logging.DEBUG)
    defects.log._cache.clear()
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
    full = told(OSError(28, "No space left on device", f"/d/{CANARY}"))

    assert told(ours) is ours
    assert (type(full), str(full)) == (
        ConfigurationError,
        "No space left on device (/d/[number]): mend that; the next run goes on.",
    )
    assert isinstance(told(met(broken)), Defect)
    assert CANARY not in str(told(met(broken)))
