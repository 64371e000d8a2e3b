"""What README and tutorial give to paste, pasted at a terminal in a copy of the checkout."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.doc_pages import checkout, environment_in, script
from support.raw_server import unused_port
from support.workstation import NUMBERS

from ekyc_tasks.sandbox import Sandbox

pytestmark = pytest.mark.flow

QUICK = {"EKYC_SETTLE": "0", "EKYC_POLL_MIN": "0.05s", "EKYC_POLL_MAX": "0.5s"}
_LONGEST = 480.0  # seconds; the first start of Prefect in a demo takes long on a busy machine
_LOOK_AGAIN = 0.05
# The first terminal that the leader of a session opens is its own: there `ekyc init` asks for the key.
_AT_A_TERMINAL = 'exec < "$0" > "$0" 2>&1; exec bash -e "$1"'


@dataclass(frozen=True)
class Answer:
    """What a person types when these words have come up; what is hidden, when nothing typed is shown."""

    question: str
    text: str
    is_hidden: bool = False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout(tmp_path / "ekyc")


def typed(commands: str, folder: Path, environment: Mapping[str, str], *answers: Answer) -> str:
    """What the terminal shows of commands that a person types; each answer once, in this order."""
    file = folder.parent / "typed.sh"
    file.write_text(commands)
    terminal, far_side = os.openpty()
    process = subprocess.Popen(
        ["bash", "-c", _AT_A_TERMINAL, os.ttyname(far_side), str(file)],
        cwd=folder,
        env={**environment, "TERM": "dumb"},
        start_new_session=True,
    )
    try:
        screen = _talk(process, terminal, list(answers))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(far_side)
        os.close(terminal)
    assert process.returncode == 0, screen
    return screen


def _talk(process: subprocess.Popen, terminal: int, answers: list[Answer]) -> str:
    screen, deadline = "", time.monotonic() + _LONGEST
    while True:
        has_ended = process.poll() is not None
        while select.select([terminal], [], [], _LOOK_AGAIN)[0]:
            screen += os.read(terminal, 1 << 16).decode(errors="replace")
        if has_ended:
            return screen
        assert time.monotonic() < deadline, f"It took longer than {_LONGEST:.0f} s:\n{screen}"
        if answers and answers[0].question in screen and not (answers[0].is_hidden and _shows(terminal)):
            os.write(terminal, f"{answers.pop(0).text}\n".encode())


def _shows(terminal: int) -> bool:
    """Is what is typed echoed?"""
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def test_the_readme_works_on_a_fresh_clone_as_printed(folder, server, options):
    (folder / "numbers.csv").write_text("phone\n" + "".join(f"{number}\n" for number in NUMBERS[:150]))
    with Sandbox(options) as sandbox:
        environment = environment_in(folder) | server.environment | QUICK
        screen = typed(
            script("README.md"),
            folder,
            environment | {"EKYC_BASE_URL": sandbox.base_url},
            Answer("API key of", sandbox.api_key, is_hidden=True),
            Answer("Price of 10,000 numbers", "4.50"),
            Answer("Most to spend in one month", "100"),
            Answer("bought anything elsewhere before", "n"),
        )

        assert [charge.numbers for charge in sandbox.charges] == [100]
    assert screen.count("The sandbox charged") == 2  # the demo, and the run without a key
    assert list((folder / "data/warehouse").rglob("*.parquet"))


def test_the_tutorial_works_as_printed(folder, server):
    commands = script("docs/tutorial.md").replace("8765", str(unused_port()))

    screen = typed(commands, folder, environment_in(folder) | server.environment)

    assert "exit code 3" in screen
    assert re.search(r"loaded +tg_avatar +2 ", screen)
    answers = (folder / "answers.csv").read_text()
    assert all(number in answers for number in ("+41798284651", "+41798284652"))
