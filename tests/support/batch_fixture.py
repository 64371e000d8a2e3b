"""One planned batch, the steps to push it with, and a sandbox beside it that lives in the same time."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from shutil import copyfile

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.exchange.fetch import fetch
from ekyc_tasks.exchange.poll import poll
from ekyc_tasks.exchange.poll_schedule import PollSchedule
from ekyc_tasks.exchange.submit import UploadPolicy, submit
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import NewBatch, connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.provider import Provider, ResultHosts, Timeouts
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.storage.paths import DataFolder

KEY = "sandbox-key"
NUMBERS = [f"+4179{n:07}" for n in range(150)]
BATCH, RUN = "batch-1", "run-1"
HOUR = timedelta(hours=1)
# Nobody has to be fast: a busy machine fails no test. The other one is for far sides that say nothing.
PATIENCE = Timeouts(connect=30, read=30, write=30, pool=30)
IMPATIENCE = Timeouts(connect=30, read=1, write=30, pool=30)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
PLANNED, SUBMITTING, SUBMITTED = BatchState.PLANNED, BatchState.SUBMITTING, BatchState.SUBMITTED
HELD, REFUSED, FAILED, FETCHED = BatchState.HELD, BatchState.REFUSED, BatchState.FAILED, BatchState.FETCHED


class Bench:
    """One planned batch of one run, and the steps to push it with."""

    def __init__(self, root, empty_ledger, clock):
        self.clock = clock
        self.url = ""
        self.sandbox = None
        self.run_id = RUN
        self.folder = DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")
        self.ledger_file = root / "ledger.db"
        root.mkdir()
        copyfile(empty_ledger, self.ledger_file)
        self.ledger = connect_ledger(f"sqlite:///{self.ledger_file}", clock.now)
        self.ledger.runs.opened(RUN, host="here", lease=timedelta(days=9))
        content = "".join(f"{number}\n" for number in NUMBERS).encode()
        self.file = self.folder.batch_file(BATCH)
        self.file.parent.mkdir()
        self.file.write_bytes(content)
        batch = NewBatch(BATCH, len(NUMBERS), sha256(content).hexdigest())
        self.ledger.plans.planned(landed=[], new_batches=[batch], links=[], task_type="tg_avatar", run_id=RUN)

    def submit(self, *, deadline=30.0, until=HOUR, **policy):
        return asyncio.run(self.submitting(deadline=deadline, until=until, **policy))

    async def submitting(self, *, deadline=30.0, until=HOUR, **policy):
        async with self.provider() as provider:
            return await submit(
                BATCH,
                self.context,
                provider,
                policy=UploadPolicy(deadline=timedelta(seconds=deadline), **policy),
                until=self.clock.now() + until,
            )

    def poll(self, *, until=HOUR, shortest=1.0, longest=60.0, timeouts=PATIENCE):
        async def polling():
            async with self.provider(timeouts) as provider:
                return await poll(
                    BATCH,
                    self.context,
                    provider,
                    cadence=PollSchedule(shortest, longest, random=lambda: 0.5),
                    until=self.clock.now() + until,
                    grace=timedelta(minutes=2),
                )

        return asyncio.run(polling())

    def fetch(self, *, hosts=None, timeouts=PATIENCE):
        async def fetching():
            async with self.provider(timeouts) as provider:
                await fetch(
                    BATCH,
                    self.context,
                    provider,
                    hosts=hosts or ResultHosts((), is_local=True),
                    timeouts=timeouts,
                )

        asyncio.run(fetching())

    @property
    def context(self):
        return StepContext(self.run_id, self.ledger, self.folder, self.clock)

    def provider(self, timeouts=PATIENCE):
        return Provider(self.url, KEY, timeouts=timeouts)

    @property
    def batch(self):
        return self.ledger.history.batch(BATCH)

    @property
    def state(self):
        return self.batch.state

    @property
    def attempts(self):
        return self.ledger.uploads.of_batch(BATCH)

    @property
    def way(self):
        """The states that the batch has gone through, by its events."""
        events = self.ledger.history.events(BATCH)
        assert [event.from_state for event in events] == [None, *(event.to_state for event in events[:-1])]
        return [event.to_state for event in events]

    @property
    def why(self):
        return self.ledger.history.events(BATCH)[-1].why

    @property
    def archive(self):
        return self.folder.raw_file(BATCH)

    @property
    def uploads(self):
        """How many uploads the far side has seen, whatever became of them."""
        return len([call for call in self.sandbox.calls if call.path == "/v1/tasks"])

    @property
    def downloads(self):
        return len([call for call in self.sandbox.calls if call.server == "storage"])

    def set(self, **values):
        """Put the batch somewhere, behind everybody's back."""
        names = ", ".join(f"{name} = ?" for name in values)
        with sqlite3.connect(self.ledger_file) as connection:
            connection.execute(f"UPDATE batches SET {names}", tuple(values.values()))  # noqa: S608 - our names
        connection.close()

    def bought_before(self, task_id):
        """An attempt of an earlier run is in the ledger, which ended in this task."""
        self.ledger.runs.opened("run-0", host="here", lease=timedelta(days=9))
        old = NewBatch("batch-0", 1, "")
        self.ledger.plans.planned(
            landed=[], new_batches=[old], links=[], task_type="tg_avatar", run_id="run-0"
        )
        then = f"{self.clock.now():%Y-%m-%d %H:%M:%S.%f}"
        values = ("attempt-0", "batch-0", "run-0", then, then, "accepted", task_id)
        with sqlite3.connect(self.ledger_file) as connection:
            connection.execute(
                "INSERT INTO attempts (attempt_id, batch_id, run_id, started_at, deadline, outcome, task_id) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        connection.close()

    def as_submitted(self, task_id="d4g24nep2jvh04o9uoh0"):
        self.set(state=SUBMITTED, task_id=task_id)
        return self


@contextmanager
def beside(bench, *chaos, charges=None, **options):
    """``bench`` against a sandbox that lives in its time; one charge at most, no leak, in every test."""
    options = SandboxOptions(**{"processing_seconds": 0, "chaos": chaos, "api_key": KEY} | options)
    with Sandbox(options, clock=bench.clock.seconds) as sandbox:
        bench.sandbox, bench.url = sandbox, sandbox.base_url
        yield bench
        assert len(sandbox.charges) <= 1
        assert charges is None or len(sandbox.charges) == charges
        assert sandbox.leaks == []


@contextmanager
def submitted(bench, *chaos, **options):
    """… and the batch is paid for already."""
    with beside(bench, *chaos, charges=1, **options):
        assert bench.submit() is SUBMITTED
        yield bench


def broken(*_, **__):
    raise LedgerError("The ledger cannot be used (disk I/O error).")
