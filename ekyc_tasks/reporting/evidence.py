"""What is known about an upload of unknown outcome, in sentences for the person who decides.

Counts, times and money only: a sentence may be shown anywhere.
"""

from __future__ import annotations

from decimal import Decimal

from ekyc_tasks.ledger import Attempt, Batch

_NOBODY_KNOWS = "so the balance does not show whether this upload was charged"


def sentences(batch: Batch, attempt: Attempt, *, others: int) -> list[str]:
    """When, how many, what it should cost, how it ended, and what the account suggests.

    ``others``: attempts that may have been charged between the two looks at the balance.
    """
    expected = f"{attempt.price:.2f}" if attempt.price is not None else "unknown (no price is set)"
    return [
        f"Upload of {batch.numbers:,} numbers at {attempt.started_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"expected price {expected}.",
        f"Result: {attempt.words or 'not known'}.",
        _account(attempt, others),
    ]


def _account(attempt: Attempt, others: int) -> str:
    before, after = _decimal(attempt.balance_before), _decimal(attempt.balance_after)
    if before is None:
        return f"The balance before the upload is not known, {_NOBODY_KNOWS}."
    if after is None or attempt.looked_at is None:
        return f"The balance was {before} before the upload. It has not been checked since then."
    looks = (
        f"The balance was {before} before the upload and {after} at {attempt.looked_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if others:
        return f"{looks}. Other uploads happened between these two checks, {_NOBODY_KNOWS}."
    return f"{looks}: {_suggestion(_amount_charged(attempt, before - after), attempt.price)}."


def _amount_charged(attempt: Attempt, fallen: Decimal) -> Decimal:
    """What the account was charged: a balance may be topped up meanwhile, the day's use only grows
    (until the provider's day ends)."""
    before, after = _decimal(attempt.used_before), _decimal(attempt.used_after)
    if before is None or after is None:
        return fallen
    return max(fallen, after - before)


def _suggestion(charged: Decimal, price: Decimal | None) -> str:
    if charged <= 0:
        return "nothing was charged by then, so the provider probably did not take the upload"
    if price is not None and charged == price:
        return f"{charged} was charged, exactly the expected price, so the provider probably took the upload"
    return f"{charged} was charged, so the provider may have taken the upload"


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
