"""Makes `version-before.zip`: a data folder and its ledger as commit 4ffe816 leaves them.

    git worktree add ../before 4ffe816
    PYTHONPATH=../before:../before/tests .venv/bin/python tests/worlds/make_version_before.py
    git worktree remove --force ../before

That version's own flow makes it, in a process for each run, against its own sandbox; two runs are killed.
To all of them it is the spring of 2025, so that every lease is over wherever the clock of a test stands, and
each has a machine of its own, so that none ends another's lease. The folder is made at /srv/ekyc/data, for
the ledger remembers where files landed. Who runs this must be able to make /srv/ekyc; nothing stays there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import ekyc_tasks.clock
import ekyc_tasks.run
from desk import HOURS, plain_environment
from torture import driver, seams

import ekyc_tasks.ledger.store
import flows.check_numbers as whole_way
from ekyc_tasks import lease
from ekyc_tasks.cli import app
from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.sandbox.backend import Charge, SandboxTask

ARCHIVE = Path(__file__).with_name("version-before.zip")
PLACE = Path("/srv/ekyc")
DATA = PLACE / "data"
PORT = 8765
START = datetime(2025, 3, 3, 9, tzinfo=UTC)
REVISION = "0003"
MACHINE = "before 0000"
NUMBERS = [f"+4179828{index:04}" for index in range(4000, 4270)]
SETTINGS = {
    "API_KEY": SandboxOptions().api_key,
    "BASE_URL": f"http://127.0.0.1:{PORT}",
    "HOME": str(DATA),
    "DATA_DIR": str(DATA),
    "BATCH_SIZE": "20",
    "SETTLE": "0",
    "MAX_WAIT": "0",
    "PRICE_PER_10K": "4.50",
    "LEASE": "10m",  # longer than all of it takes
}


@dataclass
class Maker:
    """What outlives a run: the provider's books, and how long ago all of it happens."""

    ago: float = field(default_factory=lambda: time.time() - START.timestamp())
    tasks: dict[str, SandboxTask] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)

    def make(self) -> None:
        """In this order: a run pushes on whatever is unfinished and not in the hand of a living one."""
        self.make_what_has_ended()
        self.make_fetched()
        self.make_submitted()
        self.make_submitting_and_planned()
        self.make_planned_after_a_refusal()
        self.resolve(batch_ids(BatchState.REFUSED)[-1], "abandon")
        land("not-planned-yet.txt", NUMBERS[260:])

    def make_what_has_ended(self) -> None:
        land("winter.txt", [*NUMBERS[:80], "junk", "", NUMBERS[3]])
        land("more/spring.csv", ["phone", *NUMBERS[80:160], NUMBERS[0]])
        chaos = "create:2-3=422", "create:4-5=failed", "create:6=reset_after"
        with self.provider(*chaos, foreign_rows=2):
            self.run("first")
        self.resolve(batch_ids(BatchState.FAILED)[-1], "abandon", "--drop")

    def make_fetched(self) -> None:
        land("fetched.txt", NUMBERS[160:180])
        with self.provider():
            self.run("second", dies="before load")

    def make_submitted(self) -> None:
        land("submitted.txt", NUMBERS[180:200])
        with self.provider(processing_seconds=HOURS):
            self.run("third")

    def make_submitting_and_planned(self) -> None:
        """The provider has taken the upload and says so to a dead process; two others wait behind it."""
        land("submitting.txt", NUMBERS[200:260])
        with self.provider(processing_seconds=HOURS):
            self.run("fourth", dies="after create")

    def make_planned_after_a_refusal(self) -> None:
        """This run relieves the one before, whose lease is not over yet, of its last batch."""
        with self.provider("create:1=429", processing_seconds=HOURS):
            self.run("fifth")

    @contextmanager
    def provider(self, *chaos: str, **options: Any) -> Iterator[None]:
        """The same provider in another mood; its tasks are done at once, if nothing else is said."""
        mood = SandboxOptions(**{"processing_seconds": 0.0, "missing_rate": 0.1, **options}, chaos=chaos)
        sandbox = Sandbox(mood, port=PORT, clock=lambda: time.time() - self.ago)
        sandbox._backend.tasks, sandbox._backend.charges = self.tasks, self.charges
        with sandbox:
            yield

    def run(self, machine: str, *, dies: str = "") -> None:
        code = self.call("run", machine, dies)
        if (code == -signal.SIGKILL) != bool(dies):
            raise SystemExit(f"the run on the {machine} machine ended with {code}")

    def resolve(self, batch_id: str, *words: str) -> None:
        if code := self.call("ekyc", "resolve", batch_id, *words, "--reason", "for the tests of upgrades"):
            raise SystemExit(f"resolve {words} ended with {code}")

    def call(self, *words: str) -> int:
        """Do one piece of work in a process of its own; its exit code, or less than 0 by a signal."""
        settings = {f"EKYC_{name}": value for name, value in SETTINGS.items()}
        own = {"LOGNAME": "person", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
        command = [sys.executable, __file__, str(self.ago), *words]
        return subprocess.run(command, env=plain_environment() | settings | own, check=False).returncode

    def books(self) -> list[dict[str, Any]]:
        return [
            {
                "task_id": task.task_id,
                "task_type": task.task_type,
                "numbers": [f"+{digits}" for digits in task.sent],
                "accepted_at": task.accepted_at,
                "fails": task.fails,
            }
            for task in self.tasks.values()
        ]


def land(name: str, lines: Sequence[str]) -> None:
    path = DATA / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def batch_ids(state: BatchState) -> list[str]:
    with connect_ledger(f"sqlite:///{DATA}/ledger.db") as ledger:
        return [batch.batch_id for batch in ledger.history.batches(states=[state])]


def finish() -> None:
    """The ledger in one file, that names no machine."""
    connection = sqlite3.connect(DATA / "ledger.db")
    with connection:
        connection.execute("UPDATE runs SET host = ?", (MACHINE,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    [(revision,)] = connection.execute("SELECT version_num FROM alembic_version")
    states = Counter(state for (state,) in connection.execute("SELECT state FROM batches"))
    connection.close()
    if revision != REVISION or set(states) != set(BatchState) or list(DATA.glob("ledger.db-*")):
        raise SystemExit(f"not what it should be: revision {revision}, {dict(states)}")


def pack() -> None:
    """With the modes, and in an order and with times that are always the same."""
    with ZipFile(ARCHIVE, "w") as archive:
        for path in sorted(PLACE.rglob("*")):
            name = f"{path.relative_to(PLACE)}{'/' if path.is_dir() else ''}"
            entry = ZipInfo(name, START.timetuple()[:6])
            entry.create_system = 3  # modes as Unix has them
            entry.external_attr = path.stat().st_mode << 16
            content = b"" if path.is_dir() else path.read_bytes()
            archive.writestr(entry, content, ZIP_DEFLATED, compresslevel=9)


def make_archive() -> None:
    PLACE.mkdir()  # never over something that lies there
    try:
        maker = Maker()
        maker.make()
        finish()
        (PLACE / "tasks.json").write_text(json.dumps(maker.books(), indent=1))
        pack()
    finally:
        shutil.rmtree(PLACE)


# --- in the process of one run ----------------------------------------------------------------------------


def work(ago: float, what: str, *words: str) -> int:
    be_there(timedelta(seconds=ago))
    return flow(*words) if what == "run" else app(list(words), standalone_mode=False) or 0


def be_there(ago: timedelta) -> None:
    """In the time in which all of it happens."""

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - ago

    for module in (ekyc_tasks.clock, lease, ekyc_tasks.ledger.store, ekyc_tasks.run):
        module.datetime = Then


def flow(machine: str, dies: str) -> int:
    """One run of the flow; it is killed at the point that ``dies`` names."""
    driver.without_engine()
    lease.this_machine = lambda: machine
    seams.install(lambda point: die() if point == dies else None, root=PLACE)
    if dies == "before load":
        whole_way.load_batch = lambda *_: asyncio.to_thread(die)
    return driver.run_once()["exit_code"]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process that was killed goes on")


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(work(float(sys.argv[1]), *sys.argv[2:]))
    make_archive()
