"""Cancel and Retry, as the UI sends them, at any moment: nothing is paid twice, and everything arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.deployed import CANCEL, RETRY, Deployed
from support.workstation import HOURS, NUMBERS, Desk, Later, chaotic, wait_until

from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def office(server, tmp_path_factory) -> Iterator[Deployed]:
    """One worker for all desks; each run is told whose it is."""
    key = {"EKYC_API_KEY": SandboxOptions().api_key}
    deployed = Deployed(server, tmp_path_factory.mktemp("office"), key)
    with deployed.worker():
        yield deployed


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def desk(tmp_path, options, server, later) -> Iterator[Desk]:
    with Sandbox(options, clock=later) as sandbox:
        yield Desk(tmp_path, sandbox, server)


def cancelled(office: Deployed, desk: Desk, path: str) -> str:
    """A flow run that was cancelled while it waited for an answer from there; its id."""
    desk.drop("numbers.txt", *NUMBERS)
    run = office.start(desk=desk)
    wait_until(lambda: any(call.path.startswith(path) for call in desk.sandbox.calls), seconds=120, what=path)
    office.click(run, CANCEL)
    assert office.ended(run) == ("CANCELLED", "Cancelled")
    return run


def retried(office: Deployed, run: str) -> tuple[str, str]:
    office.click(run, RETRY)
    return office.ended(run)


def states(desk: Desk) -> list[str]:
    with connect_ledger(desk.ledger_url) as ledger:
        return [batch.state.value for batch in ledger.history.batches()]


@pytest.mark.parametrize("options", [chaotic("create:1=stall")])
def test_cancelled_during_an_upload_it_is_held_whatever_is_clicked_until_a_person_decides(office, desk):
    run = cancelled(office, desk, "/v1/tasks")
    assert states(desk) == ["held"]

    assert retried(office, run) == ("FAILED", "Held: 1 batch needs a decision")
    assert len(desk.sandbox.charges) == 1

    batch = desk.status()["batches"][0]["batch_id"]
    assert desk.ekyc("resolve", batch, "adopt", desk.sandbox.charges[0].task_id).returncode == 0
    assert retried(office, run) == ("COMPLETED", "Completed")  # a failed one, this time
    desk.check_the_end(NUMBERS)


@pytest.mark.parametrize("options", [chaotic(processing_seconds=HOURS)])
def test_cancelled_while_it_waits_it_goes_on_waiting_when_retried(office, desk, later):
    run = cancelled(office, desk, "/v1/gettasks")
    assert states(desk) == ["submitted"]
    later.seconds = HOURS

    assert retried(office, run) == ("COMPLETED", "Completed")
    desk.check_the_end(NUMBERS)


@pytest.mark.parametrize("options", [chaotic("fetch:1=stall")])
def test_cancelled_during_a_download_it_is_finished_when_retried_and_then_has_nothing_to_do(office, desk):
    run = cancelled(office, desk, "/externalcheck/")
    assert states(desk) == ["submitted"]

    assert retried(office, run) == ("COMPLETED", "Completed")
    desk.check_the_end(NUMBERS)
    before = desk.kept_bytes()
    assert retried(office, run) == ("COMPLETED", "Nothing to do")  # a completed one
    assert desk.kept_bytes() == before
    assert len(desk.sandbox.charges) == 1
