"""Budgets and reservations, to the last digit, whoever asks at the same moment."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.ledger_steps import (
    HELD,
    LEASE,
    PLANNED,
    REFUSED,
    SUBMITTED,
    accepted,
    answered,
    at_once,
    decided,
    intended,
    planned,
)

from ekyc_tasks.errors import NoMoney
from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import Outcome, UploadResult
from ekyc_tasks.money import Budget

pytestmark = pytest.mark.integration


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
