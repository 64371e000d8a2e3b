"""`ekyc doctor` finds what would stop a run, and says how to mend it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from ekyc_tasks.cli.doctor import examine
from ekyc_tasks.sandbox import Sandbox

pytestmark = pytest.mark.integration


@pytest.fixture
def healthy(tmp_path, monkeypatch):
    """Settings with which nothing is wrong; no Prefect server is set."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    with Sandbox() as sandbox:
        for name, value in {
            "HOME": str(tmp_path),
            "DATA_DIR": str(tmp_path / "data"),
            "BASE_URL": sandbox.base_url,
            "API_KEY": sandbox.api_key,
        }.items():
            monkeypatch.setenv(f"EKYC_{name}", value)
        yield sandbox


def examined() -> tuple[int, list[str]]:
    text = StringIO()
    code = examine(Console(file=text, width=300))
    return code, text.getvalue().splitlines()


def test_a_healthy_house_is_well_and_nothing_is_sent(healthy):
    code, lines = examined()

    assert code == 0, lines
    assert all(line.startswith("ok") for line in lines)
    assert any("balance 100" in line for line in lines)
    assert healthy.charges == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("API_KEY", "", "EKYC_API_KEY"),
        ("API_KYE", "x", "EKYC_API_KYE"),
        ("TASK_TYPE", "tarot", "tarot"),
        ("DATA_DIR", "/proc/nowhere", "/proc/nowhere"),
        ("LANDING_DIR", "not-mounted", "not-mounted"),
        ("LEDGER_URL", "nonsense", "EKYC_LEDGER_URL"),
        ("BASE_URL", "http://127.0.0.1:1", "cannot be reached"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(healthy, monkeypatch, name, value, words):
    monkeypatch.setenv(f"EKYC_{name}", value)

    code, lines = examined()

    wrong = [line for line in lines if line.startswith("MEND")]
    assert (code, len(wrong) >= 1) == (2, True)
    assert any(words in line for line in wrong)


def test_an_unreadable_dotenv_is_said(healthy, tmp_path):
    (tmp_path / ".env").write_bytes(bytes([0xFF, 0xFE, 0x00]))

    code, lines = examined()

    assert (code, ".env cannot be read" in lines[0]) == (2, True)
