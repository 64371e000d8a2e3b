"""A preview says how many numbers are bought again only because their answers have aged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.planning_office import POLICY, A, B, C, D

pytestmark = pytest.mark.integration

MONTH = timedelta(days=30).total_seconds()


def buy(office, name, *numbers):
    office.drop(name, *numbers)
    for batch_id in office.plan().new_batches:
        office.load(batch_id)


def test_numbers_whose_answers_have_aged_are_counted_once(office):
    buy(office, "a.txt", A, B)
    office.clock.advance(MONTH + 60)
    buy(office, "b.txt", B, C)
    office.clock.advance(MONTH + 60)
    buy(office, "c.txt", C)
    office.drop("d.txt", A, B, C, D)  # C is still fresh, D is new

    looked = office.preview()

    assert [numbers for _, numbers in looked.batches] == [3]
    assert looked.due_again == 2
    assert any(
        sentence.startswith("Of the numbers to send, 2 were bought before") for sentence in looked.notes
    )


def test_what_is_bought_for_another_reason_is_not_counted(office):
    buy(office, "a.txt", A)
    office.clock.advance(MONTH + 60)
    buy(office, "b.txt", B)
    office.drop("c.txt", A, B, D)

    assert office.preview(replace(POLICY, recheck=True)).due_again == 1
    assert office.preview(replace(POLICY, fresh_for=timedelta(days=90))).due_again == 0
    assert office.preview(replace(POLICY, fresh_for=timedelta(0))).due_again == 2
    assert office.preview(replace(POLICY, task_type="tg")).due_again == 0


def test_what_waits_for_more_numbers_is_not_counted(office):
    buy(office, "a.txt", A)
    office.clock.advance(MONTH + 60)
    office.drop("b.txt", A)

    assert office.preview(replace(POLICY, min_batch=2)).due_again == 0
