"""What a person may choose for a run, and how a run may end: each seen at the server, with its effect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.workstation import NUMBERS, ROOT, chaotic, plain_environment

pytestmark = pytest.mark.flow

Runs = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def hand(server, tmp_path_factory) -> Iterator[subprocess.Popen]:
    log = tmp_path_factory.mktemp("hand") / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, ROOT / "tests/support/flow_runner.py"],
            env={**plain_environment(), **server.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        yield process
        process.stdin.close()


@pytest.fixture
def run(hand, desk) -> Runs:
    """Runs the flow on this desk; the state as the server keeps it."""

    def run(**request: Any) -> dict[str, Any]:
        settings = {name: value for name, value in desk.environment.items() if name.startswith("EKYC_")}
        hand.stdin.write(json.dumps({"settings": settings, "request": request}) + "\n")
        hand.stdin.flush()
        told = json.loads(hand.stdout.readline())
        return desk.server.ask(f"/flow_runs/{told['run']}")["state"]

    return run


def ending(state: dict[str, Any]) -> tuple[str, str]:
    return state["type"], state["name"]


def sizes(desk) -> list[int]:
    return [charge.numbers for charge in desk.sandbox.charges]


def landed(desk) -> list[str]:
    return sorted(path.name for path in (desk.data / "landing").rglob("*") if path.is_file())


def test_nothing_to_do(desk, run):
    assert ending(run()) == ("COMPLETED", "Nothing to do")
    assert desk.sandbox.calls == []


def test_only_look(desk, run):
    desk.settings["EKYC_PRICE_PER_10K"] = "4.50"
    desk.drop("numbers.txt", *NUMBERS)
    before = (desk.data / "ledger.db").read_bytes(), desk.kept_bytes()

    state = run(dry_run=True)

    assert ending(state) == ("COMPLETED", "Would send 600 numbers in 1 batch")
    assert "0.27" in state["message"]
    assert (landed(desk), desk.sandbox.charges) == (["numbers.txt"], [])
    assert (desk.status()["batches"], desk.status()["files"]) == ([], [])
    assert ((desk.data / "ledger.db").read_bytes(), desk.kept_bytes()) == before


def test_files_by_name_and_pattern(desk, run):
    for name, numbers in {
        "a.txt": NUMBERS[:10],
        "b.csv": NUMBERS[10:30],
        "sub/c.txt": NUMBERS[30:70],
    }.items():
        desk.drop(name, *numbers)

    assert ending(run(files=["*.csv", "sub/c.txt"])) == ("COMPLETED", "Completed")

    assert (landed(desk), sizes(desk)) == (["a.txt"], [60])
    desk.check_the_end(NUMBERS[10:70])


def test_a_task_type(desk, run):
    desk.drop("numbers.txt", *NUMBERS)

    assert ending(run(task_type="tg")) == ("COMPLETED", "Completed")

    assert [charge.task_type for charge in desk.sandbox.charges] == ["tg"]
    assert [path.name for path in (desk.data / "warehouse").iterdir()] == ["tg"]


def test_a_limit(desk, run):
    desk.drop("numbers.txt", *NUMBERS)

    state = run(limit=100)
    assert (ending(state), sizes(desk)) == (("COMPLETED", "Completed"), [100])
    assert "500 numbers in 1 planned batch wait for the next run" in state["message"]

    assert ending(run()) == ("COMPLETED", "Completed")
    desk.check_the_end(NUMBERS)


def test_a_budget(desk, run):
    desk.settings |= {"EKYC_BATCH_SIZE": "200", "EKYC_PRICE_PER_10K": "4.50"}  # 0.09 a batch
    desk.drop("numbers.txt", *NUMBERS)

    state = run(budget=0.2)
    assert (ending(state), sizes(desk)) == (("COMPLETED", "Budget reached"), [200, 200])
    assert "Raise the budget" in state["message"]

    assert ending(run()) == ("COMPLETED", "Completed")
    desk.check_the_end(NUMBERS)


def test_an_approval(desk, run):
    desk.settings |= {"EKYC_ASK_ABOVE": "500", "EKYC_PRICE_PER_10K": "4.50"}
    desk.drop("numbers.txt", *NUMBERS)

    for approve in (0, len(NUMBERS) - 1):
        state = run(approve=approve)
        assert ending(state) == ("FAILED", "Approval needed: 600 numbers for 0.27")
        assert "`ekyc run --approve 600`" in state["message"]
        assert (sizes(desk), landed(desk)) == ([], ["numbers.txt"])
    assert "above EKYC_ASK_ABOVE" in run(dry_run=True)["message"]

    assert ending(run(approve=len(NUMBERS))) == ("COMPLETED", "Completed")
    desk.check_the_end(NUMBERS)


def test_asking_again(desk, run):
    desk.drop("numbers.txt", *NUMBERS[:100])
    run()
    desk.drop("again.txt", *NUMBERS[:100])
    assert (ending(run()), sizes(desk)) == (("COMPLETED", "Completed"), [100])

    desk.drop("once-more.txt", *NUMBERS[:100])
    assert ending(run(recheck=True)) == ("COMPLETED", "Completed")
    assert sizes(desk) == [100, 100]


@pytest.mark.parametrize("options", [chaotic(processing_seconds=3600.0)])
def test_a_wait(desk, run):
    desk.drop("numbers.txt", *NUMBERS)

    state = run(max_wait="0s")

    assert ending(state) == ("COMPLETED", "Waiting on provider (1 batch)")
    assert "The next run continues" in state["message"]


@pytest.mark.parametrize("options", [chaotic("create:1=504_after")])
def test_held(desk, run):
    desk.drop("numbers.txt", *NUMBERS)

    state = run()

    assert ending(state) == ("FAILED", "Held: 1 batch needs a decision")
    assert "ekyc resolve" in state["message"]


@pytest.mark.parametrize("options", [chaotic("create:1=failed")])
def test_failed_at_the_provider(desk, run):
    desk.drop("numbers.txt", *NUMBERS)

    kind, name = ending(run())

    assert (kind, name.startswith("Failed: Batch "), "failed (the provider says" in name) == (
        "FAILED",
        True,
        True,
    )


def test_failed_for_a_setting(desk, run):
    desk.settings["EKYC_API_KEY"] = "mistyped"
    desk.drop("numbers.txt", *NUMBERS)

    state = run()

    assert (state["type"], state["name"].startswith("Failed: ")) == ("FAILED", True)
    assert "EKYC_API_KEY" in state["message"]
    assert "mistyped" not in json.dumps(state)
