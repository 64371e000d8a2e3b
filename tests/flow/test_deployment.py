"""prefect.yaml as it is: deployed to a real server, run by a real worker, from any folder."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager

import pytest
from desk import BIN, NUMBERS, ROOT, wait_until

pytestmark = pytest.mark.flow


def prefect(desk, *arguments: str) -> str:
    done = subprocess.run(
        [BIN / "prefect", "--no-prompt", *arguments],
        cwd=ROOT,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def worker(desk):
    command = [BIN / "prefect", "worker", "start", "--pool", "ekyc"]
    with (desk.data / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=desk.data, env=desk.environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_deployed_flow_runs_on_a_worker_and_tells_the_server_what_it_did(desk):
    prefect(desk, "work-pool", "create", "ekyc", "--type", "process", "--overwrite")
    prefect(desk, "deploy", "--all")
    deployment = desk.server.ask("/deployments/name/check-numbers/check-numbers")
    desk.drop("numbers.txt", *NUMBERS)

    run = desk.server.ask(
        f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}}
    )
    with worker(desk):
        ended = wait_until(
            lambda: (
                (now := desk.server.ask(f"/flow_runs/{run['id']}"))["state_type"]
                in {"COMPLETED", "FAILED", "CRASHED"}
                and now
            ),
            seconds=120,
            what="the flow run",
        )

    assert (ended["state_type"], ended["name"]) == ("COMPLETED", "tg_avatar · 1 file · 600 numbers")
    assert "rows accepted" in ended["state"]["message"]
    assert desk.states() == ["loaded"]
    assert [schedule["schedule"]["interval"] for schedule in deployment["schedules"]] == [300.0]
    logs = wait_until(
        lambda: [
            line["message"]
            for line in desk.server.ask("/logs/filter", {"limit": 200})
            if "rows accepted" in line["message"] and line["name"] == "ekyc_tasks"
        ],
        what="our own log line in the UI",
    )
    assert len(logs) == 1
