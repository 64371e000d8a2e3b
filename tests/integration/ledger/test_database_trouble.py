"""Databases that go away, are busy or are stopped: a transition happens once and whole, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest

from ekyc_tasks.errors import LedgerCutOff, LedgerError
from ekyc_tasks.ledger import NewBatch, connect_ledger, engines
from ekyc_tasks.models import BatchState, Outcome, Reconciliation, UploadResult
from ekyc_tasks.money import NO_BUDGET

pytestmark = pytest.mark.integration

LONG = timedelta(hours=1)
COUNTS = Reconciliation(
    submitted=1, returned=1, accepted=1, unreadable=0, unexpected=0, duplicate=0, missing=0
)
PLANNED, SUBMITTING, SUBMITTED = BatchState.PLANNED, BatchState.SUBMITTING, BatchState.SUBMITTED
FETCHED, LOADED, HELD = BatchState.FETCHED, BatchState.LOADED, BatchState.HELD

on_a_server = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
in_a_file = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def ledger(url):
    with connect_ledger(url) as ledger:
        ledger.runs.opened("run", host="here", lease=LONG)
        yield ledger


def plan(ledger, *batch_ids, run_id="run"):
    ledger.plans.planned(
        landed=[],
        new_batches=[NewBatch(batch_id, 1, "0" * 64) for batch_id in batch_ids],
        links=[],
        task_type="tg_avatar",
        run_id=run_id,
    )


def intend(ledger, batch_id="batch"):
    return ledger.uploads.intended(
        uuid4().hex, batch_id, run_id="run", deadline=LONG, price=None, budget=NO_BUDGET, balance=None
    )


def accept(ledger, batch_id="batch"):
    [attempt] = ledger.uploads.of_batch(batch_id)
    result = UploadResult(Outcome.ACCEPTED, "created", 200, task_id=f"task-of-{batch_id}")
    return ledger.uploads.accepted(attempt.attempt_id, result, run_id="run")


def turn_down(ledger, batch_id="batch"):
    [attempt] = ledger.uploads.of_batch(batch_id)
    ledger.uploads.answered(attempt, UploadResult(Outcome.THROTTLED, "later", 429), to=PLANNED, why="later")


def told(ledger, batch_id="batch"):
    return [event.to_state for event in ledger.history.events(batch_id)]


# --- a server that crashes ----------------------------------------------------------------------------

# What is done, and what the history tells afterwards: each transition once.
REPEATABLE = {
    "planned": ([], plan, [PLANNED]),
    "intended": ([plan], intend, [PLANNED, SUBMITTING]),
    "accepted": ([plan, intend], accept, [PLANNED, SUBMITTING, SUBMITTED]),
    "answered": ([plan, intend], turn_down, [PLANNED, SUBMITTING, PLANNED]),
}


def cut_off(ledger, monkeypatch, crash, *, after_commit):
    """The connection breaks at the next commit: before it has arrived, or before its answer has."""
    dialect = ledger._store.engine.dialect
    commit = dialect.do_commit

    def commit_once(connection):
        monkeypatch.setattr(dialect, "do_commit", commit)
        if after_commit:
            commit(connection)
            connection.dbapi_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        crash()
        commit(connection)

    monkeypatch.setattr(dialect, "do_commit", commit_once)


@on_a_server
@pytest.mark.parametrize("after_commit", [False, True], ids=["lost", "arrived"])
@pytest.mark.parametrize("what", REPEATABLE)
def test_a_commit_that_nobody_answered_is_done_once(ledger, postgres, monkeypatch, what, after_commit):
    before, step, history = REPEATABLE[what]
    for each in before:
        each(ledger, "batch")
    cut_off(ledger, monkeypatch, postgres.restart, after_commit=after_commit)
    step(ledger, "batch")
    assert told(ledger) == history
    assert len(ledger.uploads.of_batch("batch")) == (0 if what == "planned" else 1)


@on_a_server
def test_an_intent_that_was_committed_is_known_as_ours(ledger, monkeypatch):
    plan(ledger, "batch")
    cut_off(ledger, monkeypatch, None, after_commit=True)
    attempt = intend(ledger)
    assert attempt == ledger.uploads.of_batch("batch")[0]


@on_a_server
def test_a_crash_in_the_middle_of_a_transaction_leaves_nothing_of_it(ledger, postgres):
    plan(ledger, "batch")
    store = ledger._store

    def crash_before_the_commit():
        with store.writing() as connection:
            store.move(connection, "batch", sources=[PLANNED], to=SUBMITTING, why="x", run_id="run")
            postgres.restart()

    with pytest.raises(LedgerCutOff, match="No change was written in part"):
        crash_before_the_commit()
    assert told(ledger) == [PLANNED]


@on_a_server
def test_a_server_that_is_restarting_is_waited_for(ledger, postgres):
    plan(ledger, "batch")
    postgres.stop()
    starting = threading.Timer(0.5, postgres.start)
    starting.start()
    try:
        assert intend(ledger) is not None
    finally:
        starting.join(60)
    assert told(ledger) == [PLANNED, SUBMITTING]


@on_a_server
def test_a_server_that_stays_away_ends_in_a_sentence(ledger, postgres, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.ledger.store._RECONNECT_SECONDS", 0.3)
    plan(ledger, "batch")
    postgres.stop()
    try:
        with pytest.raises(LedgerError, match=r"The ledger cannot be used .*\. Fix") as caught:
            intend(ledger)
    finally:
        postgres.start()
    assert "sesame" not in str(caught.value)
    assert told(ledger) == [PLANNED]


WAY = [
    (None, plan),
    (PLANNED, intend),
    (SUBMITTING, accept),
    (
        SUBMITTED,
        lambda ledger, batch_id: ledger.progress.fetched(
            batch_id, sha256="2" * 64, size=1, checked_at=datetime.now(UTC), run_id="run"
        ),
    ),
    (FETCHED, lambda ledger, batch_id: ledger.progress.loaded(batch_id, COUNTS, run_id="run")),
]


def push(ledger, batch_id):
    """As a run does: a step that failed looks where the batch is, and is done again if need be."""
    for source, step in WAY:
        while True:
            try:
                if source is None or ledger.history.batch(batch_id).state is source:
                    step(ledger, batch_id)
                break
            except LedgerError:
                continue


@on_a_server
def test_crashes_at_any_moment_leave_each_batch_with_one_attempt_and_a_whole_history(url, postgres, ledger):
    done = threading.Event()
    crashes = 0

    def crash_again_and_again():
        nonlocal crashes
        while crashes < 4 and not done.is_set():
            postgres.restart()
            crashes += 1

    batch_ids = [f"batch-{index:02}" for index in range(20)]
    crashing = threading.Thread(target=crash_again_and_again)
    crashing.start()
    with connect_ledger(url) as mine:
        for batch_id in batch_ids:
            push(mine, batch_id)
    done.set()
    crashing.join(120)
    assert crashes >= 1
    for batch_id in batch_ids:
        events = ledger.history.events(batch_id)
        assert [event.to_state for event in events] == [PLANNED, SUBMITTING, SUBMITTED, FETCHED, LOADED]
        assert all(after.from_state == before.to_state for before, after in pairwise(events))
        assert [attempt.task_id for attempt in ledger.uploads.of_batch(batch_id)] == [f"task-of-{batch_id}"]


# --- writers that stand in the way ----------------------------------------------------------------------


@on_a_server
def test_a_writer_that_is_stopped_in_its_transaction_does_not_stop_the_others(url, monkeypatch, ledger):
    plan(ledger, "batch")
    monkeypatch.setitem(engines._SESSION, "idle_in_transaction_session_timeout", "1s")

    def sleep_before_the_commit():
        with connect_ledger(url) as asleep, asleep._store.writing() as connection:
            asleep._store.move(connection, "batch", sources=[PLANNED], to=HELD, why="x", run_id="run")
            assert intend(ledger) is not None

    with pytest.raises(LedgerCutOff):
        sleep_before_the_commit()
    assert told(ledger) == [PLANNED, SUBMITTING]


@pytest.fixture
def held_lock(tmp_path, url):
    """Another process's write lock on the file, let go of when the event is set."""
    let_go, holds = threading.Event(), threading.Event()

    def hold():
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        holds.set()
        let_go.wait(30)
        other.execute("ROLLBACK")
        other.close()

    holding = threading.Thread(target=hold)
    holding.start()
    assert holds.wait(20)
    yield let_go
    let_go.set()
    holding.join(20)


@in_a_file
def test_a_busy_file_is_waited_for(ledger, request):
    plan(ledger, "batch")
    let_go = request.getfixturevalue("held_lock")
    soon = threading.Timer(1.5, let_go.set)
    soon.start()
    began = datetime.now(UTC)
    assert intend(ledger) is not None
    assert datetime.now(UTC) - began > timedelta(seconds=1)
    assert told(ledger) == [PLANNED, SUBMITTING]


@in_a_file
def test_a_file_that_stays_busy_ends_in_a_sentence(url, ledger, request):
    plan(ledger, "batch")
    request.getfixturevalue("held_lock")
    with (
        connect_ledger(f"{url}?timeout=0.2") as impatient,
        pytest.raises(LedgerError, match="database is locked"),
    ):
        intend(impatient)
    assert told(ledger) == [PLANNED]
