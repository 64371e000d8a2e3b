"""How a command ends that did not end by itself."""

from __future__ import annotations

import sys
from importlib import import_module
from io import StringIO

import pytest
from rich.console import Console

from ekyc_tasks import cli
from ekyc_tasks.cli.tables import table
from ekyc_tasks.errors import ConfigurationError


def ended(monkeypatch, capsys, error):
    """Exit code and standard error of `ekyc status` when it meets ``error``."""

    def raising(*_, **__):
        raise error

    monkeypatch.setattr(import_module("ekyc_tasks.cli.status"), "show_status", raising)
    monkeypatch.setattr(sys, "argv", ["ekyc", "status"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("command", "promise"), [("run", "Progress is saved"), ("import", "Run it again")])
def test_ctrl_c_says_that_nothing_is_lost(monkeypatch, capsys, command, promise):
    monkeypatch.setattr(cli, "app", lambda: sys.exit(130))
    monkeypatch.setattr(sys, "argv", ["ekyc", command])
    with pytest.raises(SystemExit, match="130"):
        cli.main()
    assert f"Stopped. {promise}" in capsys.readouterr().err


def test_what_looks_like_markup_is_shown_as_it_is():
    shown = table("Files", "name")
    shown.add_row("q [/b] [red] [number].txt")
    out = Console(width=80, file=StringIO())
    out.print(shown)
    assert "q [/b] [red] [number].txt" in out.file.getvalue()


def test_an_error_of_ours_is_one_sentence_with_its_code(monkeypatch, capsys):
    code, words = ended(monkeypatch, capsys, ConfigurationError("The key is missing."))
    assert (code, words) == (2, "ekyc: The key is missing.")


def test_what_nobody_expected_is_one_sentence_without_its_words(monkeypatch, capsys):
    code, words = ended(monkeypatch, capsys, ValueError("+41798284000"))
    assert (code, words.startswith("ekyc: unexpected ValueError at ")) == (1, True)
    assert "41798284000" not in words


def test_a_full_disk_is_one_sentence_with_a_remedy(monkeypatch, capsys):
    code, words = ended(monkeypatch, capsys, OSError(28, "No space left on device", "/data"))
    assert (code, words) == (
        2,
        "ekyc: No space left on device (/data). Fix this; the next run will continue.",
    )
