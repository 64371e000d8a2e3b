"""Money by day and month (UTC): spent, held, what the provider says itself, and what was saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ekyc_tasks.ledger import ChargeRecord, LandedFile, Ledger
from ekyc_tasks.money import worth

_DAY, _MONTH = "%Y-%m-%d", "%Y-%m"


def accounts(ledger: Ledger, per_10k: Decimal | None) -> dict[str, Any]:
    """``days`` and ``months``, the newest first, each with what happened in it.

    ``spent`` and ``held`` are estimates by the price at the time of the upload; ``actual`` sums what the
    provider said of ``actual_batches`` of them; ``saved`` is by the price of now.
    """
    charges, files = ledger.history.charges(), ledger.history.files()
    return {
        "days": _by_period(charges, files, per_10k, _DAY),
        "months": _by_period(charges, files, per_10k, _MONTH),
    }


@dataclass(slots=True)
class _Period:
    batches: int = 0
    spent: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    actual: Decimal = Decimal(0)
    actual_batches: int = 0
    saved_numbers: int = 0

    def take(self, charge: ChargeRecord) -> None:
        self.batches += 1
        if charge.is_certain:
            self.spent += charge.price or 0
        else:
            self.held += charge.price or 0
        if charge.actual_amount is not None:
            self.actual += Decimal(charge.actual_amount)
            self.actual_batches += 1

    def as_data(self, name: str, per_10k: Decimal | None) -> dict[str, Any]:
        saved = worth(self.saved_numbers, per_10k)
        return {
            "period": name,
            "batches": self.batches,
            "spent": f"{self.spent:.2f}",
            "held": f"{self.held:.2f}",
            "actual": f"{self.actual:.2f}" if self.actual_batches else None,
            "actual_batches": self.actual_batches,
            "saved_numbers": self.saved_numbers,
            "saved": None if saved is None else f"{saved:.2f}",
        }


def _by_period(
    charges: Iterable[ChargeRecord], files: Iterable[LandedFile], per_10k: Decimal | None, pattern: str
) -> list[dict[str, Any]]:
    periods: defaultdict[str, _Period] = defaultdict(_Period)
    for charge in charges:
        periods[charge.started_at.strftime(pattern)].take(charge)
    for file in files:
        periods[file.planned_at.strftime(pattern)].saved_numbers += file.counts.not_bought
    return [period.as_data(name, per_10k) for name, period in sorted(periods.items(), reverse=True)]
