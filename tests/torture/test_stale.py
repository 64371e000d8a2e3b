"""A process that is stopped for longer than its lease, and wakes up: real signals, real uploads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import BatchState, Decision, Outcome
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.storage.paths import DataFolder

pytestmark = pytest.mark.integration

LONG = timedelta(hours=1)
NUMBERS = b"".join(b"+4179%07d\n" % index for index in range(150))
PLANNED, HELD, SUBMITTED = BatchState.PLANNED, BatchState.HELD, BatchState.SUBMITTED

# Uploads "batch" by the submit step. Between its intent and its first byte it says so and waits for a line.
UPLOADING = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.errors import EkycError
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.ledger import NewBatch, connect_ledger
from ekyc_tasks.provider import Provider
from ekyc_tasks.exchange.submit import UploadPolicy, submit

url, root, base_url, key, sha256 = sys.argv[1:]
folder = DataFolder(root=Path(root), landing=Path(root, "landing"), warehouse=Path(root, "warehouse"))

async def upload(ledger, run_id):
    async with Provider(base_url, key) as provider:
        return await submit("batch", StepContext(run_id, ledger, folder, SystemClock()), provider,
            policy=UploadPolicy(deadline=timedelta(minutes=1)), until=datetime.now(UTC))

lease = timedelta(seconds=3)
with connect_ledger(url) as ledger, run_lease(ledger, runs=folder.runs, lease=lease) as run_id:
    ledger.plans.planned(landed=[], new_batches=[NewBatch("batch", 150, sha256)], links=[],
        task_type="tg_avatar", run_id=run_id)
    still_owns = ledger.runs.still_owns
    def asked(*arguments):
        print("about to send", flush=True)
        sys.stdin.readline()
        return still_owns(*arguments)
    ledger.runs.still_owns = asked
    try:
        print(asyncio.run(upload(ledger, run_id)), flush=True)
    except EkycError as error:
        print(type(error).__name__, flush=True)
    print(ledger.history.batch("batch").state, flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    folder = DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")
    folder.batches.mkdir(parents=True)
    folder.batch_file("batch").write_bytes(NUMBERS)
    return folder


class Sleeper:
    """The uploading process, and its signals."""

    def __init__(self, process):
        self._process = process
        assert self.line() == "about to send"

    def line(self):
        return self._process.stdout.readline().strip()

    def go_on(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def sleep(self, ledger):
        """Until its lease is over. Not in the middle of writing, which would stop everybody else too."""
        with ledger._store.writing():
            os.kill(self._process.pid, signal.SIGSTOP)
        until(lambda: not ledger.runs.alive())

    def wake_up(self):
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def uploading(url, folder, sandbox):
    digest = sha256(NUMBERS).hexdigest()
    arguments = [url, str(folder.root), sandbox.base_url, sandbox.api_key, digest]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", UPLOADING, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Sleeper(process)
        finally:
            process.kill()


def until(condition, *, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def told(ledger):
    return [(event.to_state, event.run_id) for event in ledger.history.events("batch")]


def outcomes(ledger):
    return [attempt.outcome for attempt in ledger.uploads.of_batch("batch")]


def resubmit(ledger):
    assert ledger.decisions.resubmitted("batch", sources=[HELD], why=f"me: {Decision.RESUBMIT}")


def intend(ledger, run_id):
    return ledger.uploads.intended(
        uuid4().hex, "batch", run_id=run_id, deadline=LONG, price=None, budget=NO_BUDGET, balance=None
    )


def test_stopped_before_the_first_byte_it_sends_nothing_and_notes_only_its_attempt(url, folder):
    with (
        Sandbox(SandboxOptions()) as sandbox,
        connect_ledger(url) as ledger,
        uploading(url, folder, sandbox) as sleeper,
    ):
        sleeper.sleep(ledger)
        with run_lease(ledger, runs=folder.runs, lease=LONG) as run_id:
            assert ledger.runs.left_behind(run_id) == ["batch"]
            before = ledger.history.batch("batch"), told(ledger)
            sleeper.wake_up()
            sleeper.go_on()
            assert [sleeper.line(), sleeper.line()] == ["LeaseLost", "held"]
            assert (ledger.history.batch("batch"), told(ledger)) == before
            assert outcomes(ledger) == [Outcome.NOT_SENT]
            assert sandbox.charges == []
            # Its own word is enough for the next run: nothing was sent, so nobody has to decide.
            assert ledger.runs.unsent(run_id) == ["batch"]
            assert ledger.runs.claimed(run_id) == ["batch"]
            assert intend(ledger, run_id)


def test_stopped_before_the_first_byte_it_leaves_a_batch_alone_that_somebody_decided(url, folder):
    with (
        Sandbox(SandboxOptions()) as sandbox,
        connect_ledger(url) as ledger,
        uploading(url, folder, sandbox) as sleeper,
    ):
        sleeper.sleep(ledger)
        with run_lease(ledger, runs=folder.runs, lease=LONG) as run_id:
            ledger.runs.left_behind(run_id)
            resubmit(ledger)
            ledger.runs.claimed(run_id)
            assert intend(ledger, run_id)
            before = ledger.history.batch("batch"), told(ledger)
            sleeper.wake_up()
            sleeper.go_on()
            assert [sleeper.line(), sleeper.line()] == ["LeaseLost", "submitting"]
            assert (ledger.history.batch("batch"), told(ledger)) == before
            assert outcomes(ledger) == [Outcome.NOT_SENT, None]
            assert sandbox.charges == []
            assert ledger.runs.unsent(run_id) == []


def test_stopped_before_the_first_byte_and_missed_by_nobody_it_does_not_hold_its_batch(url, folder):
    """Its own thread may renew the lease first: then it uploads, for the batch is still its own."""
    with (
        Sandbox(SandboxOptions()) as sandbox,
        connect_ledger(url) as ledger,
        uploading(url, folder, sandbox) as sleeper,
    ):
        sleeper.sleep(ledger)
        sleeper.wake_up()
        sleeper.go_on()
        ended = sleeper.line(), sleeper.line()
        assert ended in {("submitted", "submitted"), ("NotAccepted", "planned")}
        assert len(sandbox.charges) == (1 if ended[1] == "submitted" else 0)


def test_stopped_during_the_upload_its_late_task_id_is_kept(url, folder):
    with (
        Sandbox(SandboxOptions(chaos=("create:1=slow",), slow_seconds=5)) as sandbox,
        connect_ledger(url) as ledger,
        uploading(url, folder, sandbox) as sleeper,
    ):
        sleeper.go_on()
        until(lambda: sandbox.charges)
        sleeper.sleep(ledger)
        with run_lease(ledger, runs=folder.runs, lease=LONG) as run_id:
            assert ledger.runs.left_behind(run_id) == ["batch"]
            sleeper.wake_up()
            assert [sleeper.line(), sleeper.line()] == ["submitted", "submitted"]
            batch = ledger.history.batch("batch")
            assert batch.task_id == sandbox.charges[0].task_id
            assert outcomes(ledger) == [Outcome.ACCEPTED]
            assert len(sandbox.charges) == 1
