"""submit, poll and fetch over real sockets and a real ledger; only the time is made up."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from archive_files import DOCUMENTED, zip_bytes
from bench import (
    BATCH,
    FAILED,
    FETCHED,
    HELD,
    HOUR,
    IMPATIENCE,
    KEY,
    NUMBERS,
    PATIENCE,
    PLANNED,
    REFUSED,
    RUN,
    SUBMITTED,
    SUBMITTING,
    beside,
    submitted,
)
from support import FakeClock, RawServer, as_json, http, read_request, unused_port

from ekyc_tasks import spool
from ekyc_tasks.errors import (
    AccessDenied,
    ConfigurationError,
    DownloadIncomplete,
    InputError,
    LeaseLost,
    LedgerError,
    LinkExpired,
    NoMoney,
    NotAccepted,
    PersonNeeded,
    ProviderTrouble,
    ResultHostRefused,
)
from ekyc_tasks.ledger import NewBatch
from ekyc_tasks.models import BatchState, Outcome
from ekyc_tasks.money import Budget
from ekyc_tasks.provider import ResultHosts
from ekyc_tasks.report import evidence, status_document
from ekyc_tasks.steps.explain import explain

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
    return 0.5 if trouble.startswith("stall") else 20.0


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
        assert attempt.deadline == attempt.started_at + timedelta(seconds=5)
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
        assert "third" in bench.why or "3rd" in bench.why
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
    assert "the balance moved" in bench.why
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


def broken(*_, **__):
    raise LedgerError("The ledger cannot be used (disk I/O error).")


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
    assert "which is batch other" in bench.why


def test_two_at_once_send_once(bench):
    async def both():
        return await asyncio.gather(bench.submitting(), bench.submitting())

    with beside(bench, "create:1=slow", slow_seconds=0.2, charges=1):
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
        with pytest.raises(NotAccepted, match="slept longer than its lease"):
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
        with pytest.raises(LeaseLost, match="held by now"):
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
        with pytest.raises(NotAccepted, match="the ledger was away"):
            bench.submit()
        assert bench.uploads == 0
    assert (bench.state, [attempt.outcome for attempt in bench.attempts]) == (PLANNED, [Outcome.NOT_SENT])


# ---------------------------------------------------------------- submit: cancelled


async def cancelled_once(bench, moment):
    """Cancel the submission as soon as ``moment`` has come (in another thread)."""
    task = asyncio.create_task(bench.submitting(deadline=30))
    assert await asyncio.to_thread(moment.wait, 10)
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
        finished.wait(10)

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


# ---------------------------------------------------------------- poll


def test_poll_waits_until_the_result_is_there_with_few_questions(bench):
    with submitted(bench, processing_seconds=1740, pending_seconds=30):
        began = bench.clock.now()
        assert bench.poll() is True
        elapsed = (bench.clock.now() - began).total_seconds()
        assert 1740 <= elapsed <= 1740 + 60
        assert bench.batch.exported_at == bench.clock.now()
        assert bench.batch.polls == len(bench.clock.naps) + 1 < 60
        assert (bench.batch.provider_status, bench.batch.provider_success) == ("exported", len(NUMBERS))
        assert bench.state is SUBMITTED


TROUBLES = "400 402 404 408 409 410 413 422 429 429_bare 500 502 503 504 redirect reset html empty stall"


@pytest.mark.parametrize("trouble", TROUBLES.split())
def test_http_trouble_while_polling_is_waited_out(bench, trouble):
    with submitted(bench, f"poll:1-2={trouble}"):
        assert bench.poll(timeouts=IMPATIENCE if trouble == "stall" else PATIENCE) is True
        assert len(bench.clock.naps) == 2
        assert bench.batch.polls == 3


@pytest.mark.parametrize("twist", ["completed", "unknown_status", "no_link", "202"])
def test_what_is_not_final_is_asked_about_again(bench, twist):
    with submitted(bench, f"poll:1-3={twist}"):
        assert bench.poll() is True
        assert bench.batch.polls == (1 if twist == "202" else 4)


def test_trouble_in_a_row_is_asked_about_less_and_less(bench):
    with submitted(bench, "poll:1-7=503"):
        assert bench.poll(longest=20) is True
        assert bench.clock.naps == [1, 2, 4, 8, 16, 20, 20]


def test_answer_between_ends_the_row(bench):
    with submitted(bench, "poll:1-3=503,poll:4=completed,poll:5=503"):
        assert bench.poll() is True
        assert bench.clock.naps[:3] == [1, 2, 4]
        assert bench.clock.naps[4] == 1


def test_pause_that_the_provider_asks_for_is_kept_while_polling(bench):
    with submitted(bench, "poll:1=429", retry_after=45):
        assert bench.poll() is True
        assert bench.clock.naps == [45]


def test_pause_beyond_the_deadline_ends_the_wait_at_once(bench):
    with submitted(bench, "poll:1=429", retry_after=7200):
        assert bench.poll() is False
        assert bench.clock.naps == []
        assert bench.state is SUBMITTED


def test_pause_that_the_provider_asks_for_is_kept_by_the_next_run(bench):
    with submitted(bench, "poll:1=429", retry_after=7200):
        assert bench.poll() is False
        bench.clock.advance(4000)
        assert bench.poll(until=timedelta(minutes=5)) is False
        assert bench.batch.polls == 1
        assert bench.poll() is True
        assert bench.clock.naps == [3200]


def test_pause_of_nothing_is_no_reason_to_ask_at_once(bench):
    with submitted(bench, "poll:1-3=429", retry_after=0):
        assert bench.poll() is True
        assert bench.clock.naps == [1, 2, 4]


def test_poll_ends_at_its_deadline(bench):
    with submitted(bench, processing_seconds=7200):
        until = bench.clock.now() + HOUR
        assert bench.poll() is False
        assert bench.clock.now() == until
        assert bench.state is SUBMITTED


def test_poll_without_time_asks_once(bench):
    with submitted(bench, processing_seconds=7200):
        assert bench.poll(until=timedelta(0)) is False
        assert (bench.batch.polls, bench.clock.naps) == (1, [])
    with submitted_again(bench):
        assert bench.poll(until=timedelta(seconds=-5)) is True


@contextmanager
def submitted_again(bench):
    with RawServer(http(200, as_json({"status": "exported", "result_url": "http://127.0.0.1:1/"}))) as server:
        bench.url = server.url
        yield


def test_failed_task_is_failed(bench):
    with submitted(bench, "create:1=failed", processing_seconds=60):
        assert bench.poll() is False
        assert bench.way[-2:] == [SUBMITTED, FAILED]
        assert bench.poll() is False


@pytest.mark.parametrize("code", [404, 400])
def test_task_that_is_unknown_right_after_it_was_made_is_waited_for(bench, code):
    with submitted(bench, f"poll:1-20={code}"):
        assert bench.poll(shortest=1, longest=5) is True
        assert bench.batch.polls == 21


@pytest.mark.parametrize("code", [404, 400])
def test_task_that_stays_unknown_has_failed(bench, code):
    with submitted(bench, f"poll:*={code}"):
        assert bench.poll() is False
        assert bench.state is FAILED
        assert "no longer knows" in bench.why
        assert bench.why in status_document(bench.ledger)["open"][0]
        assert bench.clock.now() - bench.batch.submitted_at > timedelta(minutes=2)


def test_old_task_that_is_unknown_is_asked_about_a_few_times_before_it_has_failed(bench):
    with submitted(bench, "poll:*=404"):
        bench.clock.advance(86400)
        assert bench.poll(shortest=200, longest=200) is False
        assert (bench.state, bench.batch.polls) == (FAILED, 3)


def test_unknown_tasks_are_counted_from_run_to_run(bench):
    """A scheduled run may have time for one question only."""
    with submitted(bench, "poll:*=404"):
        for _ in range(2):
            assert bench.poll(until=timedelta(0)) is False
            assert bench.state is SUBMITTED
            bench.clock.advance(300)
        assert bench.poll(until=timedelta(0)) is False
        assert bench.state is FAILED


def test_an_answer_between_makes_the_unknown_ones_forgotten(bench):
    with submitted(bench, "poll:1-2=404,poll:4-5=404", processing_seconds=7200):
        for _ in range(5):
            assert bench.poll(until=timedelta(0)) is False
            bench.clock.advance(300)
        assert (bench.state, bench.batch.unknowns) == (SUBMITTED, 2)


def test_trouble_between_neither_counts_nor_makes_forgotten(bench):
    with submitted(bench, "poll:1=404,poll:2=503,poll:3=404,poll:4=503"):
        for _ in range(4):
            assert bench.poll(until=timedelta(0)) is False
            bench.clock.advance(300)
        assert (bench.state, bench.batch.unknowns) == (SUBMITTED, 2)


@pytest.mark.parametrize("code", [401, 403, 405])
def test_key_that_is_turned_down_ends_the_wait(bench, code):
    with submitted(bench, f"poll:1={code}"):
        with pytest.raises(AccessDenied):
            bench.poll()
        assert (bench.state, bench.clock.naps) == (SUBMITTED, [])
        assert bench.poll() is True


def test_task_of_another_account_is_a_wrong_key(bench):
    bench.ledger.facts.belongs_to_user("somebody")
    with submitted(bench):
        with pytest.raises(ConfigurationError, match="another account"):
            bench.poll()
        assert (bench.state, bench.batch.exported_at) == (SUBMITTED, None)


def test_key_of_another_account_buys_nothing(bench):
    """The answer about the newest task names it."""
    bench.ledger.facts.belongs_to_user("somebody")
    with beside(bench, charges=1):
        bench.bought_before(asyncio.run(bought(bench)))
        with pytest.raises(ConfigurationError, match="another account"):
            bench.submit()
        assert (bench.state, bench.uploads, bench.attempts) == (PLANNED, 1, [])


async def bought(bench):
    """The id of a task, bought by hand."""
    async with bench.provider() as provider:
        result = await provider.upload(
            io.BytesIO(b"+41798284651\n"), name="one.txt", task_type="tg_avatar", deadline=5
        )
    return result.task_id


@pytest.mark.parametrize("answer", ["500", "html", "404", "401", "403", "429", "reset"])
def test_where_the_provider_does_not_name_the_account_the_upload_goes_on(bench, answer):
    with beside(bench, f"poll:1={answer}", charges=1):
        bench.bought_before("d4g24nep2jvh04o9uoh0")
        assert bench.submit() is SUBMITTED
        assert len([call for call in bench.sandbox.calls if call.path == "/v1/gettasks"]) == 1


@pytest.mark.parametrize(
    ("state", "is_there"),
    [
        (FETCHED, True),
        (BatchState.LOADED, True),
        (FAILED, False),
        (HELD, False),
        (BatchState.ABANDONED, False),
    ],
)
def test_batch_that_is_elsewhere_is_not_asked_about(bench, state, is_there):
    bench.set(state=state)
    with beside(bench):
        assert bench.poll() is is_there
        assert bench.sandbox.calls == []


def test_batch_that_is_abandoned_meanwhile_is_asked_about_no_more(bench, monkeypatch):
    async def abandoning(seconds):
        bench.set(state=BatchState.ABANDONED)

    with submitted(bench, processing_seconds=60):
        monkeypatch.setattr(bench.clock, "sleep", abandoning)
        assert bench.poll() is False
        assert bench.batch.polls == 1


def test_first_sight_of_the_result_is_kept(bench):
    with submitted(bench):
        bench.poll()
        first = bench.batch.exported_at
        bench.clock.advance(100)
        bench.poll()
        assert bench.batch.exported_at == first


# ---------------------------------------------------------------- fetch


def whole_zip(text="Number,telegram\n"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("all.csv", text * 50)
    return file.getvalue()


def damaged_zip(text):
    """Another checksum in its directory than its bytes have."""
    content = bytearray(whole_zip(text))
    content[content.index(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize("layout", ["folder", "bare_csv", "bare_xlsx", "junk"])
def test_archive_is_stored_once_as_received(bench, layout):
    with submitted(bench, layout=layout):
        assert bench.poll() is True
        bench.fetch()
        assert bench.way[-2:] == [SUBMITTED, FETCHED]
        content = bench.archive.read_bytes()
        assert (bench.batch.archive_size, bench.batch.archive_sha256) == (
            len(content),
            sha256(content).hexdigest(),
        )
        assert bench.archive.stat().st_mode & 0o777 == 0o600
        assert bench.folder.raw.stat().st_mode & 0o777 == 0o700
        assert list(bench.folder.staging.iterdir()) == []
        asked = len(bench.sandbox.calls)
        bench.fetch()
        assert len(bench.sandbox.calls) == asked
        assert bench.downloads == 1


def test_time_of_the_answers_is_the_provider_s_last_update(bench):
    with submitted(bench, processing_seconds=60):
        done_at = bench.clock.now() + timedelta(seconds=60)
        bench.poll()
        bench.clock.advance(500)
        bench.fetch()
    assert abs(bench.batch.checked_at - done_at) < timedelta(seconds=1)
    assert bench.batch.checked_at < bench.batch.exported_at + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("updated_at", "was_polled", "expected"),
    [
        ("2025-11-21T08:27:10.241Z", True, datetime(2025, 11, 21, 8, 27, 10, 241000, UTC)),
        ("2025-11-21T08:27:10.241Z", False, datetime(2025, 11, 21, 8, 27, 10, 241000, UTC)),
        (None, True, FakeClock().now()),
        ("rubbish", True, FakeClock().now()),
        (None, False, FakeClock().now() + timedelta(seconds=100)),
    ],
)
def test_time_of_the_answers_is_else_when_the_result_was_first_seen(bench, updated_at, was_polled, expected):
    bench.as_submitted()
    with RawServer(http(200, whole_zip())) as storage:
        document = {"status": "exported", "result_url": f"{storage.url}/r", "updated_at": updated_at}
        with RawServer(http(200, as_json(document))) as server:
            bench.url = server.url
            if was_polled:
                assert bench.poll() is True
            bench.clock.advance(100)
            bench.fetch()
    assert bench.batch.checked_at == expected


@pytest.mark.parametrize("times", [1, 2])
def test_link_that_does_not_open_is_asked_for_anew(bench, times):
    with submitted(bench, f"fetch:1-{times}=link_expired"):
        bench.fetch()
        assert bench.state is FETCHED
        assert bench.downloads == times + 1


@pytest.mark.parametrize("trouble", ["link_expired", "403", "404", "410"])
def test_links_that_never_open_are_given_up_for_this_time(bench, trouble):
    with submitted(bench, f"fetch:1-3={trouble}"):
        with pytest.raises(LinkExpired):
            bench.fetch()
        assert (bench.state, bench.downloads) == (SUBMITTED, 3)
        assert not bench.archive.exists()
        assert list(bench.folder.staging.iterdir()) == []
        bench.fetch()
        assert bench.state is FETCHED


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("truncate", DownloadIncomplete),
        ("corrupt", DownloadIncomplete),
        ("html", DownloadIncomplete),
        ("empty", DownloadIncomplete),
        ("reset", ProviderTrouble),
        ("stall", ProviderTrouble),
        ("503", ProviderTrouble),
        ("429", ProviderTrouble),
        ("redirect", ProviderTrouble),
    ],
)
def test_download_that_went_wrong_leaves_nothing_and_may_be_tried_again(bench, trouble, error):
    with submitted(bench, f"fetch:1={trouble}"):
        with pytest.raises(error):
            bench.fetch(timeouts=IMPATIENCE)
        assert bench.state is SUBMITTED
        assert not bench.archive.exists()
        assert list(bench.folder.staging.iterdir()) == []
        bench.fetch()
        assert bench.state is FETCHED
        assert zipfile.ZipFile(bench.archive).testzip() is None


@contextmanager
def storing(bench, *answers):
    """A paid batch whose result is whatever a raw storage host sends."""
    bench.as_submitted()
    with RawServer(*answers) as storage:
        document = {"status": "exported", "result_url": f"{storage.url}/r?X-Amz-Signature=CANARY"}
        with RawServer(http(200, as_json(document))) as server:
            bench.url = server.url
            yield storage


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>Maintenance</body></html>", id="a page"),
        pytest.param(b"\n\n  <?xml version='1.0'?><Error/>", id="a page after blank lines"),
        pytest.param(b"\xef\xbb\xbf<!DOCTYPE html>", id="a page with a BOM"),
        pytest.param(b'{"error": "internal_error"}', id="JSON"),
        pytest.param(b"   \r\n", id="blanks"),
        pytest.param(whole_zip()[:-30], id="a ZIP without its end"),
        pytest.param(whole_zip()[:60], id="the head of a ZIP"),
        pytest.param(b"PK\x03\x04", id="four bytes"),
        pytest.param(damaged_zip("+41790000001,yes"), id="a ZIP with another checksum"),
    ],
)
def test_what_is_no_archive_is_not_kept(bench, body):
    # Without a length, as a proxy may send it: nothing but the bytes can tell.
    with storing(bench, b"HTTP/1.0 200 OK\r\n\r\n" + body):
        with pytest.raises(DownloadIncomplete) as caught:
            bench.fetch()
        assert "CANARY" not in str(caught.value)
        assert bench.state is SUBMITTED
        assert not bench.archive.exists()


def encrypted_zip():
    """Whole, but with the flag of a password: a matter for `load`, and not for another download."""
    content = bytearray(whole_zip())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    return bytes(content)


def zip_by(method):
    return zip_bytes({"all.csv": DOCUMENTED}, method)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(whole_zip(), id="a ZIP"),
        pytest.param(zip_by(zipfile.ZIP_BZIP2), id="a ZIP by a method that is not read"),
        pytest.param(zip_by(zipfile.ZIP_BZIP2).replace(b"\x0c\0", b"\x63\0"), id="by one that nobody knows"),
        pytest.param(zip_bytes(dict.fromkeys(map(str, range(10_001)), "")), id="a ZIP of too many members"),
        pytest.param(damaged_zip("0" * 1_000_000), id="a ZIP that swells, and is not read to check it"),
        pytest.param(encrypted_zip(), id="a ZIP with a password"),
        pytest.param(b"Number,telegram\n+41790000001,yes\n", id="a CSV"),
        pytest.param(b"\xef\xbb\xbfNumber,telegram\n", id="a CSV with a BOM"),
        pytest.param(b"\x1f\x8b\x08rest", id="gzip"),
    ],
)
def test_whatever_may_be_an_archive_is_kept_as_received(bench, body):
    with storing(bench, b"HTTP/1.0 200 OK\r\n\r\n" + body):
        bench.fetch()
    assert bench.state is FETCHED
    assert bench.archive.read_bytes() == body


def test_archive_that_is_there_already_is_not_downloaded_again(bench):
    bench.folder.raw.mkdir(parents=True)
    bench.archive.write_bytes(b"from a run that died before it could tell the ledger")
    with storing(bench, http(200, whole_zip())) as storage:
        bench.fetch()
        assert storage.connections == 0
    assert bench.archive.read_bytes().startswith(b"from a run")
    assert bench.batch.archive_sha256 == sha256(bench.archive.read_bytes()).hexdigest()


def test_archive_that_another_run_stores_meanwhile_is_not_overwritten(bench):
    def answer(connection):
        read_request(connection)
        bench.folder.raw.mkdir(parents=True)
        bench.archive.write_bytes(b"the other run was faster")
        connection.sendall(http(200, whole_zip()))

    with storing(bench, answer):
        bench.fetch()
    assert bench.archive.read_bytes() == b"the other run was faster"
    assert bench.batch.archive_size == 24


def test_stale_owner_does_not_mark_a_batch_fetched(bench):
    bench.ledger.runs.opened("run-2", host="there", lease=HOUR)
    with storing(bench, http(200, whole_zip())):
        bench.set(owner="run-2")
        with pytest.raises(LeaseLost):
            bench.fetch()
    assert bench.state is SUBMITTED


def test_host_that_nobody_allowed_is_named_and_not_asked(bench):
    with storing(bench, http(200, whole_zip())) as storage:
        with pytest.raises(ResultHostRefused, match=r"127\.0\.0\.1") as caught:
            bench.fetch(hosts=ResultHosts(("*.amazonaws.com",), is_local=False))
        assert storage.connections == 0
    assert "CANARY" not in str(caught.value)
    assert bench.state is SUBMITTED


@pytest.mark.parametrize("trouble", ["completed", "no_link", "404", "503", "html"])
def test_result_that_is_not_offered_any_more_is_asked_for_again(bench, trouble):
    with submitted(bench, f"poll:1={trouble}"):
        with pytest.raises(ProviderTrouble):
            bench.fetch()
        assert (bench.state, bench.downloads) == (SUBMITTED, 0)
        bench.fetch()
        assert bench.state is FETCHED


def test_key_that_is_turned_down_ends_the_fetch(bench):
    with submitted(bench, "poll:1=401"), pytest.raises(AccessDenied):
        bench.fetch()


def test_ledger_and_spool_hold_no_link_no_key_and_no_number(bench):
    with submitted(bench, "poll:1=503,poll:2=no_link,fetch:1=link_expired"):
        assert bench.poll() is True
        bench.fetch()
        bench.ledger.close()
        with sqlite3.connect(bench.ledger_file) as ledger:
            told = "\n".join(ledger.iterdump())
        ledger.close()
        assert bench.batch.task_id in told
        for secret in ("X-Amz", "externalcheck", bench.sandbox.storage_url, KEY, NUMBERS[0][1:]):
            assert secret not in told


# ---------------------------------------------------------------- explain


def explaining(bench):
    async def asking():
        async with bench.provider() as provider:
            return await explain(ledger=bench.ledger, provider=provider)

    return asyncio.run(asking())


@pytest.mark.parametrize("was_charged", [True, False])
def test_what_a_dead_run_could_not_ask_is_asked_once(bench, monkeypatch, was_charged):
    with beside(bench, "create:1=reset_after" if was_charged else "create:1=reset_before"):
        with monkeypatch.context() as patch:  # the process is gone before it can write what happened
            patch.setattr(bench.ledger.uploads, "answered", broken)
            with pytest.raises(LedgerError):
                bench.submit(price_per_10k=Decimal("4.50"))
        bench.ledger.runs.ended(RUN)
        assert bench.ledger.runs.left_behind("run-2") == [BATCH]
        bench.clock.advance(300)
        assert (explaining(bench), explaining(bench)) == (1, 0)
    (attempt,) = bench.attempts
    assert attempt.looked_at == bench.clock.now()
    last = evidence(bench.ledger, bench.batch)[-1]
    assert ("just what it costs" if was_charged else "probably did not take it") in last


def test_what_the_run_asked_itself_is_not_asked_again(bench):
    with beside(bench, "create:1=reset_after"):
        assert bench.submit() is HELD
        assert explaining(bench) == 0


def test_where_no_balance_is_offered_nothing_is_asked_for(bench):
    with beside(bench, "create:1=reset_after", offers_balance=False):
        assert bench.submit() is HELD
        assert explaining(bench) == 0
    assert "The balance before it is not known" in evidence(bench.ledger, bench.batch)[-1]
