"""Refusals that another size heals: planned again, once."""

from __future__ import annotations

import pytest
from support.planning_office import A, fates, some

from ekyc_tasks.models import BatchState, Decision

pytestmark = pytest.mark.integration


def test_a_minimum_that_a_refusal_names_is_respected_from_then_on(office):
    office.drop("a.txt", *some(30))
    [small] = office.plan().new_batches
    office.refuse(small, minimum=50)

    office.drop("b.txt", *some(40, start=100))
    done = office.plan()

    [batch_id] = done.new_batches
    assert sorted(office.sent(batch_id)) == sorted([*some(30), *some(40, start=100)])
    assert office.state(small) is BatchState.ABANDONED
    [sentence] = done.healed
    assert small in sentence
    assert "minimum is 50" in sentence


def test_too_few_for_the_provider_wait_however_long(office):
    office.drop("a.txt", *some(30))
    [small] = office.plan().new_batches
    office.refuse(small, minimum=50)
    office.clock.advance(30 * 24 * 3600)
    done = office.plan()
    assert done.new_batches == ()
    [file] = done.files
    assert fates(file) == {"waiting": 30}
    assert "accepts no fewer than 50" in done.overdue[0]


def test_what_was_planned_before_the_minimum_was_known_is_packed_again(office):
    office.drop("a.txt", *some(30))
    [first] = office.plan().new_batches
    office.drop("b.txt", *some(30, start=100))
    [second] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [batch_id] = office.plan().new_batches
    assert len(office.sent(batch_id)) == 60
    assert office.state(second) is BatchState.ABANDONED


def test_a_refusal_is_healed_once(office):
    """The provider counts after its own de-duplication: what is large enough may be refused again."""
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [second] = office.plan().new_batches
    assert office.sent(second) == office.sent(first)
    office.refuse(second, minimum=50)
    assert office.plan().files == ()
    assert office.state(second) is BatchState.REFUSED


def test_every_file_that_waited_for_a_refused_batch_is_planned_again_and_marked(office):
    office.drop("a.txt", *some(30))
    [first] = office.plan().new_batches
    office.drop("b.txt", *some(25))
    office.plan()
    office.refuse(first, minimum=50)
    office.drop("c.txt", *some(40, start=100))
    done = office.plan()
    [batch_id] = done.new_batches
    assert {file.name: fates(file) for file in done.files} == {
        "a.txt": {"batched": 30},
        "b.txt": {"in_flight": 25},
        "c.txt": {"batched": 40},
    }
    office.refuse(batch_id, minimum=100)
    assert office.plan().files == ()


def test_what_is_too_large_is_halved_once(office):
    office.drop("a.txt", *some(101))
    [large] = office.plan().new_batches
    office.refuse(large, status=413)
    halves = office.plan().new_batches
    assert [len(office.sent(batch_id)) for batch_id in halves] == [51, 50]
    office.refuse(halves[0], status=413)
    assert office.plan().files == ()
    assert [office.state(batch_id) for batch_id in halves] == [BatchState.REFUSED, BatchState.PLANNED]


def test_what_cannot_be_halved_waits_for_a_person(office):
    office.drop("a.txt", A)
    [single] = office.plan().new_batches
    office.refuse(single, status=413)
    assert office.plan().files == ()
    assert office.state(single) is BatchState.REFUSED


def test_halves_below_the_minimum_are_not_made(office):
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    office.drop("b.txt", *some(60, start=100))
    office.clock.advance(1)
    [joined] = office.plan().new_batches
    assert len(office.sent(joined)) == 120
    office.drop("c.txt", *some(70, start=300))
    [other] = office.plan().new_batches
    office.refuse(other, status=413)
    assert office.plan().files == ()
    assert office.state(other) is BatchState.REFUSED


@pytest.mark.parametrize("status", [400, 422])
def test_another_refusal_waits_for_a_person(office, status):
    office.drop("a.txt", *some(60))
    [batch_id] = office.plan().new_batches
    office.refuse(batch_id, status=status)
    assert office.plan().files == ()
    assert office.state(batch_id) is BatchState.REFUSED


def test_what_a_person_resubmits_goes_as_it_is(office):
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [second] = office.plan().new_batches
    office.refuse(second, minimum=100)
    office.decide(second, Decision.RESUBMIT)
    assert office.plan().files == ()
    assert office.state(second) is BatchState.PLANNED
