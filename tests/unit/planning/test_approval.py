"""A plan above what a person wants to be asked about waits, and an approval has an upper bound."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.money import SpendingGuard, price
from ekyc_tasks.planning.approval import ask_approval
from ekyc_tasks.planning.draft import PlanPolicy

POLICY = PlanPolicy(task_type="tg_avatar", batch_size=1000, price_per_10k=Decimal("4.50"))
SIZES = st.lists(st.integers(1, 10_000), max_size=8)


@pytest.mark.parametrize(
    ("guard", "sizes", "is_asked"),
    [
        (None, [10**9], False),
        (SpendingGuard(numbers=5000), [3000, 2000], False),
        (SpendingGuard(numbers=5000), [3000, 2001], True),
        (SpendingGuard(numbers=0), [1], True),
        (SpendingGuard(numbers=0), [], False),
        (SpendingGuard(amount=Decimal("0.09"), currency="USD"), [100, 100], False),
        (SpendingGuard(amount=Decimal("0.09"), currency="USD"), [101, 100], True),  # begun hundreds
        (SpendingGuard(amount=Decimal(0), currency="USD"), [1], True),
    ],
)
def test_what_is_above_is_asked(guard, sizes, is_asked):
    assert (ask_approval(sizes, replace(POLICY, ask_above=guard)) is not None) is is_asked


@given(SIZES, st.integers(0, 50_000), st.integers(0, 50_000))
def test_an_approval_reaches_as_far_as_its_numbers(sizes, above, approved):
    policy = replace(POLICY, ask_above=SpendingGuard(numbers=above), approved=approved)

    asked = ask_approval(sizes, policy)

    assert (asked is not None) is (sum(sizes) > max(above, approved))
    if asked is not None:
        assert asked.cost == sum(price(size, POLICY.price_per_10k) for size in sizes)
        assert ask_approval(sizes, replace(policy, approved=asked.numbers)) is None
        assert ask_approval([*sizes, 1], replace(policy, approved=asked.numbers)) is not None


def test_the_sentence_has_numbers_cost_and_a_command_to_paste():
    guard = SpendingGuard(amount=Decimal("0.5"), currency="USD")

    asked = ask_approval([1200, 34], replace(POLICY, ask_above=guard))

    assert asked.what == "1,234 numbers for 0.58"
    assert "above EKYC_ASK_ABOVE (0.5 USD)" in asked.sentence
    assert "`ekyc run --approve 1234`" in asked.sentence
