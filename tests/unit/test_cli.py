"""How a command ends that did not end by itself."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from ekyc_tasks import cli
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


def test_ctrl_c_says_that_nothing_is_lost(monkeypatch, capsys):
    code, words = ended(monkeypatch, capsys, KeyboardInterrupt())
    assert (code, "interrupted; the ledger knows what was begun" in words) == (130, True)


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
        "ekyc: No space left on device (/data): mend that; the next run goes on.",
    )
