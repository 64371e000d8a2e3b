"""Intents and answers: a batch is sent once, and no task id is lost, however late it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from support.ledger_steps import (
    ABANDONED,
    ACCEPTED,
    FAILED,
    FETCHED,
    HELD,
    LOADED,
    PLANNED,
    REFUSED,
    START,
    SUBMITTED,
    SUBMITTING,
    UPLOAD,
    WAYS,
    accepted,
    answered,
    at_once,
    decided,
    first_attempt,
    intended,
    planned,
    second_run,
    told,
    walk,
)

from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import Outcome, UploadResult
from ekyc_tasks.money import Balance

pytestmark = pytest.mark.integration


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
    with pytest.raises(LeaseLost, match="batch is now held"):
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


def test_threads_of_one_run_make_one_intent(ledger, url, time):
    planned(ledger, "batch")

    def intend(_):
        with connect_ledger(url, time) as mine:
            return intended(mine)

    assert sum(attempt is not None for attempt in at_once(8, intend)) == 1
    assert len(ledger.uploads.of_batch("batch")) == 1
