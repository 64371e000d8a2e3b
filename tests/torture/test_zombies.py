"""A run that is killed with its worker can tell nobody: the automation notices, and the next run goes on.

A form that waits for a person has no process either, and goes on waiting.
"""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest
from flow.conftest import server  # noqa: F401 - a fixture
from prefect.client.orchestration import PrefectClient
from support.deployed import Deployed, kill_family
from support.workstation import HOURS, NUMBERS, Desk, Later, chaotic, wait_until

from ekyc_tasks.flows.automations import HEARTBEAT, create, zombies
from ekyc_tasks.sandbox import Sandbox

LONGEST = 120  # seconds from the kill to Crashed

pytestmark = pytest.mark.flow


async def create_the_automation(url: str) -> None:
    async with PrefectClient(url) as client:
        await create(client, zombies())


def heartbeats(desk: Desk, run: str) -> list[dict]:
    resource = {"id": [f"prefect.flow-run.{run}"]}
    wanted = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": resource}}
    return desk.server.ask("/events/filter", wanted)["events"]


def waiting_form(deployed: Deployed, desk: Desk) -> str:
    """A run of resolve that waits, and whose heartbeat arrives after the news of that; its id."""
    run = deployed.start("resolve", batch=desk.status()["batches"][0]["batch_id"])
    wait_until(lambda: deployed.state(run)[0] == "PAUSED", seconds=120, what="the form")
    [beat] = wait_until(lambda: heartbeats(desk, run), what="its heartbeat")
    again = {name: beat[name] for name in ("occurred", "event", "resource", "related")}
    desk.server.ask("/events", [{**again, "id": str(uuid.uuid4())}])
    return run


def test_a_run_killed_with_its_worker_is_crashed_within_two_minutes_and_the_next_one_goes_on(
    server,  # noqa: F811
    tmp_path,
    figures,
):
    later = Later()
    asyncio.run(create_the_automation(server.url))
    with (
        Sandbox(chaotic(processing_seconds=HOURS), clock=later) as sandbox,
        figures.part("killed with its worker") as part,
    ):
        desk = Desk(tmp_path, sandbox, server, {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT)})
        desk.drop("numbers.txt", *NUMBERS)
        deployed = Deployed(server, tmp_path, desk.environment)

        with deployed.worker() as worker:
            run = deployed.start()
            wait_until(
                lambda: sandbox.charges and heartbeats(desk, run),
                seconds=240,
                what="the upload and a sign of life",
            )
            form = waiting_form(deployed, desk)
            seen = len(heartbeats(desk, run))
            wait_until(lambda: len(heartbeats(desk, run)) > seen, what="one that is younger than the form's")
            kill_family(worker)
        killed_at = time.monotonic()
        assert deployed.state(run)[0] == "RUNNING"
        assert deployed.ended(run) == ("CRASHED", "Crashed")
        took = time.monotonic() - killed_at
        assert deployed.state(form)[0] == "PAUSED"

        later.seconds = HOURS
        with deployed.worker():
            following = deployed.start()
            assert deployed.ended(following) == ("COMPLETED", "Completed")
        desk.check_the_end(NUMBERS)
        part.name = f"killed with its worker, marked Crashed after {took:.0f} s"
        part.trials, part.charges = 1, len(sandbox.charges)
        assert took < LONGEST
