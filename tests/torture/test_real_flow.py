"""Kills through the real thing, a Prefect server and a worker; and then a search for leaks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flow.conftest import server  # noqa: F401 - a fixture
from support.trials.trial import NUMBERS, Answers
from support.workstation import BIN, ROOT, plain_environment, wait_until

KILLS = 12
TRIES = 16
WITH_WORKER = {3, 7, 11}  # kills that take the worker along
KEY = "canary-key-5f0c1d"
SECRETS = (KEY, "X-Amz-Signature", "X-Amz-Security-Token", "externalcheck/")
EACH = 8  # numbers a file
LANDED = {f"{index}.txt": NUMBERS[index * EACH : (index + 1) * EACH] for index in range(TRIES)}
# The numbers themselves belong into these, and nowhere else.
PERSONAL = {"landing", "inputs", "batches", "raw", "warehouse", "quarantine", ".staging"}
CHAOS = ("create:3=429", "create:5=500", "create:7=reset_after", "poll:2=503", "poll:4=html", "poll:6=404")
CHAOS += ("exported:3=no_link", "fetch:2=link_expired", "fetch:4=truncate", "balance:3=empty")


class Deployed:
    """The deployment on a real server, and a worker that can be killed with what it runs."""

    def __init__(self, server, trial) -> None:  # noqa: F811
        self.server, self.trial = server, trial
        self.log = trial.root / "worker.log"
        self._prefect("work-pool", "create", "ekyc", "--type", "process", "--overwrite")
        self._prefect("deploy", "--all")
        self.deployment = server.ask("/deployments/name/check-numbers/check-numbers")["id"]

    @property
    def environment(self) -> dict[str, str]:
        own = {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_WORKER_QUERY_SECONDS": "1"}
        own["PREFECT_LOGGING_EXTRA_LOGGERS"] = "ekyc_tasks,httpx,httpcore,sqlalchemy"
        return {**plain_environment(), **self.server.environment, **self.trial.environment, **own}

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen]:
        inside = os.pathsep.join(str(ROOT / "tests" / name) for name in ("support/trials/inside", "."))
        patched = {"PYTHONPATH": inside, "TORTURE_FOLDER": str(self.trial.root)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [BIN / "prefect", "worker", "start", "--pool", "ekyc"],
                cwd=self.trial.root,
                env={**self.environment, **patched},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                kill_group(process)

    def run(self) -> str:
        """The id of a new flow run."""
        path = f"/deployments/{self.deployment}/create_flow_run"
        return self._ask(path, {"state": {"type": "SCHEDULED"}})["id"]

    def has_ended(self, run: str) -> bool:
        state = self._ask(f"/flow_runs/{run}")["state_type"]
        return state in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

    def release(self, run: str) -> None:
        """As the automation on missing heartbeats does it, which takes minutes."""
        self._ask(f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Its SQLite is busy now and then, and it answers 503."""

        def answer() -> Any:
            with suppress(OSError):
                return self.server.ask(path, body)

        return wait_until(answer, what=f"Prefect's answer to {path}")

    def _prefect(self, *arguments: str) -> None:
        command = [BIN / "prefect", "--no-prompt", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=180, capture_output=True)


def kill_group(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.flow
def test_kills_through_a_worker_and_no_secret_anywhere(crew, figures, server):  # noqa: F811
    with crew.trial(landed=LANDED) as trial:
        assert trial.run().exit_code == 0
        expected = Answers.of(trial.data)
    with crew.trial(landed={"0.txt": LANDED["0.txt"]}) as trial:
        points = len(trial.run().points)

    with crew.trial(*CHAOS, landed={}, api_key=KEY) as trial:
        with figures.part("kills through server and worker") as part:
            deployed = Deployed(server, trial)
            kills = part.points = killed(deployed, trial, points)
            part.count([trial.finish(expected)])
            part.trials = kills
            look_at_everything(trial)
        assert kills >= KILLS

        with figures.part("places searched for canaries") as part:
            numbers = [number.lstrip("+") for numbers in LANDED.values() for number in numbers]
            places = dict(searched(trial.root, server))
            assert "data/ledger.db" in places
            assert any(b"check-numbers" in content for content in places.values())
            part.trials = len(places)
            part.violations = list(leaks(places, [*SECRETS, *numbers]))


def look_at_everything(trial) -> None:
    """Whatever a person may ask for; its output is searched with the rest."""
    words = [["status"], ["status", "--json"], ["replay", "--all"], ["replay", "--all", "--json"]]
    words += [["status", batch.batch_id, "--json"] for batch in trial.batches()]
    for arguments in words:
        trial.warm.run("ekyc", trial.root, trial.environment, arguments=arguments)


def killed(deployed: Deployed, trial, points: int) -> int:
    """How many of the runs died where they were told to."""
    died_at, kills = trial.root / "died-at", 0
    names = iter(LANDED.items())
    while kills < KILLS:
        with deployed.worker() as worker:
            for name, numbers in names:
                trial.land(name, numbers)
                (trial.root / "kill-at").write_text(str(1 + kills * (points - 1) // KILLS))
                run = deployed.run()
                wait_until(
                    lambda run=run: died_at.exists() or deployed.has_ended(run), seconds=150, what="the run"
                )
                if not died_at.exists():
                    continue
                trial.history.append(died_at.read_text())
                died_at.unlink()
                kills += 1
                trial.run_to_the_end()  # so that the next one begins at the beginning
                if kills in WITH_WORKER or kills == KILLS:
                    kill_group(worker)
                    deployed.release(run)
                    break
                wait_until(lambda run=run: deployed.has_ended(run), seconds=60, what="the worker's word")
            else:
                break
    for name, numbers in names:
        trial.land(name, numbers)
    return kills


def searched(root: Path, server) -> Iterator[tuple[str, bytes]]:  # noqa: F811
    """Whatever was written anywhere, by name; and the names."""
    yield "Prefect's database", server.stored_bytes()
    yield "Prefect's log", (server.home / "server.log").read_bytes()
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        yield f"the name {name}", name.encode()
        if path.is_file():
            yield name, path.read_bytes()


def leaks(places: dict[str, bytes], secrets: list[str]) -> Iterator[str]:
    for place, content in places.items():
        is_personal = any(place.startswith(f"data/{folder}/") for folder in PERSONAL)
        for secret in SECRETS if is_personal else secrets:
            if secret.encode() in content:
                yield f"{place} holds {secret}"
