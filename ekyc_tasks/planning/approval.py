"""A plan above `EKYC_ASK_ABOVE` waits until a person approves it: nothing of it is in the ledger before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from ekyc_tasks.money import SpendingGuard, price
from ekyc_tasks.support.wording import count


class ApprovalPolicy(Protocol):
    """Above what a person is asked: a part of `PlanPolicy`."""

    @property
    def ask_above(self) -> SpendingGuard | None: ...
    @property
    def price_per_10k(self) -> Decimal | None: ...
    @property
    def approved(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person is asked for. It is given for at most so many numbers: a plan that grows asks again."""

    numbers: int
    cost: Decimal | None
    guard: SpendingGuard

    @property
    def what(self) -> str:
        return count(self.numbers, "number") + ("" if self.cost is None else f" for {self.cost:.2f}")

    @property
    def sentence(self) -> str:
        return (
            f"This plan would send {self.what}, which is above EKYC_ASK_ABOVE ({self.guard}). Nothing of it "
            f"was planned or sent. To send it, use `ekyc run --approve {self.numbers}`, or set Approve to "
            f"{self.numbers} in Prefect. If it is a mistake, remove the files from the landing folder."
        )


def ask_approval(sizes: Sequence[int], policy: ApprovalPolicy) -> Approval | None:
    """What is to be asked before batches of these sizes may be planned; None: nothing."""
    numbers = sum(sizes)
    cost = _add_prices(sizes, policy.price_per_10k)
    guard = policy.ask_above
    if guard is None or numbers <= policy.approved or not guard.asks(numbers, cost):
        return None
    return Approval(numbers, cost, guard)


def _add_prices(sizes: Sequence[int], per_10k: Decimal | None) -> Decimal | None:
    if per_10k is None:
        return None
    return sum((price(size, per_10k) or Decimal(0) for size in sizes), Decimal(0))
