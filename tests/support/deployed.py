"""prefect.yaml on a real server, and workers for it: what a team with a server of its own has."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.workstation import BIN, ROOT, Desk, Server, descendants, plain_environment, wait_until

POOL = "ekyc"
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
# What a click on Retry and on Cancel sends.
RETRY = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
CANCEL = {"type": "CANCELLING", "name": "Cancelling"}


@dataclass
class Deployed:
    """The deployments, without their schedule: runs begin when the test says so."""

    server: Server
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    file: Path = ROOT / "prefect.yaml"

    def __post_init__(self) -> None:
        self._prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
        self._prefect("deploy", "--all", "--prefect-file", str(self.file))
        self.server.ask(f"/deployments/{self.id_of('check-numbers')}/pause_deployment", {})

    @property
    def environment(self) -> dict[str, str]:
        return {**plain_environment(), **self.server.environment, **self.settings}

    def _prefect(self, *arguments: str) -> None:
        command = [BIN / "prefect", "--no-prompt", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, timeout=180, capture_output=True)

    @contextmanager
    def worker(
        self, name: str = "worker", *options: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen]:
        command = [BIN / "prefect", "worker", "start", "--pool", POOL, "--name", name, *options]
        environment = {**self.environment, "PREFECT_WORKER_QUERY_SECONDS": "1", **(environment or {})}
        with self.log_of(name).open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
            try:
                yield process
            finally:
                kill_family(process)

    def log_of(self, worker: str) -> Path:
        return self.folder / f"{worker}.log"

    def start(self, name: str = "check-numbers", *, desk: Desk | None = None, **request: Any) -> str:
        """The id of a new flow run. ``desk``: in whose data folder; else the worker's own settings."""
        body = {
            "state": {"type": "SCHEDULED"},
            "parameters": {"request": request},
            "job_variables": {"env": desk.open_settings if desk else {}},
        }
        return self.server.ask(f"/deployments/{self.id_of(name)}/create_flow_run", body)["id"]

    def click(self, run: str, state: Mapping[str, str]) -> None:
        answer = self.server.ask(f"/flow_runs/{run}/set_state", {"state": state})
        assert answer["status"] == "ACCEPT", answer

    def state(self, run: str) -> tuple[str, str]:
        """Its type and its name."""
        state = self.server.ask(f"/flow_runs/{run}")["state"]
        return state["type"], state["name"]

    def ended(self, run: str, *, seconds: float = 240) -> tuple[str, str]:
        return wait_until(
            lambda: (state := self.state(run))[0] in ENDED and state, seconds=seconds, what="the flow run"
        )

    def id_of(self, name: str) -> str:
        return self.server.ask(f"/deployments/name/{name}/{name}")["id"]


def kill_family(process: subprocess.Popen) -> None:
    """A worker with the runs that it started, which may live in groups of their own; it can tell nobody."""
    family = descendants(process.pid)
    process.kill()
    process.wait()
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
