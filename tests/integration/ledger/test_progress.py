"""The transitions of a batch, and what each leaves."""

from __future__ import annotations

from contextlib import suppress

import pytest
from support.ledger_steps import (
    COUNTS,
    FETCHED,
    HELD,
    LEASE,
    LOADED,
    PLANNED,
    START,
    STARTS,
    SUBMITTED,
    SUBMITTING,
    UPLOAD,
    WAYS,
    told,
    walk,
)

from ekyc_tasks.errors import ConfigurationError, LeaseLost
from ekyc_tasks.models import TaskStatus

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("way", [*WAYS.values(), (PLANNED, SUBMITTING, HELD, SUBMITTED)], ids=str)
def test_every_transition_leaves_its_event(ledger, way):
    walk(ledger, way)
    sources = (None, *way[:-1]) if way else (None,)
    assert told(ledger) == list(zip(sources, way or (PLANNED,), strict=True))
    assert ledger.history.batch("batch").state == (way[-1] if way else PLANNED)
    assert {event.run_id for event in ledger.history.events("batch")} == {"one"}
    assert all(event.why for event in ledger.history.events("batch"))


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
