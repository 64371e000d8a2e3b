"""prefect.yaml as it is: deployed to a real server, run by a real worker, from any folder."""

from __future__ import annotations

import pytest
from support.deployed import Deployed
from support.workstation import NUMBERS, wait_until

pytestmark = pytest.mark.flow


def test_a_deployed_flow_runs_on_a_worker_and_tells_the_server_what_it_did(desk):
    deployed = Deployed(desk.server, desk.data, desk.environment)
    deployment = desk.server.ask("/deployments/name/check-numbers/check-numbers")
    desk.drop("numbers.txt", *NUMBERS)

    run = deployed.start()
    of_it = {"logs": {"flow_run_id": {"any_": [run]}}}
    with deployed.worker():
        deployed.ended(run)
        logs = wait_until(
            lambda: [
                line["message"]
                for line in desk.server.ask("/logs/filter", of_it)
                if "rows accepted" in line["message"] and line["name"] == "ekyc_tasks"
            ],
            what="our own log line in the UI",
        )
    ended = desk.server.ask(f"/flow_runs/{run}")

    assert (ended["state_type"], ended["name"]) == ("COMPLETED", "tg_avatar · 1 file · 600 numbers")
    assert "rows accepted" in ended["state"]["message"]
    assert desk.states() == ["loaded"]
    assert [schedule["schedule"]["interval"] for schedule in deployment["schedules"]] == [300.0]
    assert len(logs) == 1
