"""A run's lease and its lock, with real processes that are killed and stopped."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.ledger import NewBatch, connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.runs.lease import end_dead_runs, run_lease, this_machine
from ekyc_tasks.support.atomic_files import try_lock

pytestmark = pytest.mark.integration

LONG = timedelta(hours=1)

# Begins a run, commits the intent to upload "sent", says so, and never gets further.
UPLOADING = """
import sys
from datetime import timedelta
from pathlib import Path
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.ledger import NewBatch, connect_ledger
from ekyc_tasks.money import NO_BUDGET
url, runs, seconds = sys.argv[1:]
with connect_ledger(url) as ledger:
    with run_lease(ledger, runs=Path(runs), lease=timedelta(seconds=float(seconds))) as run_id:
        ledger.plans.planned(
            landed=[], new_batches=[NewBatch("sent", 1, "0" * 64), NewBatch("unsent", 1, "0" * 64)],
            links=[], task_type="tg_avatar", run_id=run_id)
        ledger.uploads.intended(
            f"sent by {run_id}", "sent",
            run_id=run_id, deadline=timedelta(0), price=None, budget=NO_BUDGET, balance=None)
        print(run_id, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def runs(tmp_path):
    return tmp_path / ".runs"


@contextmanager
def uploading(url, runs, *, lease):
    """A process in the middle of an upload, and its run's id."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", UPLOADING, url, str(runs), str(lease.total_seconds())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def states(ledger):
    return {batch.batch_id: batch.state.value for batch in ledger.history.batches()}


def alive(ledger):
    return [run.run_id for run in ledger.runs.alive()]


def seconds_passed(ledger, *, until, timeout=60.0):
    """Real time, for the lease of a process that is not ours to tell the time."""
    deadline = time.monotonic() + timeout
    while not until() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert until()


def test_the_lease_of_a_killed_process_ends_at_once(url, runs):
    with uploading(url, runs, lease=LONG) as (process, killed), connect_ledger(url) as ledger:
        assert alive(ledger) == [killed]
        process.kill()
        process.wait(20)
        with run_lease(ledger, runs=runs, lease=LONG) as run_id:
            assert alive(ledger) == [run_id]
            assert ledger.runs.left_behind(run_id) == ["sent"]
            assert ledger.runs.claimed(run_id) == ["unsent"]
            assert states(ledger) == {"sent": "held", "unsent": "planned"}
            assert [path.stem for path in runs.iterdir()] == [run_id]


def test_what_a_living_process_uploads_is_left_alone(url, runs):
    with (
        uploading(url, runs, lease=LONG) as (_, other),
        connect_ledger(url) as ledger,
        run_lease(ledger, runs=runs, lease=LONG) as run_id,
    ):
        assert sorted(alive(ledger)) == sorted([other, run_id])
        assert ledger.runs.left_behind(run_id) == []
        assert ledger.runs.claimed(run_id) == []
        assert states(ledger) == {"sent": "submitting", "unsent": "planned"}


def test_a_stopped_process_keeps_its_lock_but_loses_its_lease(url, runs):
    with (
        uploading(url, runs, lease=timedelta(seconds=3)) as (process, stopped),
        connect_ledger(url) as ledger,
    ):
        os.kill(process.pid, signal.SIGSTOP)
        seconds_passed(ledger, until=lambda: not alive(ledger))
        assert try_lock(runs / f"{stopped}.lock") is None
        with run_lease(ledger, runs=runs, lease=LONG) as run_id:
            assert ledger.runs.left_behind(run_id) == ["sent"]
            assert ledger.runs.claimed(run_id) == ["unsent"]
            # Awake again it renews its lease, and still owns nothing that it may send.
            os.kill(process.pid, signal.SIGCONT)
            seconds_passed(ledger, until=lambda: stopped in alive(ledger))
            assert [ledger.runs.still_owns(stopped, batch) for batch in ("sent", "unsent")] == [False, False]


def test_a_lease_is_renewed_for_as_long_as_the_run_lasts(url, runs):
    with (
        connect_ledger(url) as ledger,
        run_lease(ledger, runs=runs, lease=timedelta(seconds=3)) as run_id,
    ):
        began = ledger.runs.alive()[0].lease_until
        seconds_passed(ledger, until=lambda: datetime.now(UTC) > began)
        assert alive(ledger) == [run_id]
        assert ledger.runs.alive()[0].lease_until > began


@pytest.mark.parametrize("error", [None, LedgerError("trouble"), KeyboardInterrupt()], ids=repr)
def test_a_run_ends_its_lease_however_it_ends(url, runs, error):
    with connect_ledger(url) as ledger:
        with (
            pytest.raises(type(error)) if error else nullcontext(),
            run_lease(ledger, runs=runs, lease=LONG) as run_id,
        ):
            assert alive(ledger) == [run_id]
            if error is not None:
                raise error
        assert alive(ledger) == []
        assert list(runs.iterdir()) == []


def test_a_ledger_that_is_locked_for_a_moment_does_not_end_the_renewal(url, runs, caplog, monkeypatch):
    with connect_ledger(url) as ledger:
        renewals = []

        def renewed(run_id, *, lease):
            renewals.append(run_id)
            if len(renewals) == 1:
                raise LedgerError("The ledger cannot be used (database is locked).")

        monkeypatch.setattr(ledger.runs, "renewed", renewed)
        with run_lease(ledger, runs=runs, lease=timedelta(seconds=1)):
            seconds_passed(ledger, until=lambda: len(renewals) > 2)
    assert "database is locked" in caplog.text


def test_a_lease_that_cannot_begin_leaves_no_lock(url, runs, monkeypatch):
    with connect_ledger(url) as ledger:
        monkeypatch.setattr(ledger.runs, "opened", opened_in_vain)
        with pytest.raises(LedgerError), run_lease(ledger, runs=runs, lease=LONG):
            raise AssertionError("there is no lease")
        assert list(runs.iterdir()) == []


def opened_in_vain(*_, **__):
    raise LedgerError("The ledger cannot be used (disk full).")


@pytest.mark.parametrize(
    ("host", "has_file"),
    [
        ("elsewhere", True),
        (socket.gethostname(), True),  # another machine of the same name, in the same folder
        (this_machine(), False),
    ],
)
def test_runs_that_this_machine_cannot_judge_keep_their_lease(url, runs, host, has_file):
    """Another machine's run is not locked here; without a lock file, the lease says how long it lives."""
    runs.mkdir()
    with connect_ledger(url) as ledger:
        ledger.runs.opened("far", host=host, lease=LONG)
        if has_file:
            (runs / "far.lock").touch()
        end_dead_runs(ledger, runs)
        assert alive(ledger) == ["far"]


def test_a_second_run_takes_over_what_the_first_left_planned(url, runs):
    with connect_ledger(url) as ledger:
        with run_lease(ledger, runs=runs, lease=LONG) as first:
            ledger.plans.planned(
                landed=[],
                new_batches=[NewBatch("batch", 1, "0" * 64)],
                links=[],
                task_type="tg_avatar",
                run_id=first,
            )
        with run_lease(ledger, runs=runs, lease=LONG) as second:
            assert first != second
            assert ledger.runs.claimed(second) == ["batch"]
            assert ledger.uploads.intended(
                uuid4().hex, "batch", run_id=second, deadline=LONG, price=None, budget=NO_BUDGET, balance=None
            )
            assert ledger.history.batch("batch").state is BatchState.SUBMITTING


def test_a_run_holds_the_lock_of_its_file(url, runs):
    with connect_ledger(url) as ledger, run_lease(ledger, runs=runs, lease=LONG) as run_id:
        with (runs / f"{run_id}.lock").open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert (runs / f"{run_id}.lock").stat().st_mode & 0o777 == 0o600
