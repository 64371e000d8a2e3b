"""Prices, budgets, and what a balance gives away."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ekyc_tasks.money import NO_BUDGET, Balance, Budget, has_moved, price

NOTHING = {"run": Decimal(0), "day": Decimal(0), "month": Decimal(0)}


@pytest.mark.parametrize(
    ("numbers", "per_10k", "cost"),
    [
        (0, "4.50", "0"),
        (1, "4.50", "0.045"),
        (100, "4.50", "0.045"),
        (101, "4.50", "0.09"),
        (2049, "4.50", "0.945"),
        (10_000, "4.50", "4.50"),
        (10_000_000, "4.50", "4500"),
        (10_000, "0", "0"),
        (300, "0.1", "0.003"),
    ],
)
def test_every_begun_hundred_is_charged(numbers, per_10k, cost):
    assert price(numbers, Decimal(per_10k)) == Decimal(cost)


def test_without_a_price_nobody_knows_the_cost():
    assert price(100, None) is None


@pytest.mark.parametrize(
    ("budget", "spent", "cost", "exceeded"),
    [
        ({}, {}, "1000000", None),
        ({"run": "10"}, {}, "10", None),
        ({"run": "10"}, {}, "10.01", "run"),
        ({"run": "10"}, {"run": "9.99"}, "0.01", None),
        ({"run": "10"}, {"run": "9.99"}, "0.02", "run"),
        ({"run": "10"}, {"day": "100", "month": "100"}, "10", None),
        ({"day": "10"}, {"day": "10"}, "0.01", "day"),
        ({"month": "10"}, {"month": "10"}, "0.01", "month"),
        ({"run": "5", "day": "4", "month": "3"}, {}, "4.5", "day"),
        ({"run": "5", "day": "4", "month": "3"}, {}, "3.5", "month"),
        ({"run": "0"}, {}, "0.01", "run"),
        ({"run": "0"}, {}, "0", None),
        ({"run": "10"}, {"run": "100"}, None, None),
    ],
)
def test_a_budget_is_exceeded_from_the_first_cent_above_it(budget, spent, cost, exceeded):
    budget = Budget(**{name: Decimal(value) for name, value in budget.items()})
    spent = NOTHING | {name: Decimal(value) for name, value in spent.items()}
    why = budget.exceeds(None if cost is None else Decimal(cost), **spent)
    assert why is None if exceeded is None else why.startswith(f"the budget of this {exceeded} is ")


def test_the_sentence_names_limit_spent_and_needed():
    why = Budget(day=Decimal("10.50")).exceeds(Decimal("4.5"), **NOTHING | {"day": Decimal("9.0000")})
    assert why == "the budget of this day is 10.50, 9.00 is already spent, 4.50 more is needed"


def test_no_budget_is_no_limit():
    assert NO_BUDGET.exceeds(Decimal(10**12), **NOTHING) is None


def balance(amount, used=None):
    return Balance(Decimal(amount), None if used is None else Decimal(used))


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (balance(10), balance(10), False),
        (balance(10), balance("9.99"), True),
        (balance(10), balance(20), False),  # topped up
        (balance(10, 1), balance(10, 1), False),
        (balance(10, 1), balance(10, 2), True),  # on credit
        (balance(10, 1), balance(20, 2), True),  # topped up and charged
        (balance(10, 1), balance(10, 0), False),  # a new day
        (balance(10), balance(10, 5), False),
        (balance(10, 5), balance(10), False),
        (None, balance(10), False),
        (balance(10), None, False),
        (None, None, False),
    ],
)
def test_a_charge_between_two_looks(before, after, moved):
    assert has_moved(before, after) is moved
