"""The submit step: what an upload's answer leads to, and what is on disk before and after it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from support.batch_fixture import (
    BATCH,
    HELD,
    HOUR,
    NUMBERS,
    PLANNED,
    REFUSED,
    RUN,
    SUBMITTED,
    SUBMITTING,
    beside,
    broken,
)
from support.raw_server import RawServer, as_json, http, read_request, unused_port

from ekyc_tasks.errors import (
    AccessDenied,
    InputError,
    LeaseLost,
    LedgerError,
    NoMoney,
    NotAccepted,
    PersonNeeded,
)
from ekyc_tasks.exchange import spool
from ekyc_tasks.ledger import NewBatch
from ekyc_tasks.models import BatchState, Outcome
from ekyc_tasks.money import Budget

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


# ---------------------------------------------------------------- submit: the outcome table

FREE, CHARGED = 0, 1
TABLE = [  # the trouble, and then: state, outcome, HTTP status, error, charges
    ("429", PLANNED, Outcome.THROTTLED, 429, NotAccepted, FREE),
    ("429_bare", PLANNED, Outcome.THROTTLED, 429, NotAccepted, FREE),
    ("500", PLANNED, Outcome.SERVER_ERROR, 500, NotAccepted, FREE),
    ("400", REFUSED, Outcome.REFUSED, 400, None, FREE),
    ("413", REFUSED, Outcome.REFUSED, 413, None, FREE),
    ("422", REFUSED, Outcome.REFUSED, 422, None, FREE),
    ("401", PLANNED, Outcome.ACCESS_DENIED, 401, AccessDenied, FREE),
    ("403", PLANNED, Outcome.ACCESS_DENIED, 403, AccessDenied, FREE),
    ("404", PLANNED, Outcome.ACCESS_DENIED, 404, AccessDenied, FREE),
    ("405", PLANNED, Outcome.ACCESS_DENIED, 405, AccessDenied, FREE),
    ("402", PLANNED, Outcome.NO_MONEY, 402, NoMoney, FREE),
    ("slow", SUBMITTED, Outcome.ACCEPTED, 200, None, CHARGED),
    ("202", SUBMITTED, Outcome.ACCEPTED, 202, None, CHARGED),
    ("408", HELD, Outcome.UNKNOWN, 408, None, FREE),
    ("409", HELD, Outcome.UNKNOWN, 409, None, FREE),
    ("410", HELD, Outcome.UNKNOWN, 410, None, FREE),
    ("502", HELD, Outcome.UNKNOWN, 502, None, FREE),
    ("503", HELD, Outcome.UNKNOWN, 503, None, FREE),
    ("504", HELD, Outcome.UNKNOWN, 504, None, FREE),
    ("504_after", HELD, Outcome.UNKNOWN, 504, None, CHARGED),
    ("500_after", HELD, Outcome.UNKNOWN, 500, None, CHARGED),
    ("redirect", HELD, Outcome.UNKNOWN, 307, None, FREE),
    ("html", HELD, Outcome.UNKNOWN, 200, None, CHARGED),
    ("empty", HELD, Outcome.UNKNOWN, 200, None, CHARGED),
    ("no_task_id", HELD, Outcome.UNKNOWN, 200, None, CHARGED),
    ("cut", HELD, Outcome.UNKNOWN, None, None, FREE),
    ("reset_before", HELD, Outcome.UNKNOWN, None, None, FREE),
    ("reset_after", HELD, Outcome.UNKNOWN, None, None, CHARGED),
    ("stall_before", HELD, Outcome.UNKNOWN, None, None, FREE),
    ("stall_after", HELD, Outcome.UNKNOWN, None, None, CHARGED),
]


def until_it_stalls(trouble):
    """A deadline that is soon over where nothing comes, and never in the way elsewhere."""
    return 3.0 if trouble.startswith("stall") else 30.0


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_outcome_of_an_upload_leads_where_the_design_says(bench, row):
    trouble, state, outcome, status, error, charges = row
    deadline = until_it_stalls(trouble)
    with beside(bench, f"create:1={trouble}", slow_seconds=0.1):
        if error is None:
            assert bench.submit(deadline=deadline) is state
        else:
            with pytest.raises(error) as caught:
                bench.submit(deadline=deadline)
            assert type(caught.value) is error
            assert f"Batch {BATCH} stays planned" in str(caught.value)
        assert bench.state is state
        assert bench.way == [PLANNED, SUBMITTING, state]
        (attempt,) = bench.attempts
        assert (attempt.outcome, attempt.http_status, attempt.run_id) == (outcome, status, RUN)
        assert (attempt.balance_before, attempt.used_before) == ("100.0", "0.0")
        assert attempt.ended_at is not None
        assert attempt.words
        assert bench.why.startswith(attempt.words) or state is SUBMITTED
        assert (attempt.task_id is not None) == (state is SUBMITTED)
        assert (bench.uploads, len(bench.sandbox.charges)) == (1, charges)

        # What is not PLANNED is never sent again, however often somebody asks.
        if state is not PLANNED:
            assert bench.submit() is state
            assert bench.uploads == 1
        else:
            bench.clock.advance(60)
            assert bench.submit() is SUBMITTED


@pytest.mark.parametrize("trouble", ["reset_after", "reset_before", "504_after", "stall_after", "html"])
def test_held_batch_keeps_the_balance_before_and_after_as_evidence(bench, trouble):
    with beside(bench, f"create:1={trouble}"):
        assert bench.submit(deadline=until_it_stalls(trouble)) is HELD
        (attempt,) = bench.attempts
        assert (attempt.balance_before, attempt.used_before) == ("100.0", "0.0")
        was_charged = len(bench.sandbox.charges) == 1
        expected = ("99.91", "0.09") if was_charged else ("100.0", "0.0")
        assert (attempt.balance_after, attempt.used_after) == expected
        assert attempt.looked_at == bench.clock.now()


def test_accepted_batch_knows_its_task_and_what_was_sent(bench):
    with beside(bench, charges=1):
        assert bench.submit(price_per_10k=Decimal("4.50")) is SUBMITTED
        (task,) = bench.sandbox.tasks
        assert (bench.batch.task_id, bench.batch.submitted_at) == (task.task_id, bench.clock.now())
        assert task.numbers == set(NUMBERS)
        (attempt,) = bench.attempts
        assert (attempt.task_id, attempt.price) == (task.task_id, Decimal("0.09"))
        assert attempt.deadline == attempt.started_at + timedelta(seconds=30)
        assert list(bench.folder.spool.iterdir()) == []


def test_nothing_sent_is_planned_and_may_be_tried_again(bench):
    bench.url = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(NotAccepted, match="could not be reached"):
        bench.submit()
    assert bench.way == [PLANNED, SUBMITTING, PLANNED]
    assert (bench.attempts[0].outcome, bench.attempts[0].http_status) == (Outcome.NOT_SENT, None)
    with beside(bench, charges=1):
        assert bench.submit() is SUBMITTED


def test_refusal_keeps_the_provider_s_words(bench):
    with beside(bench, minimum=500, charges=0):
        assert bench.submit() is REFUSED
    assert "only 150 compliant numbers remain for tg_avatar, which is less than the minimum 500" in bench.why


# ---------------------------------------------------------------- submit: 500 is free, to a point


def test_third_500_in_a_batch_s_life_holds_it(bench):
    with beside(bench, "create:1-3=500", charges=0):
        for _ in range(2):
            with pytest.raises(NotAccepted):
                bench.submit()
        assert bench.submit() is HELD
        assert bench.batch.server_errors == 3
        assert "this happened 3 times" in bench.why
        assert bench.submit() is HELD
        assert bench.uploads == 3


def test_other_trouble_between_does_not_make_500s_forgotten(bench):
    with beside(bench, "create:1=500,create:2=429,create:3=500,create:4=429,create:5=500", charges=0):
        for _ in range(4):
            with pytest.raises(NotAccepted):
                bench.submit()
        assert bench.submit() is HELD


def test_500_with_a_moved_balance_holds_at_once(bench):
    with beside(bench, "create:1=500_after", charges=1):
        assert bench.submit() is HELD
    assert "the balance has changed" in bench.why
    assert (bench.attempts[0].balance_after, bench.attempts[0].used_after) == ("99.91", "0.09")


def test_500_may_be_told_to_hold(bench):
    with beside(bench, "create:1=500", charges=0):
        assert bench.submit(hold_on_500=True) is HELD
    assert "ON_500" in bench.why


def test_500_is_free_where_no_balance_is_offered(bench):
    with beside(bench, "create:1=500", offers_balance=False, charges=0), pytest.raises(NotAccepted):
        bench.submit()
    assert (bench.state, bench.attempts[0].balance_before) == (PLANNED, None)


def test_a_balance_that_no_account_holds_is_none(bench):
    """A column takes 50 characters, and half an amount would be a wrong one."""
    answer = http(200, as_json({"balance": "1" * 300, "used_today": "2" * 300}))
    with RawServer(answer, http(502), answer) as server:
        bench.url = server.url
        assert bench.submit() is HELD
    (attempt,) = bench.attempts
    assert (attempt.balance_before, attempt.used_before, attempt.balance_after) == (None, None, None)


# ---------------------------------------------------------------- submit: intent, spool, ledger


def test_intent_is_committed_before_the_first_byte(bench):
    seen = []

    def answer(connection):  # the client has connected, nothing of it was read yet
        with sqlite3.connect(bench.ledger_file) as ledger:
            seen.extend(ledger.execute("SELECT state FROM batches"))
            seen.extend(ledger.execute("SELECT batch_id, run_id, outcome, task_id FROM attempts"))
        ledger.close()
        read_request(connection)
        connection.sendall(http(200, as_json({"task_id": "t1"})))

    with RawServer(http(404), answer) as server:
        bench.url = server.url
        assert bench.submit() is SUBMITTED
    assert seen == [("submitting",), (BATCH, RUN, None, None)]


def test_answer_is_on_disk_before_the_ledger_hears_of_it(bench, monkeypatch):
    accepted = bench.ledger.uploads.accepted
    spooled = []

    def watching(attempt_id, *arguments, **options):
        file = bench.folder.spool_file(attempt_id)
        spooled.append((file.read_text(), file.stat().st_mode & 0o777))
        return accepted(attempt_id, *arguments, **options)

    monkeypatch.setattr(bench.ledger.uploads, "accepted", watching)
    with beside(bench, charges=1):
        assert bench.submit() is SUBMITTED
    ((text, mode),) = spooled
    assert bench.batch.task_id in text
    assert mode == 0o600


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_task_id_comes_home_when_the_ledger_failed_at_that_moment(bench, monkeypatch):
    with beside(bench, charges=1):
        with monkeypatch.context() as patch:
            patch.setattr(bench.ledger.uploads, "accepted", broken)
            with pytest.raises(LedgerError):
                bench.submit()
        assert bench.state is SUBMITTING
        assert bench.submit() is SUBMITTING  # a retry starts nothing
        assert spool.bring_home(bench.folder, bench.ledger, run_id="run-2") == 1
        assert bench.way == [PLANNED, SUBMITTING, SUBMITTED]
        assert bench.batch.task_id == bench.sandbox.tasks[0].task_id
        assert bench.attempts[0].outcome is Outcome.ACCEPTED
        assert list(bench.folder.spool.iterdir()) == []
        assert spool.bring_home(bench.folder, bench.ledger, run_id="run-2") == 0


def test_task_id_comes_home_even_after_the_batch_was_held(bench, monkeypatch):
    with beside(bench, charges=1):
        with monkeypatch.context() as patch:
            patch.setattr(bench.ledger.uploads, "accepted", broken)
            with pytest.raises(LedgerError):
                bench.submit()
        bench.ledger.runs.ended(RUN)
        assert bench.ledger.runs.left_behind("run-2") == [BATCH]
        assert bench.state is HELD
        spool.bring_home(bench.folder, bench.ledger, run_id="run-2")
        assert bench.way == [PLANNED, SUBMITTING, HELD, SUBMITTED]


def test_task_id_reaches_the_ledger_when_the_spool_cannot_be_written(bench, monkeypatch):
    monkeypatch.setattr(spool, "keep", full)
    with beside(bench, charges=1):
        assert bench.submit() is SUBMITTED
        assert bench.batch.task_id == bench.sandbox.tasks[0].task_id


def test_task_id_is_told_to_the_person_when_nothing_can_be_written(bench, monkeypatch):
    monkeypatch.setattr(spool, "keep", full)
    monkeypatch.setattr(bench.ledger.uploads, "accepted", broken)
    with beside(bench, charges=1):
        with pytest.raises(PersonNeeded) as caught:  # not LedgerError: a retry would lose the sentence
            bench.submit()
        assert f"resolve {BATCH} adopt {bench.sandbox.tasks[0].task_id}" in str(caught.value)


@pytest.mark.parametrize("state", [state for state in BatchState if state is not PLANNED])
def test_only_a_planned_batch_is_ever_sent(bench, state):
    bench.set(state=state)
    with beside(bench, charges=0):
        assert bench.submit() is state
        assert bench.sandbox.calls == []
    assert bench.attempts == []


def test_task_id_of_another_batch_says_nothing_about_this_one(bench):
    bench.ledger.plans.planned(
        landed=[], new_batches=[NewBatch("other", 1, "")], links=[], task_type="tg_avatar", run_id=RUN
    )
    with bench.ledger._store.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE batches SET task_id = 'd4g8o46p2jvh04o9uolg' WHERE batch_id = 'other'"
        )
    answer = http(200, as_json({"task_id": "d4g8o46p2jvh04o9uolg", "status": "pending"}))
    with RawServer(http(404), answer) as server:
        bench.url = server.url
        assert bench.submit() is HELD
    assert (bench.batch.task_id, bench.attempts[0].outcome) == (None, Outcome.UNKNOWN)
    assert "which belongs to batch other" in bench.why


def test_two_at_once_send_once(bench):
    async def both():
        return await asyncio.gather(bench.submitting(), bench.submitting())

    with beside(bench, "create:1=slow", slow_seconds=2, charges=1):
        assert sorted(asyncio.run(both())) == sorted([SUBMITTING, SUBMITTED])
        assert bench.uploads == 1


def test_batch_of_another_run_is_left_alone(bench):
    bench.run_id = "run-2"
    bench.ledger.runs.opened("run-2", host="there", lease=HOUR)
    with beside(bench, charges=0):
        with pytest.raises(LeaseLost):
            bench.submit()
        assert bench.uploads == 0
    assert (bench.state, bench.attempts) == (PLANNED, [])


def test_run_that_slept_longer_than_its_lease_sends_nothing(bench):
    bench.clock.advance(10 * 24 * 3600)
    with beside(bench, charges=0):
        with pytest.raises(NotAccepted, match="inactive for longer than its lease"):
            bench.submit()
        assert bench.uploads == 0
    assert (bench.state, [attempt.outcome for attempt in bench.attempts]) == (PLANNED, [Outcome.NOT_SENT])


def sleeping(bench, monkeypatch, then):
    """Right before the lease is looked at again, ``then`` happens."""
    still_owns = bench.ledger.runs.still_owns

    def asked(run_id, batch_id):
        then()
        return still_owns(run_id, batch_id)

    monkeypatch.setattr(bench.ledger.runs, "still_owns", asked)


def test_run_that_slept_while_another_held_its_batch_leaves_evidence_only(bench, monkeypatch):
    def another_run():
        bench.clock.advance(10 * 24 * 3600)
        bench.ledger.runs.opened("run-2", host="there", lease=HOUR)
        assert bench.ledger.runs.left_behind("run-2") == [BATCH]

    sleeping(bench, monkeypatch, another_run)
    with beside(bench, charges=0):
        with pytest.raises(LeaseLost, match="now held"):
            bench.submit()
        assert bench.uploads == 0
    assert (bench.state, [attempt.outcome for attempt in bench.attempts]) == (HELD, [Outcome.NOT_SENT])
    assert bench.ledger.runs.unsent("run-2") == [BATCH]
    assert bench.state is PLANNED


def test_run_that_slept_past_the_deadline_of_its_upload_sends_nothing(bench, monkeypatch):
    """Whoever resubmits after the deadline may rely on it, be the lease renewed or not."""
    now = bench.ledger.now
    monkeypatch.setattr(bench.ledger, "now", lambda: now() + timedelta(seconds=6))
    with beside(bench, charges=0):
        with pytest.raises(NotAccepted):
            bench.submit(deadline=5)
        assert bench.uploads == 0
    assert bench.state is PLANNED


def test_ledger_that_is_away_right_before_the_upload_sends_nothing(bench, monkeypatch):
    def away():
        raise LedgerError("The ledger cannot be used (gone).")

    sleeping(bench, monkeypatch, away)
    with beside(bench, charges=0):
        with pytest.raises(NotAccepted, match="the ledger could not be reached"):
            bench.submit()
        assert bench.uploads == 0
    assert (bench.state, [attempt.outcome for attempt in bench.attempts]) == (PLANNED, [Outcome.NOT_SENT])


# ---------------------------------------------------------------- submit: cancelled


async def cancelled_once(bench, moment):
    """Cancel the submission as soon as ``moment`` has come (in another thread)."""
    task = asyncio.create_task(bench.submitting(deadline=30))
    assert await asyncio.to_thread(moment.wait, 60)
    await asyncio.sleep(0.05)
    task.cancel()
    await task


@contextmanager
def stalling_upload(bench):
    """A far side that takes an upload in and says nothing; the event is set once it has arrived."""
    arrived, finished = threading.Event(), threading.Event()

    def answer(connection):
        read_request(connection)
        arrived.set()
        finished.wait(60)

    with RawServer(http(404), answer, http(404)) as server:
        bench.url = server.url
        try:
            yield arrived
        finally:
            finished.set()


def test_upload_cancelled_midway_is_held_and_the_cancellation_goes_on(bench):
    with stalling_upload(bench) as arrived, pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_once(bench, arrived))
    assert bench.way == [PLANNED, SUBMITTING, HELD]
    assert "interrupted" in bench.why
    assert bench.attempts[0].outcome is Outcome.UNKNOWN


def test_upload_cancelled_midway_is_held_later_when_the_ledger_fails_too(bench, monkeypatch):
    monkeypatch.setattr(bench.ledger.uploads, "answered", broken)
    with stalling_upload(bench) as arrived, pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_once(bench, arrived))
    assert bench.state is SUBMITTING
    bench.ledger.runs.ended(RUN)
    assert bench.ledger.runs.left_behind("run-2") == [BATCH]
    assert bench.state is HELD


# ---------------------------------------------------------------- submit: before anything is sent


def changed(file):
    file.write_bytes(file.read_bytes() + b"+41790000999\n")


def replaced_by_a_folder(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("happens", [changed, lambda file: file.unlink(), replaced_by_a_folder])
def test_file_that_is_not_what_was_planned_is_not_sent(bench, happens):
    happens(bench.file)
    with beside(bench, charges=0):
        with pytest.raises(InputError) as caught:
            bench.submit()
        assert bench.sandbox.calls == []
    assert str(bench.file) in str(caught.value)
    assert bench.way == [PLANNED]


def test_budget_is_reserved_before_anything_is_sent(bench):
    with beside(bench, charges=0):
        with pytest.raises(NoMoney, match="budget of this run"):
            bench.submit(price_per_10k=Decimal("4.50"), budget=Budget(run=Decimal("0.08")))
        assert bench.uploads == 0
        assert (bench.way, bench.attempts) == ([PLANNED], [])


def test_a_balance_that_does_not_cover_an_upload_stops_it_before_anything_is_sent(bench):
    with beside(bench, balance=0.08, charges=0):
        with pytest.raises(NoMoney, match=r"the balance is 0\.08"):
            bench.submit(price_per_10k=Decimal("4.50"))
        assert bench.uploads == 0
        assert (bench.way, bench.attempts) == ([PLANNED], [])


@pytest.mark.parametrize(("kind", "pause"), [("429", 7), ("429_bare", 10)])
def test_provider_that_asks_for_a_pause_gets_it(bench, kind, pause):
    with beside(bench, f"create:1={kind}", retry_after=7, charges=1):
        with pytest.raises(NotAccepted) as caught:
            bench.submit()
        assert caught.value.retry_after == (7 if kind == "429" else None)
        assert bench.batch.not_before == bench.clock.now() + timedelta(seconds=pause)
        assert bench.submit() is SUBMITTED
        assert bench.clock.naps == [pause]
        assert bench.batch.not_before is None


def test_pause_beyond_the_end_of_the_run_is_left_to_the_next(bench):
    with beside(bench, "create:1=429", retry_after=7200, charges=0):
        for _ in range(2):
            with pytest.raises(NotAccepted, match="stays planned"):
                bench.submit()
        assert bench.uploads == 1
        assert bench.clock.naps == []


def test_date_beyond_the_calendar_does_not_lose_the_answer(bench):
    answer = http(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")
    with RawServer(http(404), answer) as server:
        bench.url = server.url
        with pytest.raises(NotAccepted):
            bench.submit()
    assert bench.way == [PLANNED, SUBMITTING, PLANNED]
