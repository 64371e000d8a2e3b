"""The triggers that the documentation shows: as they stand there, they fire for what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect.events.schemas.automations import EventTrigger
from support.deployed import Deployed
from support.doc_pages import blocks
from support.workstation import NUMBERS, chaotic, wait_until

from ekyc_tasks.flows.automations import zombies

pytestmark = pytest.mark.flow

PAGES = ("docs/how-to/notifications.md", "docs/how-to/run-for-real.md")


def shown(words: str) -> dict:
    """The trigger that the pages show and that holds these words."""
    triggers = [block.text for block in blocks(*PAGES) if block.language == "json"]
    [found] = [trigger for trigger in triggers if words in trigger]
    return json.loads(found)


@contextmanager
def automation(deployed: Deployed, trigger: dict, action: dict) -> Iterator[None]:
    body = {"name": json.dumps(trigger), "trigger": trigger, "actions": [action]}
    made = deployed.server.ask("/automations/", body)
    try:
        yield
    finally:
        deployed.server.ask(f"/automations/{made['id']}", method="DELETE")


def starting(deployed: Deployed, name: str, **request: str) -> dict:
    """An action whose effect is a scheduled run of that deployment."""
    return {
        "type": "run-deployment",
        "source": "selected",
        "deployment_id": deployed.id_of(name),
        "parameters": {"request": request},
    }


def started(deployed: Deployed, name: str) -> list[dict]:
    """Requests of the deployment's runs that automations have made."""
    body = {"deployments": {"id": {"any_": [deployed.id_of(name)]}}}
    runs = deployed.server.ask("/flow_runs/filter", body)
    return [run["parameters"]["request"] for run in runs if run["created_by"]["type"] == "AUTOMATION"]


@pytest.mark.parametrize("options", [chaotic("create:2=504_after")])
def test_a_held_batch_and_a_run_that_ends_badly_each_fire_once(desk, tmp_path):
    deployed = Deployed(desk.server, tmp_path)
    of_its_own = {"batch": "{{ event.resource.name }}"}
    desk.settings["EKYC_BATCH_SIZE"] = "300"
    desk.drop("numbers.txt", *NUMBERS)
    with (
        automation(deployed, shown("ekyc.batch.held"), starting(deployed, "resolve", **of_its_own)),
        automation(deployed, shown('"FAILED", "CRASHED"'), starting(deployed, "replay")),
    ):
        assert desk.ekyc("run").returncode == 3
        held = [batch["batch_id"] for batch in desk.status()["batches"] if batch["state"] == "held"]
        wait_until(lambda: started(deployed, "resolve") and started(deployed, "replay"), what="the actions")
        assert (
            desk.ekyc("resolve", *held, "abandon", "--drop", "--force", "--reason", "a test").returncode == 0
        )
        assert desk.ekyc("run").returncode == 0  # nothing is held any more, and nothing fires

    assert started(deployed, "resolve") == [{"batch": held[0]}]
    assert len(started(deployed, "replay")) == 1


def test_the_trigger_for_killed_runs_is_the_one_of_ekyc_up():
    assert EventTrigger.model_validate(shown("heartbeat")) == zombies().trigger
