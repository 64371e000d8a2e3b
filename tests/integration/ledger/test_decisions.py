"""A person decides what is held."""

from __future__ import annotations

import pytest
from support.ledger_steps import (
    ABANDONED,
    HELD,
    LEASE,
    PLANNED,
    SUBMITTED,
    WAYS,
    decided,
    landed_file,
    planned,
    told,
    walk,
)

from ekyc_tasks.ledger import Link
from ekyc_tasks.models import Disposition

pytestmark = pytest.mark.integration


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
    link = Link("file", "batch", Disposition.BATCHED, 100)
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
