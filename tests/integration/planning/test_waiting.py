"""Numbers that wait for company, for a limit, or for a decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.planning_office import POLICY, A, B, C, D, fates

from ekyc_tasks.models import BatchState, Decision

pytestmark = pytest.mark.integration


def test_too_few_numbers_wait_for_company(office):
    policy = replace(POLICY, min_batch=3, max_hold_back=timedelta(hours=1))
    office.drop("a.txt", A, B)
    lonely = office.plan(policy)
    office.drop("b.txt", C)
    company = office.plan(policy)

    assert ([fates(file) for file in lonely.files], lonely.new_batches) == ([{"waiting": 2}], ())
    assert [office.sent(batch) for batch in company.new_batches] == [[A, B, C]]
    assert [fates(file) for file in office.ledger.history.files()] == [{"batched": 2}, {"batched": 1}]


def test_they_do_not_wait_for_ever(office):
    policy = replace(POLICY, min_batch=3, max_hold_back=timedelta(hours=1))
    office.drop("a.txt", A)
    office.plan(policy)
    office.clock.advance(3600)

    assert [office.sent(batch) for batch in office.plan(policy).new_batches] == [[A]]


def test_a_limit_cuts_the_first_batch_also_out_of_one_that_was_planned_before(office):
    office.drop("a.txt", A, B, C, D)
    [whole] = office.plan().new_batches

    cut = office.plan(replace(POLICY, first=1)).new_batches

    assert office.ledger.history.batch(whole).state is BatchState.ABANDONED
    assert [office.sent(batch) for batch in cut] == [[A], [B, C, D]]
    assert [fates(file) for file in office.ledger.history.files()] == [{"batched": 4}]


def test_what_a_file_has_bought_it_does_not_buy_again_when_the_rest_of_it_is_planned_again(office):
    """Not even with answers that are never fresh: that is for files which land anew."""
    policy = replace(POLICY, first=1, fresh_for=timedelta(0))
    office.drop("a.txt", A, B, C)
    first, _ = office.plan(policy).new_batches
    office.drop("b.txt", A, D)  # A is in flight
    office.plan(replace(policy, first=None))
    office.load(first)

    again = office.plan(policy).new_batches

    assert [office.sent(batch) for batch in again] == [[B], [C]]
    assert [fates(file) for file in office.ledger.history.files()] == [
        {"batched": 3},
        {"in_flight": 1, "batched": 1},
    ]
    office.drop("c.txt", A)
    assert [office.sent(batch) for batch in office.plan(policy).new_batches] == [[A]]


def test_abandoned_numbers_are_planned_again_for_every_file_that_waited_for_them(office):
    office.drop("a.txt", A, B)
    [held] = office.plan().new_batches
    office.hold(held)
    office.drop("b.txt", B, C)
    office.plan()
    office.decide(held, Decision.ABANDON)

    again = office.plan().new_batches

    assert [office.sent(batch) for batch in again] == [[A, B]]
    assert [fates(file) for file in office.ledger.history.files()] == [
        {"batched": 2},
        {"in_flight": 1, "batched": 1},
    ]


def test_dropped_numbers_are_not_planned_again(office):
    office.drop("a.txt", A)
    [held] = office.plan().new_batches
    office.hold(held)
    office.decide(held, Decision.ABANDON, drop=True)

    assert office.plan().new_batches == ()


def test_too_few_numbers_are_reported_when_they_are_not_to_be_sent(office):
    policy = replace(POLICY, min_batch=3, send_rest=False)
    office.drop("a.txt", A)
    early = office.plan(policy)
    office.clock.advance(3600)
    late = office.plan(policy)

    assert (early.notes, late.new_batches) == ((), ())
    assert ["a.txt" in sentence and "EKYC_SMALL_REST" in sentence for sentence in late.notes] == [True]
    assert [office.sent(batch) for batch in office.plan(replace(policy, send_rest=True)).new_batches] == [[A]]
