"""What the account showed at two times, compared with what the ledger may have bought between them.

If no purchase explains what the account spent, another ledger or person buys with it, or this ledger was set
back. A false alarm stops all buying, so what the ledger explains is an upper bound, and what cannot be known
counts as explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from ekyc_tasks.money import BLOCK, Balance

_NOTHING = Decimal(0)
_NOISE = Decimal("0.01")  # the provider rounds amounts
_LARGEST = Decimal(10) ** 15
_LATEST_CHARGE = timedelta(days=30)  # for a batch that is no longer waited for, and was never fetched
_LAG = timedelta(minutes=10)  # that a balance may be behind


@dataclass(frozen=True, slots=True)
class Moment:
    """Before the account was asked: the ledger's time, and its newest event, which sets order even where
    clocks are set back."""

    at: datetime
    event: int


@dataclass(frozen=True, slots=True)
class AccountReading:
    """What the account showed, and when it was asked.

    ``used_is_money``: the day's use was seen to grow by what the balance fell. Its unit is not documented,
    so before that it says nothing.
    """

    at: datetime
    event: int
    balance: Decimal
    used_today: Decimal | None = None
    used_is_money: bool = False

    def is_before(self, other: AccountReading) -> bool:
        return (self.event, self.at) < (other.event, other.at)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One upload that was charged or may have been.

    ``actual`` is the provider's word on its batch. ``is_awaited``: the provider is at work on it now.
    ``fetched_event`` is None until the archive is ours, ``last_event_at`` when its batch changed last.
    """

    started_at: datetime
    numbers: int
    price: Decimal | None
    actual: Decimal | None
    is_awaited: bool
    fetched_event: int | None
    last_event_at: datetime

    @property
    def most(self) -> Decimal | None:
        """The most that it may have cost; None: not known.

        A configured price may be off, so it counts twice, and a block for numbers that are counted otherwise.
        Beside an actual amount it counts once, because it may be taken first and given back in part later.
        """
        if self.actual:
            return max(self.actual + _NOISE, self.price or _NOTHING)
        if not self.price:
            return None
        blocks = max(1, -(-self.numbers // BLOCK))
        return 2 * self.price + self.price / blocks

    @property
    def least(self) -> Decimal:
        """The least that it costs once it is charged, by the same doubt."""
        return max((self.actual or self.price or _NOTHING) / 2, _NOISE)

    def is_settled(self, look: AccountReading) -> bool:
        """Whether it was charged by the time of ``look``, if ever: a provider may charge with the export."""
        if self.fetched_event is not None and self.fetched_event <= look.event:
            return True
        return not self.is_awaited and self.last_event_at < look.at - _LATEST_CHARGE


@dataclass(frozen=True, slots=True)
class Unexplained:
    """What the account spent ``since`` then without this ledger; ``since`` None: before it bought anything.

    Not ``is_exact``: at least so much, for purchases in between may have cost less than they explain.
    """

    amount: Decimal
    since: datetime | None
    is_exact: bool = True


def look_of(moment: Moment, balance: Balance) -> AccountReading | None:
    """None for a balance that no account holds."""
    amount = believed(balance.balance)
    if amount is None:
        return None
    return AccountReading(moment.at, moment.event, amount, believed(balance.used_today))


def believed(amount: Decimal | None) -> Decimal | None:
    """None for an amount that cannot be used: the provider may return any number."""
    return None if amount is None or abs(amount) > _LARGEST else amount


def unexplained(
    seen: AccountReading, look: AccountReading, purchases: Iterable[Purchase]
) -> Unexplained | None:
    """None where all is explained, or where it cannot be known.

    ``purchases`` are read after the account has answered, so that none is missing that it may have charged.
    """
    spent = spent_between(seen, look)
    if spent < _NOISE:
        return None
    explained = _NOTHING
    is_exact = True
    for purchase in purchases:
        if purchase.is_settled(seen):
            continue
        if (most := purchase.most) is None:
            return None
        explained += most
        is_exact = False
    amount = spent - explained
    return Unexplained(amount, seen.at, is_exact) if amount >= _NOISE else None


def used_before(look: AccountReading) -> Unexplained | None:
    """What the first look of a ledger that has bought nothing shows about the account."""
    return Unexplained(look.used_today, None) if look.used_today and look.used_today > 0 else None


def spent_between(seen: AccountReading, look: AccountReading) -> Decimal:
    """What the account spent by its own words. A top-up hides spending from the balance; within a UTC day the
    day's use still shows it, and less of that is the provider's new day."""
    fallen = seen.balance - look.balance
    risen = _risen(seen, look) if seen.used_is_money else None
    return max(fallen, risen or _NOTHING, _NOTHING)


def remembered(
    seen: AccountReading | None, look: AccountReading, purchases: Sequence[Purchase]
) -> AccountReading:
    """Which look the next one is compared with: this one, unless it is behind what was bought."""
    if seen is None:
        return look
    is_money = seen.used_is_money or _agree(seen, look)
    return replace(seen if _is_behind(seen, look, purchases) else look, used_is_money=is_money)


def tells(balance: Balance | None, user_id: str | None) -> str:
    """What can be noticed from the provider's answers: the end of a sentence that begins with its name."""
    if balance is None:
        what = "no balance and no account" if user_id is None else "the account, but no balance"
        return f"returns {what}: spending outside this ledger cannot be noticed"
    whose = "" if user_id is None else " and the account"
    if balance.used_today is None:
        return (
            f"returns the balance{whose}: spending outside this ledger is noticed, unless a top-up hides it"
        )
    return f"returns the balance, the day's usage{whose}: spending outside this ledger is noticed"


def _is_behind(seen: AccountReading, look: AccountReading, purchases: Iterable[Purchase]) -> bool:
    """What was fetched just now does not show: it would pass for somebody else's once it does."""
    fresh = [
        purchase.least
        for purchase in purchases
        if purchase.is_settled(look)
        and not purchase.is_settled(seen)
        and purchase.started_at >= seen.at - _LAG
        and purchase.last_event_at >= look.at - _LAG
    ]
    return spent_between(seen, look) < sum(fresh, _NOTHING)


def _agree(seen: AccountReading, look: AccountReading) -> bool:
    fallen, risen = seen.balance - look.balance, _risen(seen, look)
    return risen is not None and fallen >= _NOISE and abs(fallen - risen) <= _NOISE


def _risen(seen: AccountReading, look: AccountReading) -> Decimal | None:
    if seen.used_today is None or look.used_today is None or seen.at.date() != look.at.date():
        return None
    return look.used_today - seen.used_today
