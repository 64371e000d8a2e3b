"""A person's desk for tests: the real command line against the sandbox, beside a real Prefect server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import polars as pl
from support.installed import made

from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


NUMBERS = [f"+4179828{index:04}" for index in range(4000, 4600)]
HOURS = 7200.0  # seconds: longer than any test


def chaotic(*script: str, **options: Any) -> SandboxOptions:
    return SandboxOptions(**{"processing_seconds": 1.0, "pending_seconds": 0.2, **options}, chaos=script)


def wait_until(condition: Callable[[], Any], *, seconds: float = 180.0, what: str = "the condition") -> Any:
    """Look until it is true; the value. The pause bounds the load of looking, not the result."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


class Later:
    """A sandbox's time: the system's, and what the test puts on top."""

    seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.seconds


def _answer(request: urllib.request.Request) -> bytes | None:
    """None when its SQLite is busy; then it has done nothing."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.read() or b"null"
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return None


@dataclass(frozen=True)
class Server:
    """A running `prefect server start`."""

    url: str
    home: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def ask(self, path: str, body: dict[str, Any] | None = None, *, method: str | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        return json.loads(wait_until(lambda: _answer(request), what=f"Prefect's answer to {path}"))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }

    def stored_bytes(self) -> bytes:
        """Everything that is in its database."""
        return b"".join(path.read_bytes() for path in self.home.rglob("prefect.db*"))


def is_healthy(server: Server, process: subprocess.Popen) -> bool:
    assert process.poll() is None, (server.home / "server.log").read_text()
    try:
        return server.ask("/health") is True
    except OSError:
        return False


def plain_environment() -> dict[str, str]:
    """This one without settings that would leak into a run."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("EKYC_", "PREFECT_"))}


@dataclass
class Desk:
    """A data folder, a sandbox and a Prefect server, and `ekyc` pointed at them."""

    data: Path
    sandbox: Sandbox
    server: Server
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made(self.data, self.sandbox.base_url, self.settings.get("EKYC_LEDGER_URL"))

    def drop(self, name: str, *numbers: str) -> Path:
        path = self.data / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{number}\n" for number in numbers))
        return path

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "EKYC_HOME": str(self.data),
            "EKYC_DATA_DIR": str(self.data),
            "EKYC_BASE_URL": self.sandbox.base_url,
            "EKYC_API_KEY": self.sandbox.api_key,
            "EKYC_SETTLE": "0",
            "EKYC_POLL_MIN": "0.05s",
            "EKYC_POLL_MAX": "0.5s",
        }
        return {**plain_environment(), **self.server.environment, **own, **self.settings}

    @property
    def open_settings(self) -> dict[str, str]:
        """What may be seen by everybody: not the key."""
        return {
            name: value
            for name, value in self.environment.items()
            if name.startswith("EKYC_") and name != "EKYC_API_KEY"
        }

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(BIN / "ekyc"), *arguments],
            cwd=self.data,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ekyc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def status(self) -> dict[str, Any]:
        return json.loads(self.ekyc("status", "--json").stdout)

    def states(self) -> list[str]:
        return [batch["state"] for batch in self.status()["batches"]]

    @property
    def ledger_url(self) -> str:
        return self.settings.get("EKYC_LEDGER_URL", f"sqlite:///{self.data / 'ledger.db'}")

    def check_the_end(self, numbers: Sequence[str]) -> None:
        """Every charge is known, no number was charged twice, and each answer is in the dataset."""
        tasks = self.sandbox.tasks
        with connect_ledger(self.ledger_url) as ledger:
            batches = ledger.history.batches(states=[BatchState.LOADED])
        assert sorted(batch.task_id for batch in batches) == sorted(task.task_id for task in tasks)
        assert Counter(number for task in tasks for number in task.numbers) == dict.fromkeys(numbers, 1)
        rows = pl.scan_parquet(f"{self.data}/warehouse/*/**/*.parquet").select("number").collect()
        answered = {number for number in numbers if not self.sandbox.answers(number).is_missing}
        assert Counter(rows["number"]) == dict.fromkeys(answered, 1)

    def kept_bytes(self) -> dict[str, bytes]:
        """Every byte that a second run must not touch."""
        folders = ("inputs", "batches", "raw", "warehouse", "quarantine")
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for folder in folders
            for path in sorted((self.data / folder).rglob("*"))
            if path.is_file()
        }


def descendants(pid: int) -> set[int]:
    """Whatever this process has started, and what that has started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family, grown = {pid}, True
    while grown:
        children = {child for child, parent in parents.items() if parent in family} - family
        family |= children
        grown = bool(children)
    return family - {pid}
