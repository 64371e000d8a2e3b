"""The ledger in SQLite files and on a real PostgreSQL server: every transition, and who may make it."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from postgres import PASSWORD, TEMPLATE
from sqlalchemy import MetaData, event, text

from ekyc_tasks.disk import locked
from ekyc_tasks.errors import ConfigurationError, LeaseLost, LedgerError, NoMoney
from ekyc_tasks.ledger import LandedFile, Link, NewBatch, connect_ledger, open_ledger
from ekyc_tasks.ledger.engines import make_engine
from ekyc_tasks.ledger.tables import metadata
from ekyc_tasks.models import BatchState, Fate, Outcome, Reconciliation, TaskStatus, UploadResult
from ekyc_tasks.money import NO_BUDGET, Balance, Budget

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
UPLOAD = timedelta(minutes=10)
ACCEPTED = UploadResult(Outcome.ACCEPTED, "created", 200, task_id="first")
PROCESSING = TaskStatus("first", "processing", total=100, success=40)
UNKNOWN = UploadResult(Outcome.UNKNOWN, "time-out")
COUNTS = Reconciliation(
    submitted=100, returned=99, accepted=97, unreadable=1, unexpected=0, duplicate=1, missing=3
)


class Time:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def ledger(url, time):
    with connect_ledger(url, time) as ledger:
        ledger.runs.opened("one", host="here", lease=LEASE)
        yield ledger


def planned(ledger, *batch_ids, run_id="one", numbers=100, task_type="tg_avatar", landed=(), links=()):
    ledger.plans.planned(
        landed=landed,
        new_batches=[NewBatch(batch_id, numbers, "0" * 64) for batch_id in batch_ids],
        links=links,
        task_type=task_type,
        run_id=run_id,
    )


def landed_file(file_id="file", **values):
    given = {
        "name": "numbers.txt",
        "sha256": "1" * 64,
        "size": 1300,
        "path": "/landing/numbers.txt",
        "identity": "1:2:3",
        "task_type": "tg_avatar",
        "planned_at": START,
        "run_id": "one",
        "replan": 0,
    }
    return LandedFile(file_id, **{**given, **values})


def intended(ledger, batch_id="batch", *, run_id="one", price=None, budget=NO_BUDGET):
    return ledger.uploads.intended(
        batch_id,
        run_id=run_id,
        deadline=UPLOAD,
        price=price,
        budget=budget,
        balance=Balance(Decimal(100)),
    )


def second_run(ledger, time):
    """The first run's lease ends, another run begins and takes what it may."""
    time.advance(seconds=61)
    ledger.runs.opened("two", host="here", lease=LEASE)
    ledger.runs.left_behind("two")
    ledger.runs.claimed("two")


def told(ledger, batch_id="batch"):
    return [(event.from_state, event.to_state) for event in ledger.history.events(batch_id)]


PLANNED, SUBMITTING, SUBMITTED, FETCHED, LOADED, REFUSED, FAILED, HELD, ABANDONED = (
    BatchState.PLANNED,
    BatchState.SUBMITTING,
    BatchState.SUBMITTED,
    BatchState.FETCHED,
    BatchState.LOADED,
    BatchState.REFUSED,
    BatchState.FAILED,
    BatchState.HELD,
    BatchState.ABANDONED,
)

# How a batch of the run "one" gets where it is, told once: each step makes one transition.
STEPS = {
    (PLANNED, SUBMITTING): lambda ledger, to: intended(ledger),
    (SUBMITTING, PLANNED): lambda ledger, to: answered(ledger, Outcome.THROTTLED, to),
    (SUBMITTING, REFUSED): lambda ledger, to: answered(ledger, Outcome.REFUSED, to),
    (SUBMITTING, HELD): lambda ledger, to: answered(ledger, Outcome.UNKNOWN, to),
    (SUBMITTING, SUBMITTED): lambda ledger, to: accepted(ledger),
    (PLANNED, SUBMITTED): lambda ledger, to: accepted(ledger),
    (HELD, SUBMITTED): lambda ledger, to: accepted(ledger),
    (SUBMITTED, FAILED): lambda ledger, to: ledger.progress.failed("batch", why="it says so", run_id="one"),
    (SUBMITTED, FETCHED): lambda ledger, to: fetched(ledger),
    (FETCHED, LOADED): lambda ledger, to: ledger.progress.loaded("batch", COUNTS, run_id="one"),
    (PLANNED, ABANDONED): lambda ledger, to: ledger.plans.released(["batch"], why="again", run_id="one"),
}
WAYS = {
    PLANNED: (),
    SUBMITTING: (PLANNED, SUBMITTING),
    SUBMITTED: (PLANNED, SUBMITTING, SUBMITTED),
    FETCHED: (PLANNED, SUBMITTING, SUBMITTED, FETCHED),
    LOADED: (PLANNED, SUBMITTING, SUBMITTED, FETCHED, LOADED),
    REFUSED: (PLANNED, SUBMITTING, REFUSED),
    FAILED: (PLANNED, SUBMITTING, SUBMITTED, FAILED),
    HELD: (PLANNED, SUBMITTING, HELD),
    # With an attempt: a person let go of it after its upload was free, so a late answer is possible.
    ABANDONED: (PLANNED, SUBMITTING, PLANNED, ABANDONED),
}


def walk(ledger, way):
    planned(ledger, "batch")
    for source, to in pairwise(way):
        STEPS[source, to](ledger, to)


def first_attempt(ledger):
    return ledger.uploads.of_batch("batch")[0]


def answered(ledger, outcome, to, **more):
    ledger.uploads.answered(
        first_attempt(ledger), UploadResult(outcome, "said the provider", 400), to=to, why="words", **more
    )


def accepted(ledger, result=ACCEPTED, run_id="one"):
    return ledger.uploads.accepted(first_attempt(ledger).attempt_id, result, run_id=run_id)


def fetched(ledger):
    ledger.progress.fetched("batch", sha256="2" * 64, size=4096, checked_at=START, run_id="one")


# --- transitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [*WAYS.values(), (PLANNED, SUBMITTING, HELD, SUBMITTED)], ids=str)
def test_every_transition_leaves_its_event(ledger, way):
    walk(ledger, way)
    sources = (None, *way[:-1]) if way else (None,)
    assert told(ledger) == list(zip(sources, way or (PLANNED,), strict=True))
    assert ledger.history.batch("batch").state == (way[-1] if way else PLANNED)
    assert {event.run_id for event in ledger.history.events("batch")} == {"one"}
    assert all(event.why for event in ledger.history.events("batch"))


# What each transition may start from; from everywhere else it must change neither state nor history.
STARTS = {
    "intended": ({PLANNED}, intended),
    "answered": ({SUBMITTING}, lambda ledger: ledger.uploads.of_batch("batch") and answered_held(ledger)),
    "failed": ({SUBMITTED}, lambda ledger: ledger.progress.failed("batch", why="gone", run_id="one")),
    "fetched": ({SUBMITTED}, fetched),
    "loaded": ({FETCHED}, lambda ledger: ledger.progress.loaded("batch", COUNTS, run_id="one")),
    "replayed": ({LOADED}, lambda ledger: ledger.progress.replayed("batch", COUNTS, run_id="one")),
    "load_failed": (
        {FETCHED, LOADED},
        lambda ledger: ledger.progress.load_failed("batch", why="x", run_id="one"),
    ),
    "released": ({PLANNED}, lambda ledger: ledger.plans.released(["batch"], why="again", run_id="one")),
    "left_behind": (set(), lambda ledger: ledger.runs.left_behind("one")),
    "adopted": ({HELD, FAILED}, lambda ledger: decided(ledger, "adopted", "task")),
    "resubmitted": ({HELD, FAILED, REFUSED}, lambda ledger: decided(ledger, "resubmitted")),
    "abandoned": ({HELD, FAILED, REFUSED, SUBMITTED}, lambda ledger: decided(ledger, "abandoned")),
}


def answered_held(ledger):
    answered(ledger, Outcome.UNKNOWN, HELD)


def decided(ledger, what, *arguments):
    sources = STARTS[what][0]
    more = {"plan_again": True} if what == "abandoned" else {}
    return getattr(ledger.decisions, what)("batch", *arguments, sources=sources, why="a person", **more)


@pytest.mark.parametrize("what", STARTS)
@pytest.mark.parametrize("state", WAYS)
def test_a_transition_starts_from_its_states_only(ledger, what, state):
    starts, step = STARTS[what]
    walk(ledger, WAYS[state])
    before = ledger.history.batch("batch"), told(ledger)
    with suppress(LeaseLost):  # the owner is told when its batch is elsewhere
        step(ledger)
    after = ledger.history.batch("batch"), told(ledger)
    assert (after != before) == (state in starts)


def test_a_batch_to_replay_has_one_owner_and_never_a_living_runs(ledger, time):
    walk(ledger, WAYS[LOADED])
    ledger.runs.opened("two", host="here", lease=UPLOAD)
    assert not ledger.runs.claimed_to_replay("two", "batch")
    time.advance(seconds=61)
    assert ledger.runs.claimed_to_replay("two", "batch")
    before = told(ledger)
    with pytest.raises(LeaseLost):
        ledger.progress.replayed("batch", COUNTS, run_id="one")
    assert told(ledger) == before


def test_an_intent_is_committed_once(ledger):
    planned(ledger, "batch")
    assert intended(ledger).outcome is None
    assert intended(ledger) is None
    assert len(ledger.uploads.of_batch("batch")) == 1


def test_an_answer_keeps_its_evidence_and_counts_server_errors(ledger, time):
    planned(ledger, "batch")
    for times in (1, 2):
        attempt = intended(ledger)
        result = UploadResult(Outcome.SERVER_ERROR, "internal error", 500)
        ledger.uploads.answered(
            attempt, result, to=PLANNED, why="free", not_before=START + UPLOAD, balance=Balance(Decimal(99))
        )
        time.advance(seconds=1)
        batch = ledger.history.batch("batch")
        assert (batch.server_errors, batch.not_before) == (times, START + UPLOAD)
    kept = ledger.uploads.of_batch("batch")
    said = {(one.outcome, one.http_status, one.words, one.balance_before, one.balance_after) for one in kept}
    assert said == {(Outcome.SERVER_ERROR, 500, "internal error", "100", "99")}
    assert [one.ended_at for one in kept] == [START, START + timedelta(seconds=1)]


def test_a_batch_in_the_dataset_carries_its_accounts(ledger):
    walk(ledger, WAYS[LOADED])
    batch = ledger.history.batch("batch")
    assert batch.counts == COUNTS
    assert (batch.task_id, batch.checked_at, batch.archive_size) == ("first", START, 4096)


def test_questions_are_counted_and_the_time_of_the_answers_is_fixed_once(ledger, time):
    walk(ledger, WAYS[SUBMITTED])
    status = TaskStatus("first", "processing", total=100, success=40, result_url="https://host/signed")
    ledger.progress.answered("batch", status, run_id="one")
    ledger.progress.troubled("batch", not_before=None, run_id="one")
    ledger.progress.exported("batch", START, run_id="one")
    ledger.progress.exported("batch", START + LEASE, run_id="one")
    batch = ledger.history.batch("batch")
    assert (batch.polls, batch.provider_success, batch.exported_at) == (2, 40, START)
    assert "signed" not in str(batch)


def test_a_load_that_failed_is_told_in_the_history(ledger):
    walk(ledger, WAYS[FETCHED])
    ledger.progress.load_failed("batch", why="torn", run_id="one")
    last = ledger.history.events("batch")[-1]
    assert (last.from_state, last.to_state, last.why) == (FETCHED, FETCHED, "torn")


def test_a_batch_that_nobody_knows_is_named(ledger):
    with pytest.raises(ConfigurationError, match="There is no batch nowhere"):
        ledger.history.batch("nowhere")
    with pytest.raises(ConfigurationError, match="There is no batch nowhere"):
        ledger.progress.failed("nowhere", why="?", run_id="one")


# --- owners --------------------------------------------------------------------------------------

STALE = {
    "intended": (PLANNED, intended),
    "released": (PLANNED, STARTS["released"][1]),
    "failed": (SUBMITTED, STARTS["failed"][1]),
    "fetched": (SUBMITTED, fetched),
    "loaded": (FETCHED, STARTS["loaded"][1]),
    "load_failed": (FETCHED, STARTS["load_failed"][1]),
    "polled": (SUBMITTED, lambda ledger: ledger.progress.answered("batch", PROCESSING, run_id="one")),
    "polled in vain": (
        SUBMITTED,
        lambda ledger: ledger.progress.troubled("batch", not_before=None, run_id="one"),
    ),
    "unknown": (SUBMITTED, lambda ledger: ledger.progress.unknown("batch", run_id="one")),
    "exported": (SUBMITTED, lambda ledger: ledger.progress.exported("batch", START, run_id="one")),
}


@pytest.mark.parametrize("what", STALE)
def test_a_stale_owner_is_refused(ledger, time, what):
    state, step = STALE[what]
    walk(ledger, WAYS[state])
    second_run(ledger, time)
    before = ledger.history.batch("batch"), told(ledger)
    assert before[0].owner == "two"
    with pytest.raises(LeaseLost, match="batch"):
        step(ledger)
    assert (ledger.history.batch("batch"), told(ledger)) == before


def test_a_renewed_lease_does_not_bring_a_claimed_batch_back(ledger, time):
    planned(ledger, "batch")
    second_run(ledger, time)
    ledger.runs.renewed("one", lease=LEASE)
    with pytest.raises(LeaseLost):
        intended(ledger, run_id="one")


def test_claims_take_unfinished_batches_of_the_dead_only(ledger, time):
    ledger.runs.opened("dead", host="here", lease=timedelta(seconds=1))
    ledger.runs.opened("ended", host="here", lease=timedelta(days=1))
    planned(ledger, "of-the-living")
    planned(ledger, "of-the-dead", run_id="dead")
    planned(ledger, "of-the-ended", run_id="ended")
    ledger.runs.ended("ended")
    time.advance(seconds=2)
    ledger.runs.opened("two", host="here", lease=LEASE)
    assert ledger.runs.claimed("two") == ["of-the-dead", "of-the-ended"]
    assert ledger.runs.claimed("two") == ["of-the-dead", "of-the-ended"]
    assert ledger.history.batch("of-the-living").owner == "one"


def test_a_run_without_work_relieves_a_living_one_of_its_last_planned_batch(ledger, time):
    planned(ledger, "b1", "b2", "b3", numbers=100)
    planned(ledger, "b4", numbers=200)
    ledger.runs.opened("two", host="here", lease=LEASE)

    assert ledger.runs.relieved("two", largest=100, but=["b3"]) == "b2"
    assert (ledger.history.batch("b2").owner, ledger.history.batch("b1").owner) == ("two", "one")
    with pytest.raises(LeaseLost):
        intended(ledger, "b2", run_id="one")
    assert intended(ledger, "b2", run_id="two")


@pytest.mark.parametrize("state", WAYS)
def test_only_what_is_planned_is_relieved(ledger, time, state):
    planned(ledger, "a-first-one")
    walk(ledger, WAYS[state])
    ledger.runs.opened("two", host="here", lease=LEASE)

    taken = {PLANNED: "batch", SUBMITTING: "a-first-one"}
    assert ledger.runs.relieved("two") == taken.get(state)


def test_what_a_run_is_about_to_upload_is_left_to_it(ledger):
    planned(ledger, "b1", "b2")
    ledger.runs.opened("two", host="here", lease=LEASE)
    ledger.runs.opened("three", host="here", lease=LEASE)

    assert [ledger.runs.relieved(run) for run in ("two", "three")] == ["b2", None]

    planned(ledger, "b3")
    intended(ledger, "b1")
    assert ledger.runs.relieved("three") == "b3"


def test_the_dead_are_not_relieved_but_claimed(ledger, time):
    planned(ledger, "b1", "b2")
    time.advance(seconds=61)
    ledger.runs.opened("two", host="here", lease=LEASE)

    assert ledger.runs.relieved("two") is None
    assert ledger.runs.claimed("two") == ["b1", "b2"]


@pytest.mark.parametrize("state", WAYS)
def test_what_is_finished_or_undecided_is_not_claimed(ledger, time, state):
    walk(ledger, WAYS[state])
    time.advance(seconds=61)
    ledger.runs.opened("two", host="here", lease=LEASE)
    expected = ["batch"] if state in {PLANNED, SUBMITTED, FETCHED} else []
    assert ledger.runs.claimed("two") == expected


@pytest.mark.parametrize(("seconds", "is_alive"), [(0, True), (59, True), (60, False), (3600, False)])
def test_a_lease_ends_at_its_deadline(ledger, time, seconds, is_alive):
    walk(ledger, WAYS[SUBMITTING])
    time.advance(seconds=seconds)
    assert ledger.runs.still_owns("one", "batch") is is_alive
    assert bool(ledger.runs.alive()) is is_alive


def test_a_renewal_counts_from_now(ledger, time):
    time.advance(seconds=50)
    ledger.runs.renewed("one", lease=LEASE)
    time.advance(seconds=59)
    assert [run.run_id for run in ledger.runs.alive()] == ["one"]
    time.advance(seconds=1)
    assert ledger.runs.alive() == []


@pytest.mark.parametrize("state", WAYS)
def test_only_what_is_still_its_own_upload_may_be_sent(ledger, state):
    """Asked right before the first byte: a batch that was decided meanwhile must not leave."""
    walk(ledger, WAYS[state])
    assert ledger.runs.still_owns("one", "batch") is (state is SUBMITTING)


def test_a_run_that_slept_through_its_lease_and_woke_up_does_not_send_a_held_batch(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    second_run(ledger, time)
    ledger.runs.renewed("one", lease=LEASE)  # its own thread may be quicker than its upload
    assert ledger.runs.still_owns("one", "batch") is False


def test_an_ended_run_owns_nothing_and_stays_ended(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    ledger.runs.ended("one")
    ledger.runs.renewed("one", lease=LEASE)
    assert ledger.runs.alive() == []
    assert ledger.runs.still_owns("one", "batch") is False
    time.advance(seconds=1)
    ledger.runs.ended("one")
    assert ledger.runs.newest(since=START).ended_at == START


# --- what a dead run left -------------------------------------------------------------------------


def test_an_upload_of_a_living_run_is_left_alone(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    time.advance(seconds=59)
    ledger.runs.opened("two", host="here", lease=LEASE)
    assert ledger.runs.left_behind("two") == []
    assert ledger.history.batch("batch").state is SUBMITTING


def test_an_upload_of_a_dead_run_is_held_never_planned(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    planned(ledger, "beside")
    second_run(ledger, time)
    assert ledger.history.batch("batch").state is HELD
    assert ledger.history.batch("beside").state is PLANNED
    last = ledger.history.events("batch")[-1]
    assert (last.from_state, last.to_state, last.run_id) == (SUBMITTING, HELD, "two")
    assert first_attempt(ledger).outcome is Outcome.UNKNOWN


def test_a_clock_that_is_set_back_does_not_make_an_unknown_upload_unsent(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    answered(ledger, Outcome.NOT_SENT, PLANNED)
    time.advance(seconds=-3600)
    later = intended(ledger)
    ledger.uploads.answered(later, UploadResult(Outcome.UNKNOWN, "no answer"), to=HELD, why="no answer")
    assert ledger.runs.unsent("one") == []
    assert ledger.history.batch("batch").state is HELD


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.THROTTLED])
def test_a_held_batch_is_planned_again_when_its_own_process_sent_nothing(ledger, time, outcome):
    walk(ledger, WAYS[SUBMITTING])
    second_run(ledger, time)
    assert ledger.runs.unsent("two") == []
    with suppress(LeaseLost):
        answered(ledger, outcome, PLANNED)
    expected = ["batch"] if outcome is Outcome.NOT_SENT else []
    assert ledger.runs.unsent("two") == expected
    assert ledger.runs.claimed("two") == expected
    assert ledger.uploads.spent() == 0


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (HELD, SUBMITTED),
        (PLANNED, SUBMITTED),
        (SUBMITTING, SUBMITTED),
        (SUBMITTED, SUBMITTED),
        (REFUSED, REFUSED),
        (FAILED, FAILED),
        (FETCHED, FETCHED),
        (LOADED, LOADED),
        (ABANDONED, ABANDONED),
    ],
)
def test_a_late_task_id_is_always_kept(ledger, state, then):
    """The batch takes it up where it can; where it has gone another way, it is an extra paid task."""
    walk(ledger, WAYS[state] if state is not PLANNED else (PLANNED, SUBMITTING, PLANNED))
    before = told(ledger)
    late = replace(ACCEPTED, task_id="late")
    assert accepted(ledger, late, run_id=None) is then
    assert ("late" in {attempt.task_id for attempt in ledger.uploads.of_batch("batch")}) is True
    last = ledger.history.events("batch")[-1]
    assert "late" in last.why
    assert told(ledger) == [*before, (state, then)]
    assert ("extra paid" in last.why) == (state not in {HELD, PLANNED, SUBMITTING})
    assert (ledger.history.batch("batch").task_id == "late") == (state in {HELD, PLANNED, SUBMITTING})


def test_the_same_task_id_told_twice_changes_nothing(ledger):
    walk(ledger, WAYS[FETCHED])
    before = ledger.history.batch("batch"), ledger.history.events("batch")
    accepted(ledger)
    assert (ledger.history.batch("batch"), ledger.history.events("batch")) == before


def test_an_extra_task_is_reported_once(ledger):
    walk(ledger, WAYS[ABANDONED])
    for _ in range(2):  # killed between the commit and the end of the spool file
        accepted(ledger, replace(ACCEPTED, task_id="late"))
    assert sum("extra paid" in event.why for event in ledger.history.events("batch")) == 1


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.REFUSED, Outcome.THROTTLED])
def test_any_other_late_answer_is_evidence_only(ledger, time, outcome):
    walk(ledger, WAYS[SUBMITTING])
    second_run(ledger, time)
    assert ledger.history.batch("batch").state is HELD
    with pytest.raises(LeaseLost, match="batch is held by now"):
        answered(ledger, outcome, PLANNED)
    assert ledger.history.batch("batch").state is HELD
    assert first_attempt(ledger).words == "said the provider"


def test_a_late_answer_of_a_run_that_lost_the_batch_is_kept_all_the_same(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    second_run(ledger, time)
    decided(ledger, "resubmitted")
    ledger.runs.claimed("two")
    with pytest.raises(LeaseLost):
        answered(ledger, Outcome.REFUSED, REFUSED)
    assert ledger.history.batch("batch").state is PLANNED
    assert first_attempt(ledger).outcome is Outcome.REFUSED


def test_a_late_answer_does_not_take_a_task_id_away(ledger, time):
    walk(ledger, WAYS[SUBMITTING])
    second_run(ledger, time)
    accepted(ledger, run_id="two")
    with pytest.raises(LeaseLost):
        answered(ledger, Outcome.UNKNOWN, HELD)
    attempt = first_attempt(ledger)
    assert (attempt.task_id, attempt.outcome) == ("first", Outcome.ACCEPTED)
    assert ledger.history.batch("batch").state is SUBMITTED


# --- a person's decisions ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "state", "task_id", "replan"),
    [
        (("adopted", "found"), SUBMITTED, "found", 0),
        (("resubmitted",), PLANNED, None, 0),
        (("abandoned",), ABANDONED, None, 1),
    ],
)
def test_a_person_decides_a_held_batch(ledger, decision, state, task_id, replan):
    planned(ledger, landed=[landed_file()])
    walk(ledger, WAYS[HELD])
    link = Link("file", "batch", Fate.BATCHED, 100)
    ledger.plans.planned(landed=[], new_batches=[], links=[link], task_type="tg_avatar", run_id="one")
    assert decided(ledger, *decision) is True
    batch = ledger.history.batch("batch")
    assert (batch.state, batch.task_id) == (state, task_id)
    assert told(ledger)[-1] == (HELD, state)
    assert [file.replan for file in ledger.history.files()] == [replan]


@pytest.mark.parametrize("decision", [("adopted", "found"), ("resubmitted",)])
def test_a_decided_batch_is_taken_up_by_the_next_run(ledger, decision):
    """Even while the run that left it is alive: it does not look at the batch again."""
    walk(ledger, WAYS[HELD])
    decided(ledger, *decision)
    ledger.runs.opened("two", host="here", lease=LEASE)
    assert ledger.runs.claimed("two") == ["batch"]


def test_a_task_belongs_to_one_batch(ledger):
    walk(ledger, WAYS[SUBMITTED])
    assert ledger.decisions.task_is_taken("first", besides="other")
    assert not ledger.decisions.task_is_taken("first", besides="batch")


# --- money ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", ["run", "day", "month"])
def test_money_is_reserved_with_the_intent(ledger, period):
    budget = Budget(**{period: Decimal("1.00")})
    planned(ledger, "a", "b")
    assert intended(ledger, "a", price=Decimal("0.60"), budget=budget)
    with pytest.raises(NoMoney, match=f"Batch b stays planned: the budget of this {period} is 1.00, 0.60"):
        intended(ledger, "b", price=Decimal("0.60"), budget=budget)
    assert ledger.history.batch("b").state is PLANNED
    assert ledger.uploads.of_batch("b") == []
    assert intended(ledger, "b", price=Decimal("0.40"), budget=budget)
    assert ledger.uploads.spent() == Decimal("1.00")


# outcome, where the batch went → was money spent, or may it have been?
@pytest.mark.parametrize(
    ("outcome", "to", "is_spent"),
    [
        (None, None, True),
        (Outcome.ACCEPTED, SUBMITTED, True),
        (Outcome.UNKNOWN, HELD, True),
        (Outcome.SERVER_ERROR, HELD, True),
        (Outcome.SERVER_ERROR, PLANNED, False),
        (Outcome.REFUSED, REFUSED, False),
        (Outcome.THROTTLED, PLANNED, False),
        (Outcome.NOT_SENT, PLANNED, False),
        (Outcome.NO_MONEY, PLANNED, False),
        (Outcome.ACCESS_DENIED, PLANNED, False),
    ],
)
def test_what_is_held_counts_as_spent_and_what_was_free_does_not(ledger, outcome, to, is_spent):
    planned(ledger, "batch")
    attempt = intended(ledger, price=Decimal("4.5"))
    if outcome is Outcome.ACCEPTED:
        accepted(ledger)
    elif outcome is not None:
        ledger.uploads.answered(attempt, UploadResult(outcome, "words"), to=to, why="words")
    assert ledger.uploads.spent() == (Decimal("4.5") if is_spent else 0)


@pytest.mark.parametrize("decision", [("adopted", "found"), ("resubmitted",), ("abandoned",)])
@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.SERVER_ERROR])
def test_a_decision_does_not_make_money_unspent(ledger, outcome, decision):
    planned(ledger, "batch")
    intended(ledger, price=Decimal("4.5"))
    answered(ledger, outcome, HELD)
    decided(ledger, *decision)
    assert ledger.uploads.spent() == Decimal("4.5")


@pytest.mark.parametrize(
    ("later", "run_id", "refusing"),
    [
        ({}, "one", {"run", "day", "month"}),
        ({}, "two", {"day", "month"}),
        ({"hours": 16}, "two", {"month"}),  # the next day begins at midnight UTC
        ({"hours": 15, "minutes": 59}, "two", {"day", "month"}),
        ({"days": 9, "hours": 16}, "two", set()),
        ({"days": 9, "hours": 15, "minutes": 59}, "two", {"month"}),
    ],
)
def test_budgets_of_runs_days_and_months(ledger, time, later, run_id, refusing):
    planned(ledger, "a")
    intended(ledger, "a", price=Decimal(1))
    time.advance(**later)
    ledger.runs.opened("two", host="here", lease=LEASE)
    for period in ("run", "day", "month"):
        planned(ledger, period, run_id=run_id)
        try:
            intended(ledger, period, run_id=run_id, price=Decimal(1), budget=Budget(**{period: Decimal(1)}))
        except NoMoney:
            assert period in refusing
        else:
            assert period not in refusing
            ledger.uploads.answered(
                ledger.uploads.of_batch(period)[0], UploadResult(Outcome.REFUSED, ""), to=REFUSED, why="free"
            )


def test_amounts_add_up_to_the_last_digit(ledger):
    for index in range(30):
        planned(ledger, str(index))
        intended(ledger, str(index), price=Decimal("0.1"), budget=Budget(run=Decimal("3.0")))
    assert ledger.uploads.spent() == Decimal("3.0")


def test_a_batch_that_is_elsewhere_is_no_question_of_money(ledger):
    planned(ledger, "batch")
    intended(ledger, price=Decimal(1))
    assert intended(ledger, price=Decimal(1), budget=Budget(run=Decimal(1))) is None


# --- plans ---------------------------------------------------------------------------------------


def test_a_file_is_planned_with_all_its_batches_or_not_at_all(ledger):
    links = [Link("file", "batch", Fate.BATCHED, 100), Link("file", "nowhere", Fate.IN_FLIGHT, 1)]
    with pytest.raises(LedgerError):
        planned(ledger, "batch", landed=[landed_file()], links=links)
    assert ledger.history.files() == []
    assert ledger.history.batches() == []


def test_an_arrival_is_recognised_by_where_and_what_it_is(ledger):
    planned(ledger, landed=[landed_file()])
    assert ledger.plans.planned_before("/landing/numbers.txt", "1:2:3")
    assert not ledger.plans.planned_before("/landing/numbers.txt", "1:2:4")
    assert not ledger.plans.planned_before("/landing/other.txt", "1:2:3")


def test_a_file_planned_again_has_one_row_and_its_new_links(ledger):
    planned(ledger, "old", landed=[landed_file(replan=1)], links=[Link("file", "old", Fate.BATCHED, 7)])
    assert [file.file_id for file in ledger.plans.to_plan_again("tg_avatar")] == ["file"]
    assert ledger.plans.to_plan_again("ws") == []
    planned(ledger, "new", landed=[landed_file()], links=[Link("file", "new", Fate.BATCHED, 7)])
    assert ledger.plans.to_plan_again("tg_avatar") == []
    assert ledger.history.links(batch_id="old") == []
    assert [batch.batch_id for batch in ledger.plans.own_batches(["file"])["file"]] == ["new"]


@pytest.mark.parametrize("state", WAYS)
def test_what_blocks_and_what_is_known(ledger, state):
    walk(ledger, WAYS[state])
    planned(ledger, "other-type", task_type="ws")
    asked = {
        "always ask": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=None)],
        "bought since": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=START)],
        "bought before": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=START + LEASE)],
    }
    blocks = ["batch"] if state not in {LOADED, ABANDONED} else []
    known = ["batch"] if state is LOADED else blocks
    assert asked == {"always ask": blocks, "bought since": known, "bought before": blocks}


def test_releasing_plans_again_the_files_of_what_was_released_only(ledger):
    planned(
        ledger,
        "batch",
        "sent",
        landed=[landed_file("a"), landed_file("b")],
        links=[Link("a", "batch", Fate.BATCHED, 100), Link("b", "sent", Fate.BATCHED, 100)],
    )
    intended(ledger, "sent")
    ledger.plans.released(["batch", "sent"], why="again", run_id="one")
    assert {batch.batch_id: batch.state for batch in ledger.history.batches()} == {
        "batch": ABANDONED,
        "sent": SUBMITTING,
    }
    assert [file.file_id for file in ledger.plans.to_plan_again("tg_avatar")] == ["a"]
    own = ledger.plans.own_batches(["a", "b"])
    assert {file: [batch.batch_id for batch in found] for file, found in own.items()} == {"b": ["sent"]}


# --- turns to plan -------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_on_a_server_planning_is_exclusive(ledger, url):
    entered = threading.Event()

    def plan_as_well():
        with connect_ledger(url) as mine, mine.plans.turn("two"):
            entered.set()

    second = threading.Thread(target=plan_as_well)
    with ledger.plans.turn("one"):
        second.start()
        assert not entered.wait(0.5)
        planned(ledger, "batch")  # no transaction is open meanwhile, and others may write
        ledger.runs.opened("three", host="there", lease=LEASE)
    second.join(20)
    assert entered.is_set()


def test_a_plan_of_one_that_lost_its_turn_is_dropped(ledger, url, database, postgres_or_none):
    """The lock may be lost without notice: a crashed server, a network file system."""
    planned(ledger, "before", landed=[landed_file(replan=1)])
    with ledger.plans.turn("one"):
        if database == "postgresql":
            postgres_or_none.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        with connect_ledger(url) as mine, mine.plans.turn("two"):
            for write in (
                lambda: planned(ledger, "late", landed=[landed_file("late")]),
                lambda: ledger.plans.released(["before"], why="again", run_id="one"),
                lambda: ledger.plans.healed("before", why="again", size_limit=None, run_id="one"),
            ):
                with pytest.raises(LeaseLost, match="Another run began to plan"):
                    write()
    assert told(ledger, "before") == [(None, PLANNED)]
    assert [file.file_id for file in ledger.history.files()] == ["file"]


@pytest.fixture
def postgres_or_none(database, request):
    return request.getfixturevalue("postgres") if database == "postgresql" else None


# --- whom it belongs to --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "values", "remedy"),
    [
        ("belongs_to_host", ("api.ekycpro.com", "127.0.0.1:8080"), "EKYC_BASE_URL"),
        ("belongs_to_user", ("me", "somebody"), "key of the first account"),
    ],
)
def test_a_ledger_belongs_to_one_host_and_one_account(ledger, url, bind, values, remedy):
    mine, other = values
    planned(ledger, "batch")
    intended(ledger)
    getattr(ledger.facts, bind)(mine)
    getattr(ledger.facts, bind)(mine)
    with open_ledger(url) as again, pytest.raises(ConfigurationError, match=remedy):
        getattr(again.facts, bind)(other)
    getattr(ledger.facts, bind)(mine)


@pytest.mark.parametrize(
    ("outcome", "may_be_another"),
    [(outcome, outcome in {Outcome.NOT_SENT, Outcome.ACCESS_DENIED}) for outcome in Outcome],
)
def test_a_host_that_took_nothing_may_be_corrected(ledger, outcome, may_be_another):
    ledger.facts.belongs_to_host("api.ekycpro.con")
    planned(ledger, "batch")
    intended(ledger)
    answered(ledger, outcome, HELD if outcome is Outcome.UNKNOWN else PLANNED)
    with pytest.raises(ConfigurationError):  # a run is at work
        ledger.facts.belongs_to_host("api.ekycpro.com")
    ledger.runs.ended("one")
    with nullcontext() if may_be_another else pytest.raises(ConfigurationError, match="belongs to"):
        ledger.facts.belongs_to_host("api.ekycpro.com")


# --- at once -------------------------------------------------------------------------------------


def at_once(count, work):
    """``work(index)`` in so many threads, begun together; what each brought."""
    gate, results = threading.Barrier(count), [None] * count

    def wait_and_work(index):
        gate.wait(20)
        results[index] = work(index)

    threads = [threading.Thread(target=wait_and_work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_of_many_helpers_each_takes_another_batch(ledger, url, time):
    batch_ids = [f"batch-{index}" for index in range(8)]
    planned(ledger, *batch_ids)

    def help_once(index):
        with connect_ledger(url, time) as mine:
            mine.runs.opened(f"run-{index}", host="here", lease=LEASE)
            return mine.runs.relieved(f"run-{index}")

    taken = at_once(6, help_once)

    assert len(set(taken)) == 6
    assert {ledger.history.batch(batch_id).owner for batch_id in taken} == {f"run-{i}" for i in range(6)}


def test_of_many_claimers_one_owns_a_batch_and_one_intent_is_made(ledger, url, time):
    batch_ids = [f"batch-{index}" for index in range(8)]
    planned(ledger, *batch_ids)
    ledger.runs.ended("one")

    def claim_and_intend(index):
        with connect_ledger(url, time) as mine:
            run_id = f"run-{index}"
            mine.runs.opened(run_id, host="here", lease=LEASE)
            claimed = mine.runs.claimed(run_id)
            refused = 0
            for batch_id in batch_ids:
                try:
                    intended(mine, batch_id, run_id=run_id)
                except LeaseLost:
                    refused += 1
            return claimed, refused

    results = at_once(8, claim_and_intend)
    claimed = sorted(batch_id for mine, _ in results for batch_id in mine)
    assert claimed == batch_ids
    assert sum(refused for _, refused in results) == 7 * 8
    assert [len(ledger.uploads.of_batch(batch_id)) for batch_id in batch_ids] == [1] * 8


def test_threads_of_one_run_make_one_intent(ledger, url, time):
    planned(ledger, "batch")

    def intend(_):
        with connect_ledger(url, time) as mine:
            return intended(mine)

    assert sum(attempt is not None for attempt in at_once(8, intend)) == 1
    assert len(ledger.uploads.of_batch("batch")) == 1


def test_budgets_hold_when_many_ask_at_once(ledger, url, time):
    batch_ids = [f"batch-{index}" for index in range(8)]
    planned(ledger, *batch_ids)

    def intend(index):
        with connect_ledger(url, time) as mine:
            try:
                return intended(mine, batch_ids[index], price=Decimal(1), budget=Budget(day=Decimal(3)))
            except NoMoney:
                return None

    assert sum(attempt is not None for attempt in at_once(8, intend)) == 3
    assert ledger.uploads.spent() == 3


# --- the file ------------------------------------------------------------------------------------


def test_migrations_build_what_the_tables_say(new_url):
    open_ledger(new_url).close()
    engine = make_engine(new_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_commit_survives_a_power_cut(ledger):
    with ledger._store.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_new_ledger_is_private_with_its_journal(tmp_path, time):
    folder = tmp_path / "new" / "data"
    with open_ledger(f"sqlite:///{folder / 'ledger.db'}", time) as ledger:
        ledger.runs.opened("one", host="here", lease=LEASE)
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes.pop("ledger.db") == 0o600
    assert set(modes.values()) == {0o600}
    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_opening_again_changes_nothing_and_keeps_everything(ledger, url, time):
    walk(ledger, WAYS[LOADED])
    before = ledger.history.batches(), ledger.history.events("batch")
    with open_ledger(url, time) as again:
        assert (again.history.batches(), again.history.events("batch")) == before


def test_a_ledger_from_a_newer_version_is_refused_unchanged(ledger, url):
    walk(ledger, WAYS[LOADED])
    with ledger._store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = contents(ledger)
    with pytest.raises(ConfigurationError, match="newer version"):
        open_ledger(url)
    assert contents(ledger) == before


def contents(ledger):
    """Every row of every table that is there, whoever made it."""
    tables = MetaData()
    with ledger._store.reading() as connection:
        tables.reflect(connection)
        return {
            name: sorted(map(str, connection.execute(table.select())))
            for name, table in tables.tables.items()
        }


def a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "folder").write_text("not a folder")
    return tmp_path / "folder" / "ledger.db"


def a_folder_instead_of_a_file(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    return tmp_path / "ledger.db"


def something_else(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"phone,name\n" * 500)
    return tmp_path / "ledger.db"


def a_folder_that_forbids_it(tmp_path):
    return "/proc/nowhere/ledger.db"


@pytest.mark.parametrize(
    "lay",
    [a_file_instead_of_a_folder, a_folder_instead_of_a_file, something_else, a_folder_that_forbids_it],
    ids=lambda lay: lay.__name__,
)
def test_a_ledger_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path, lay):
    with pytest.raises(ConfigurationError, match="EKYC_"):
        open_ledger(f"sqlite:///{lay(tmp_path)}")


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "sqlite",
        "mysql://me:sesame@host/db",
        "postgresql://me:sesame@host:port/db",
        "postgresql+psycopg2://me:sesame@127.0.0.1/db",
        "postgresql://me:open@sesame@127.0.0.1/db",  # an @ that should be %40
        "postgresql://me:sesame@127.0.0.1:1/db",
        "postgresql://me:sesame@127.0.0.1:1/db?sesame=sesame",
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_showing_it(address):
    with pytest.raises(ConfigurationError, match=r"EKYC_LEDGER_URL.*\.$") as caught:
        open_ledger(address)
    assert "me:" not in str(caught.value)
    assert "sesame@" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_server_may_be_named_in_each_usual_way(postgres, scheme):
    address = postgres.url(TEMPLATE).partition(":")[2]
    open_ledger(f"{scheme}:{address}").close()


@pytest.mark.parametrize(("right", "wrong"), [(PASSWORD, "wrong-sesame"), (TEMPLATE, "nowhere")])
def test_a_server_that_turns_us_down_is_told_in_one_sentence(postgres, right, wrong):
    with pytest.raises(ConfigurationError, match=r"EKYC_LEDGER_URL.*\.$") as caught:
        open_ledger(postgres.url(TEMPLATE).replace(right, wrong))
    assert PASSWORD not in str(caught.value)
    assert "wrong-sesame" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_of_sql_says_nothing_of_what_was_written(ledger):
    with pytest.raises(LedgerError) as caught:
        planned(ledger, links=[Link("a-file-of-nobody", "a-batch-of-nobody", Fate.BATCHED, 100)])
    assert "nobody" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_of_a_transaction_that_fails_is_kept(ledger):
    planned(ledger, "batch")
    store = ledger._store

    def fail(*_):
        raise OSError("the disk is full")

    event.listen(store.engine, "commit", fail)
    with pytest.raises(OSError, match="full"):
        intended(ledger)
    event.remove(store.engine, "commit", fail)
    assert (ledger.history.batch("batch").state, told(ledger)) == (PLANNED, [(None, PLANNED)])
    assert ledger.uploads.of_batch("batch") == []


def test_who_opens_a_ledger_waits_while_another_does(tmp_path):
    """Turning a new file's journal to WAL is the one thing that SQLite does not wait for."""
    opening = threading.Thread(target=lambda: open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close())
    with locked(tmp_path / ".ledger.db.lock"):
        opening.start()
        opening.join(0.1)
        assert opening.is_alive()
        assert not (tmp_path / "ledger.db").exists()
    opening.join(20)
    assert (tmp_path / "ledger.db").exists()


def test_many_processes_may_open_a_new_ledger_at_once(new_url):
    code = (
        "import sys; from ekyc_tasks.ledger import open_ledger;"
        "print('ready', flush=True); sys.stdin.readline();"
        "ledger = open_ledger(sys.argv[1]); ledger.facts.belongs_to_host('host'); ledger.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, new_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=120)[1] for process in processes]
    assert [(process.returncode, end) for process, end in zip(processes, ends, strict=True)] == [(0, "")] * 4
