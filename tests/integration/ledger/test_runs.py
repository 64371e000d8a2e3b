"""Leases: who owns a batch, and what becomes of one whose run is dead."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from support.ledger_steps import (
    FETCHED,
    HELD,
    LEASE,
    PLANNED,
    START,
    STARTS,
    SUBMITTED,
    SUBMITTING,
    WAYS,
    answered,
    at_once,
    fetched,
    first_attempt,
    intended,
    planned,
    second_run,
    told,
    walk,
)

from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import Outcome, TaskStatus, UploadResult

pytestmark = pytest.mark.integration


PROCESSING = TaskStatus("first", "processing", total=100, success=40)


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


# --- at once -------------------------------------------------------------------------------------


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
