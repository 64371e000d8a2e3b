"""What an account spent that no purchase explains: never a false alarm, exact where nothing is under way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_clock import START

from ekyc_tasks.ledger.account_memory import (
    AccountReading,
    Moment,
    Purchase,
    Unexplained,
    look_of,
    remembered,
    spent_between,
    tells,
    unexplained,
    used_before,
)
from ekyc_tasks.money import Balance

MIDNIGHT = START.replace(hour=0, minute=0, second=0)
SEEN_EVENT = 10


def look(balance, used=None, *, hours=0, event=SEEN_EVENT, is_money=True):
    at = START + timedelta(hours=hours)
    return AccountReading(at, event, Decimal(balance), None if used is None else Decimal(used), is_money)


def purchase(price=None, actual=None, *, numbers=100, fetched=None, days=0, is_awaited=False):
    """One whose batch changed last so many days after the first look."""
    return Purchase(
        START + timedelta(days=days),
        numbers,
        None if price is None else Decimal(price),
        None if actual is None else Decimal(actual),
        is_awaited,
        fetched,
        START + timedelta(days=days),
    )


NOW, THEN = SEEN_EVENT + 1, SEEN_EVENT  # the archive was ours after the first look, or by then

ARITHMETIC = [  # what the account told at first, and then; what was bought; what is not explained
    ("nothing happened", ("100", "5"), ("100", "5"), [], None),
    ("somebody spent", ("100", "5"), ("87.66", "17.34"), [], "12.34"),
    ("a balance alone", ("100",), ("99",), [], "1"),
    ("less than a cent", ("100",), ("99.991",), [], None),
    ("a cent", ("100",), ("99.99",), [], "0.01"),
    ("a top-up", ("1", "5"), ("100", "5"), [], None),
    ("a top-up that hides it", ("1", "5"), ("100", "7"), [], "2"),
    ("the provider's day has ended", ("100", "50"), ("98", "2"), [], "2"),
    ("an account in debt", ("-1",), ("-3",), [], "2"),
    ("bought and charged", ("100",), ("99",), [purchase("1", fetched=NOW)], None),
    ("bought and not charged yet", ("100",), ("100",), [purchase("1", is_awaited=True)], None),
    ("twice the estimate and a block", ("100",), ("97",), [purchase("1", fetched=NOW)], None),
    ("more than that", ("100",), ("95",), [purchase("1", fetched=NOW)], "2"),
    ("a block of ten", ("100",), ("95",), [purchase("1", numbers=1000, fetched=NOW)], "2.9"),
    ("settled before", ("100",), ("99",), [purchase("1", fetched=THEN)], "1"),
    ("told what it cost", ("100",), ("97",), [purchase("1", "1.5", fetched=NOW)], "1.49"),
    ("told that it cost less", ("100",), ("99",), [purchase("1", "0.5", fetched=NOW)], None),
    ("told, and no price is set", ("100",), ("97",), [purchase(None, "1.5", fetched=NOW)], "1.49"),
    ("told that it cost nothing", ("100",), ("97",), [purchase(None, "0", fetched=NOW)], None),
    ("no price is set", ("100",), ("1",), [purchase("1", fetched=NOW), purchase(is_awaited=True)], None),
    ("a price of nothing", ("100",), ("1",), [purchase("0", fetched=NOW)], None),
    ("no price, settled before", ("100",), ("99",), [purchase(fetched=THEN)], "1"),
    ("given up lately", ("100",), ("99",), [purchase("1", days=-29)], None),
    ("given up long ago", ("100",), ("99",), [purchase("1", days=-31)], "1"),
    ("waited for since long ago", ("100",), ("99",), [purchase("1", days=-31, is_awaited=True)], None),
]


@pytest.mark.parametrize("row", ARITHMETIC, ids=lambda row: row[0])
def test_what_is_not_explained(row):
    _, before, after, purchases, amount = row
    seen = look(*before)
    is_exact = all(each.is_settled(seen) for each in purchases)
    expected = None if amount is None else Unexplained(Decimal(amount), START, is_exact)
    assert unexplained(seen, look(*after, hours=1, event=20), purchases) == expected


@pytest.mark.parametrize(
    ("used", "hours", "is_money", "spent"),
    [("7", 1, True, 2), ("7", 1, False, 0), ("7", 24, True, 0), ("3", 1, True, 0), (None, 1, True, 0)],
    ids=["the same day", "of unknown unit", "another day", "a new day of theirs", "not told"],
)
def test_the_use_of_the_day_counts_within_it(used, hours, is_money, spent):
    assert spent_between(look("1", "5", is_money=is_money), look("100", used, hours=hours)) == spent


@pytest.mark.parametrize(
    ("balance", "used", "is_money"),
    [("98", "7", True), ("98", "2054", False), ("98", None, False), ("100", "5", False), ("200", "7", False)],
    ids=["as much", "counted in numbers", "not told", "nothing spent", "topped up"],
)
def test_the_unit_of_the_use_is_learnt_where_both_agree(balance, used, is_money):
    seen = remembered(look("100", "5", is_money=False), look(balance, used, event=20, is_money=False), [])
    assert seen.used_is_money is is_money
    assert remembered(seen, look("1", None, event=30, is_money=False), []).used_is_money is is_money


BEHIND = [  # what the balance fell by, what was bought, and whether the new look is remembered
    ("nothing was bought", "0", [], True),
    ("charged", "1", [purchase("1", fetched=NOW)], True),
    ("charged less than estimated", "0.5", [purchase("1", fetched=NOW)], True),
    ("fetched and not charged yet", "0", [purchase("1", fetched=NOW)], False),
    ("one of three charged", "1", [purchase("1", fetched=NOW)] * 3, False),
    ("still under way", "0", [purchase("1", is_awaited=True)], True),
    ("fetched before", "0", [purchase("1", fetched=THEN)], True),
    ("fetched a day ago", "0", [purchase("1", fetched=NOW, days=-1)], True),
    ("no price is set, charged", "1", [purchase(fetched=NOW)], True),
    ("no price is set, not charged", "0", [purchase(fetched=NOW)], False),
]


@pytest.mark.parametrize("row", BEHIND, ids=lambda row: row[0])
def test_a_balance_that_is_behind_is_not_remembered(row):
    _, fallen, purchases, is_remembered = row
    seen, new = look("100"), look(Decimal(100) - Decimal(fallen), event=20)
    assert remembered(seen, new, purchases) == (new if is_remembered else seen)


def test_a_balance_is_behind_for_minutes_only():
    fetched = purchase("1", fetched=NOW)
    seen, later = look("100"), look("100", hours=1, event=20)
    assert remembered(seen, later, [fetched]) == later


def test_the_first_look_is_remembered():
    assert remembered(None, look("100", is_money=False), []) == look("100", is_money=False)


@pytest.mark.parametrize(
    ("used", "found"),
    [(None, None), ("0", None), ("2.5", Unexplained(Decimal("2.5"), None))],
    ids=["not told", "unused", "used"],
)
def test_an_account_that_was_used_before(used, found):
    assert used_before(look("100", used)) == found


@pytest.mark.parametrize("amount", ["1E+999999", "-1E+999999", "1E+16"])
def test_an_amount_that_no_account_holds_is_none(amount):
    moment = Moment(START, 1)
    assert look_of(moment, Balance(Decimal(amount), Decimal(1))) is None
    assert look_of(moment, Balance(Decimal(1), Decimal(amount))) == AccountReading(START, 1, Decimal(1))


@pytest.mark.parametrize(
    ("balance", "user_id", "sentence"),
    [
        (None, None, "returns no balance and no account: spending outside this ledger cannot be noticed"),
        (None, "u", "returns the account, but no balance: spending outside this ledger cannot be noticed"),
        (
            (1,),
            None,
            "returns the balance: spending outside this ledger is noticed, unless a top-up hides it",
        ),
        ((1, 1), None, "returns the balance, the day's usage: spending outside this ledger is noticed"),
        (
            (1, 1),
            "u",
            "returns the balance, the day's usage and the account: spending outside this ledger is noticed",
        ),
    ],
)
def test_what_can_be_noticed_is_told(balance, user_id, sentence):
    told = None if balance is None else Balance(*map(Decimal, balance))
    assert tells(told, user_id) == sentence


# ---------------------------------------------------------------- any history


@dataclass
class World:
    """An account that charges as it likes, and a ledger that remembers what it told."""

    day_ends: int = 0  # the hour (UTC) at which the provider's day ends
    digits: int = 6  # in which it tells amounts
    time: object = MIDNIGHT
    event: int = 0
    balance: Decimal = Decimal(1000)
    uses: list = field(default_factory=list)  # when, how much
    underway: list = field(default_factory=list)  # purchases, what each costs, whether it was charged
    over: list = field(default_factory=list)
    seen: AccountReading | None = None

    def look(self):
        """At the start or the end of a run."""
        day = (self.time - timedelta(hours=self.day_ends)).date()
        used = sum(
            (amount for at, amount in self.uses if (at - timedelta(hours=self.day_ends)).date() == day),
            Decimal(0),
        )
        now = AccountReading(self.time, self.event, self._told(self.balance), self._told(used))
        purchases = self.over + [bought for bought, *_ in self.underway]
        found = None if self.seen is None else unexplained(self.seen, now, purchases)
        if found is None:
            self.seen = remembered(self.seen, now, purchases)
        return found

    def buy(self, cost, off, is_late):
        self.event += 1
        price = None if off is None else cost * (1 + off)
        bought = Purchase(self.time, 250, price, None, True, None, self.time)
        self.underway.append((bought, cost, not is_late))
        if not is_late:
            self.charge(cost)

    def fetch(self, tells_amount):
        for bought, cost, is_charged in self._taken():
            if not is_charged:
                self.charge(cost)
            actual = cost if tells_amount else None
            self._end(bought, fetched_event=self.event + 1, actual=actual)

    def lose(self, is_charged_later):
        """Nobody will wait for it any more; it may be charged in spite of that."""
        for bought, cost, is_charged in self._taken():
            self._end(bought)
            if is_charged_later and not is_charged:
                self.wait(29 * 24 * 60)
                self.charge(cost)

    def charge(self, amount):
        self.balance -= amount
        self.uses.append((self.time, amount))

    def top_up(self, amount):
        self.balance += amount

    def wait(self, minutes):
        self.time += timedelta(minutes=minutes)

    def _taken(self):
        taken, self.underway = self.underway[:1], self.underway[1:]
        return taken

    def _end(self, bought, **values):
        self.event += 1
        self.over.append(replace(bought, is_awaited=False, last_event_at=self.time, **values))

    def _told(self, amount):
        return round(amount, self.digits)


COSTS = st.decimals("0.045", "900", places=3)
OFF = st.none() | st.decimals("-0.5", "0.5", places=2)
STEPS = st.one_of(
    st.tuples(st.just("look")),
    st.tuples(st.just("buy"), COSTS, OFF, st.booleans()),
    st.tuples(st.just("fetch"), st.booleans()),
    st.tuples(st.just("lose"), st.booleans()),
    st.tuples(st.just("top_up"), COSTS),
    st.tuples(st.just("wait"), st.integers(1, 3000)),
)
WORLDS = st.builds(World, day_ends=st.integers(0, 23), digits=st.sampled_from([2, 6]))


@given(WORLDS, st.lists(STEPS, max_size=30))
def test_own_purchases_are_never_a_question(world, steps):
    for name, *arguments in [("look",), *steps, ("look",)]:
        assert getattr(world, name)(*arguments) is None


OFF_BY_HALF = st.decimals("-0.5", "0.5", places=2)
RUNS = st.lists(st.lists(st.tuples(COSTS, OFF_BY_HALF, st.booleans()), max_size=3), max_size=4)


@given(WORLDS, RUNS, st.decimals("1", "500", places=2), st.integers(0, 6000))
def test_what_others_spend_between_two_runs_is_found_exactly(world, runs, amount, minutes):
    world = replace(world, digits=6)
    for purchases in [[], *runs]:
        world.look()
        for each in purchases:
            world.buy(*each)
        for _ in purchases:
            world.fetch(False)
        world.look()
        since = world.time
        world.wait(minutes)
    world.charge(amount)
    assert world.look() == Unexplained(amount, since)
