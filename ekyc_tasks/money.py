"""Price, budgets, and what a balance says. Amounts are Decimal, in the provider's currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

BLOCK = 100  # the provider charges every begun block of 100 numbers (price list of a sibling)


def price(numbers: int, per_10k: Decimal | None) -> Decimal | None:
    """What an upload is expected to cost; None when no price is set."""
    if per_10k is None:
        return None
    blocks = -(-numbers // BLOCK)
    return blocks * BLOCK * per_10k / 10_000


def worth(numbers: int, per_10k: Decimal | None) -> Decimal | None:
    """What so many numbers more or less make, blocks aside."""
    return None if per_10k is None else numbers * per_10k / 10_000


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent in a run, a day and a month (UTC); None: no limit."""

    run: Decimal | None = None
    day: Decimal | None = None
    month: Decimal | None = None

    def exceeds(self, cost: Decimal | None, *, run: Decimal, day: Decimal, month: Decimal) -> str | None:
        """Which budget ``cost`` does not fit into any more, given what was spent, or None."""
        for name, limit, spent in (
            ("run", self.run, run),
            ("day", self.day, day),
            ("month", self.month, month),
        ):
            if limit is not None and cost is not None and spent + cost > limit:
                return (
                    f"the budget of this {name} is {limit}, {spent:.2f} is already spent, "
                    f"{cost:.2f} more is needed"
                )
        return None


NO_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class SpendingGuard:
    """A person is asked before more is spent at once: more than ``numbers``, or than ``amount``."""

    numbers: int | None = None
    amount: Decimal | None = None
    currency: str = ""  # as a person wrote it: prices have none

    def asks(self, numbers: int, cost: Decimal | None) -> bool:
        is_many = self.numbers is not None and numbers > self.numbers
        is_dear = self.amount is not None and cost is not None and cost > self.amount
        return is_many or is_dear

    def __str__(self) -> str:
        return f"{self.numbers:,} numbers" if self.numbers is not None else f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class Balance:
    """What `GET /v1/balance` says; ``used_today`` only where the provider's newer page applies."""

    balance: Decimal
    used_today: Decimal | None = None
    credit: Decimal | None = None

    def too_small_for(self, cost: Decimal) -> str | None:
        """Why an upload at this cost would be refused, or None. A credit may be spent too."""
        available = self.balance + max(self.credit or Decimal(0), Decimal(0))
        return f"the balance is {available}, but {cost:.2f} is needed" if cost > available else None


def has_moved(before: Balance | None, after: Balance | None) -> bool:
    """Something was charged between two looks: less balance, or more used. False when it is not known."""
    if before is None or after is None:
        return False
    used = (
        before.used_today is not None
        and after.used_today is not None
        and after.used_today > before.used_today
    )
    return after.balance < before.balance or used
