"""What a provider's account tells before a run buys, and after it; a sandbox keeps the books."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select
from support.batch_fixture import HOUR, KEY, PATIENCE
from support.fake_clock import FakeClock

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.exchange.check_account import AccountCheck, check_account, remember_account
from ekyc_tasks.exchange.fetch import fetch
from ekyc_tasks.exchange.poll import poll
from ekyc_tasks.exchange.poll_schedule import PollSchedule
from ekyc_tasks.exchange.submit import UploadPolicy, submit
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import NewBatch, connect_ledger
from ekyc_tasks.ledger.account_memory import look_of
from ekyc_tasks.ledger.engines import make_engine
from ekyc_tasks.ledger.tables import metadata
from ekyc_tasks.models import BatchState, Outcome, UploadResult
from ekyc_tasks.money import Balance
from ekyc_tasks.provider import Provider, ResultHosts
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.storage.paths import DataFolder

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]

RIGHT_PRICE = Decimal("4.50")  # of 10,000 numbers, as the sandbox charges
NOTHING = AccountCheck()
_serials = count(1)


class Place:
    """A ledger with its folder, beside a sandbox, and a run in it."""

    def __init__(self, root, url, sandbox, clock, key=KEY):
        root.mkdir()
        self.url, self.sandbox, self.clock, self.key = url, sandbox, clock, key
        self.folder = DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")
        self.open()
        self.run_id = self.opened_run()

    def open(self):
        self.ledger = connect_ledger(self.url, self.clock.now)

    def opened_run(self):
        run_id = f"run-{next(_serials)}"
        self.ledger.runs.opened(run_id, host="here", lease=timedelta(days=900))
        return run_id

    def check(self):
        """As a run that is about to buy does."""
        return self._with_provider(check_account)

    def remember(self):
        """As a run that has bought or fetched does."""
        return self._with_provider(remember_account)

    def run(self, numbers=1000, **how):
        """Check, buy, fetch and remember; what the two looks said."""
        before = self.check()
        self.get(self.buy(numbers, **how))
        return before, self.remember()

    def buy(self, numbers=1000, *, price=RIGHT_PRICE):
        batch_id = f"batch-{next(_serials)}"
        content = "".join(f"+4179{number:07}\n" for number in range(numbers)).encode()
        file = self.folder.batch_file(batch_id)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        new = NewBatch(batch_id, numbers, sha256(content).hexdigest())
        self.ledger.plans.planned(
            landed=[], new_batches=[new], links=[], task_type="tg_avatar", run_id=self.run_id
        )

        async def uploading():
            async with self.provider() as provider:
                return await submit(
                    batch_id,
                    StepContext(self.run_id, self.ledger, self.folder, self.clock),
                    provider,
                    policy=UploadPolicy(deadline=timedelta(seconds=20), price_per_10k=price),
                    until=self.clock.now() + HOUR,
                )

        assert asyncio.run(uploading()) is BatchState.SUBMITTED
        return batch_id

    def get(self, batch_id):
        owner = self.ledger.history.batch(batch_id).owner
        context = StepContext(owner, self.ledger, self.folder, self.clock)
        cadence = PollSchedule(1.0, 60.0, random=lambda: 0.5)
        until = self.clock.now() + HOUR

        async def fetching():
            async with self.provider() as provider:
                waiting = {"cadence": cadence, "until": until, "grace": HOUR}
                assert await poll(batch_id, context, provider, **waiting)
                hosts = ResultHosts((), is_local=True)
                await fetch(batch_id, context, provider, hosts=hosts, timeouts=PATIENCE)

        asyncio.run(fetching())

    def rows(self):
        """All that the ledger holds: a snapshot of its database."""
        with make_engine(self.url).connect() as connection:
            tables = metadata.sorted_tables
            return {
                table: [dict(row._mapping) for row in connection.execute(select(table))] for table in tables
            }

    def set_back(self, rows):
        with make_engine(self.url).begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
            for table in metadata.sorted_tables:
                if rows[table]:
                    connection.execute(insert(table), rows[table])

    def provider(self):
        return Provider(self.sandbox.base_url, self.key, timeouts=PATIENCE)

    def _with_provider(self, step):
        async def asking():
            async with self.provider() as provider:
                return await step(self.ledger, provider)

        return asyncio.run(asking())


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def places(tmp_path, url, empty_ledger, clock):
    """The ledger in question, and one that buys on the same account; ``options`` are the sandbox's."""

    @contextmanager
    def opened(account="new", **options):
        options = SandboxOptions(**{"processing_seconds": 0, "api_key": KEY} | options)
        with Sandbox(options, clock=clock.seconds) as sandbox:
            shutil.copy(empty_ledger, tmp_path / "other.db")
            here = Place(tmp_path / "here", url, sandbox, clock)
            other = Place(tmp_path / "other", f"sqlite:///{tmp_path}/other.db", sandbox, clock)
            with here.ledger, other.ledger:
                here.ledger.identity.note(account=account)
                yield here, other

    return opened


def is_spending(check, amount):
    """The question, with just this amount."""
    assert check.note is None
    assert check.question is not None
    assert check.question.name == "spending"
    assert f"The account spent {amount} since 2026-11-2" in check.question.text
    assert "--spent-elsewhere" in check.question.text
    return True


# ---------------------------------------------------------------- one ledger after the other


def test_a_ledger_that_buys_alone_is_never_asked(places, clock):
    with places() as (here, _):
        for days in (0, 0, 0.1, 2):
            clock.advance(days * 86400)
            assert here.run() == (NOTHING, NOTHING)
        assert here.check() == NOTHING
        assert len(here.sandbox.charges) == 4


def test_what_another_ledger_buys_is_a_question_with_the_amount(places, clock):
    with places() as (here, other):
        here.run()
        clock.advance(3600)
        other.get(other.buy(2000))

        asked = here.check()

        assert is_spending(asked, "0.90")
        clock.advance(86400)
        other.get(other.buy())  # until it is answered, the amount is that of then
        assert here.check() == asked
        assert here.remember() == NOTHING


def test_what_was_answered_is_not_asked_again(places, clock):
    with places() as (here, other):
        here.run()
        other.buy(2000)
        assert here.check().question is not None
        other.buy(1000)  # after the question

        assert here.ledger.accounts.accept("a person", "spent elsewhere", shared_since="today") == "spending"

        (answer,) = here.ledger.identity.answers()
        assert (answer.who, answer.question, answer.answer) == ("a person", "spending", "spent elsewhere")
        assert here.ledger.identity.fact("shared_since") == "today"
        assert here.ledger.accounts.pending() is None
        assert is_spending(here.check(), "0.45")
        assert here.ledger.accounts.accept("a person", "spent elsewhere") == "spending"
        assert here.check() == NOTHING
        assert here.run() == (NOTHING, NOTHING)


def test_an_answer_that_nobody_asked_for_changes_nothing(places):
    with places() as (here, _):
        here.run()
        before = here.rows()
        assert here.ledger.accounts.accept("a person", "spent elsewhere", account="shared") is None
        assert here.rows() == before


def test_what_others_buy_during_a_run_is_found_at_its_end(places):
    with places() as (here, other):
        here.check()
        batch_id = here.buy(100)
        other.buy(10_000)
        here.get(batch_id)
        assert is_spending(here.remember(), "at least 4.41")  # 4.545 less twice 0.045 and a block
        assert is_spending(here.check(), "at least 4.41")


def test_spending_on_a_shared_account_is_told_once(places):
    with places(account="shared") as (here, other):
        other.buy()
        assert here.check() == NOTHING  # a ledger that is new to it, as was said
        here.run()
        other.buy(100)

        told = here.check()

        assert told.question is None
        assert told.note.startswith("The account spent 0.045 since 2026-11-21 08:27 UTC")
        assert here.check() == NOTHING
        assert here.ledger.accounts.pending() is None


# ---------------------------------------------------------------- a new ledger


@pytest.mark.parametrize("account", ["new", None])
def test_a_new_ledger_on_a_used_account_asks(places, account):
    with places() as (here, other):
        if account is None:
            here.set_back(here.rows() | {metadata.tables["facts"]: []})
        other.buy(2000)

        asked = here.check()

        assert asked.question.name == "account"
        assert "used today (0.90)" in asked.question.text
        assert "ekyc import" in asked.question.text
        assert here.check() == asked
        assert here.ledger.accounts.accept("a person", "used", account="used") == "account"
        assert here.ledger.identity.fact("account") == "used"
        assert here.run() == (NOTHING, NOTHING)


def test_a_ledger_for_a_used_account_does_not_ask(places):
    with places(account="used") as (here, other):
        other.buy(2000)
        assert here.run() == (NOTHING, NOTHING)
        other.buy(2000)
        assert is_spending(here.check(), "0.90")


def test_a_new_account_is_no_question(places):
    with places() as (here, _):
        assert here.run() == (NOTHING, NOTHING)


def test_a_ledger_of_the_version_before_begins_with_what_it_is_told(places):
    with places() as (here, other):
        here.get(here.buy())
        other.buy()
        assert here.ledger.identity.fact("account_seen") is None
        assert here.check() == NOTHING
        other.buy()
        assert is_spending(here.check(), "0.45")


# ---------------------------------------------------------------- set back


@pytest.mark.parametrize("price", [RIGHT_PRICE, RIGHT_PRICE * Decimal("1.5"), None])
def test_a_purchase_that_a_set_back_ledger_has_forgotten_is_found(places, clock, price):
    with places() as (here, _):
        here.run(3000, price=price)
        clock.advance(3600)
        snapshot = here.rows()
        here.run(2000, price=price)
        clock.advance(3600)

        here.set_back(snapshot)

        assert is_spending(here.check(), "0.90")
        assert len(here.sandbox.charges) == 2


def test_a_restored_ledger_takes_the_account_as_it_is(places):
    with places() as (here, other):
        here.run()
        other.buy()
        here.ledger.identity.note(**here.ledger.accounts.answered_facts())
        assert here.check() == NOTHING
        other.buy(2000)
        assert is_spending(here.check(), "0.90")


def test_a_restored_ledger_without_a_purchase_does_not_ask(places):
    with places() as (here, other):
        other.buy()
        here.ledger.identity.note(**here.ledger.accounts.answered_facts())
        assert here.check() == NOTHING


def test_a_restored_ledger_that_was_asked_knows_what_it_was_asked_about(places):
    with places() as (here, other):
        here.run()
        other.buy()
        assert is_spending(here.check(), "0.45")
        other.buy(2000)
        here.ledger.identity.note(**here.ledger.accounts.answered_facts())
        assert is_spending(here.check(), "0.90")


# ---------------------------------------------------------------- what the provider tells


def test_without_a_balance_nothing_is_compared(places):
    with places(offers_balance=False) as (here, other):
        other.buy()
        assert here.run() == (NOTHING, NOTHING)
        other.buy()
        assert here.run() == (NOTHING, NOTHING)
        assert here.ledger.identity.fact("account_seen") is None


def test_a_balance_alone_shows_a_drop(places):
    with places(style="older") as (here, other):
        other.buy()  # which a new ledger is not told then
        assert here.run() == (NOTHING, NOTHING)
        other.buy(2000)
        assert is_spending(here.check(), "0.90")


def test_a_question_stays_open_without_another_look(places):
    with places() as (here, other):
        here.run()
        other.buy()
        asked = here.check()
        assert is_spending(asked, "0.45")
        asked_for = len(here.sandbox.calls)
        assert here.check() == asked
        assert [call.path for call in list(here.sandbox.calls)[asked_for:]] == ["/v1/gettasks"]


def test_trouble_with_the_balance_stops_nobody(places):
    with places(chaos=("balance:1=500", "balance:3=401")) as (here, other):
        assert here.run() == (NOTHING, NOTHING)
        other.buy()
        assert here.check() == NOTHING


def test_a_top_up_does_not_hide_what_was_used_since(places):
    class ToppedUp(Provider):
        async def balance(self):
            told = await super().balance()
            return replace(told, balance=told.balance + 50)

    with places() as (here, other):
        here.run()
        other.buy(2000)

        async def asking():
            async with ToppedUp(here.sandbox.base_url, KEY, timeouts=PATIENCE) as provider:
                return await check_account(here.ledger, provider)

        assert is_spending(asyncio.run(asking()), "0.90")


def test_a_key_of_another_account_ends_before_anything_is_compared(places):
    with places() as (here, _):
        here.run()
        here.ledger.identity.note(user_id="another")
        calls = len(here.sandbox.calls)
        with pytest.raises(ConfigurationError, match="belongs to another account"):
            here.check()
        assert [call.path for call in list(here.sandbox.calls)[calls:]] == ["/v1/gettasks"]


# ---------------------------------------------------------------- purchases under way


@pytest.mark.parametrize("price", [RIGHT_PRICE, None])
def test_uploads_under_way_are_no_question(places, clock, price):
    with places() as (here, _):
        here.run()
        batches = [here.buy(price=price) for _ in range(3)]
        assert here.check() == NOTHING
        clock.advance(86400)
        here.get(batches[0])
        assert here.remember() == NOTHING
        assert here.check() == NOTHING


def test_an_upload_without_a_price_hides_what_others_spend_once_only(places):
    with places() as (here, other):
        here.run()
        here.get(here.buy(price=None))
        other.buy()
        assert here.check() == NOTHING  # nobody can tell
        other.buy(2000)
        assert is_spending(here.check(), "0.90")


def test_a_run_that_ends_while_another_uploads_raises_no_question(places):
    with places() as (here, _):
        here.check()
        first = here.buy()
        here.run_id = here.opened_run()
        second = here.buy(5000)
        here.get(first)
        assert here.remember() == NOTHING
        assert here.check() == NOTHING
        here.get(second)
        assert here.remember() == NOTHING
        assert here.check() == NOTHING


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_upload_while_the_account_is_asked_is_explained(places, when):
    class Busy(Provider):
        """One that is asked for the balance while another run buys."""

        async def balance(self):
            if when == "before":
                await asyncio.to_thread(lambda: here.get(here.buy()))
            told = await super().balance()
            if when == "after":
                await asyncio.to_thread(lambda: here.get(here.buy()))
            return told

    with places() as (here, _):
        here.run()
        here.get(here.buy(5000))  # charged by then, so that the balance does not look as if it were behind

        async def asking():
            async with Busy(here.sandbox.base_url, KEY, timeouts=PATIENCE) as provider:
                return await check_account(here.ledger, provider)

        assert asyncio.run(asking()) == NOTHING
        assert here.check() == NOTHING


# ---------------------------------------------------------------- several at once, and the ledger itself


def a_look(ledger, balance, used=None):
    return look_of(ledger.accounts.moment(), Balance(Decimal(balance), used))


@pytest.fixture
def ledger(url, clock):
    with connect_ledger(url, clock.now) as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(days=900))
        yield ledger


def upload(ledger, batch_id, outcome=Outcome.ACCEPTED, price="1"):
    new = NewBatch(batch_id, 100, "0" * 64)
    ledger.plans.planned(landed=[], new_batches=[new], links=[], task_type="tg", run_id="run")
    attempt = ledger.uploads.intended(
        uuid4().hex,
        batch_id,
        run_id="run",
        deadline=HOUR,
        price=None if price is None else Decimal(price),
        budget=UploadPolicy(HOUR).budget,
        balance=None,
    )
    if outcome is Outcome.ACCEPTED:
        result = UploadResult(outcome, "", task_id=f"task of {batch_id}")
        ledger.uploads.accepted(attempt.attempt_id, result, run_id="run")
    elif outcome is not None:
        to = BatchState.HELD if outcome is Outcome.UNKNOWN else BatchState.PLANNED
        ledger.uploads.answered(attempt, UploadResult(outcome, ""), to=to, why="")


def fetched(ledger, batch_id):
    ledger.progress.fetched(batch_id, sha256="0" * 64, size=1, checked_at=ledger.now(), run_id="run")


def test_a_look_that_is_older_than_the_remembered_one_counts_for_nothing(ledger, clock):
    ledger.accounts.compared(a_look(ledger, "100"))
    clock.advance(1)
    slow = a_look(ledger, "90")
    clock.advance(1)
    found = ledger.accounts.compared(a_look(ledger, "90"))
    assert found.pending.unexplained.amount == 10
    assert ledger.accounts.compared(slow) == found  # two runs, one question
    ledger.accounts.accept("a person", "spent elsewhere")
    seen = ledger.identity.fact("account_seen")

    assert ledger.accounts.compared(slow).pending is None

    assert ledger.identity.fact("account_seen") == seen


def test_order_is_that_of_events_where_the_clock_is_set_back(ledger, clock):
    ledger.accounts.compared(a_look(ledger, "100"))
    clock.advance(-3600)
    upload(ledger, "batch")
    fetched(ledger, "batch")
    assert ledger.accounts.compared(a_look(ledger, "99")).pending is None
    assert ledger.accounts.compared(a_look(ledger, "98")).pending is not None


@pytest.mark.parametrize(
    ("outcome", "is_asked"),
    [
        (None, False),
        (Outcome.UNKNOWN, False),
        (Outcome.ACCEPTED, False),
        (Outcome.THROTTLED, True),
        (Outcome.NOT_SENT, True),
        (Outcome.NO_MONEY, True),
    ],
)
def test_only_what_may_be_charged_explains(ledger, outcome, is_asked):
    ledger.accounts.compared(a_look(ledger, "100"))
    upload(ledger, "batch", outcome)
    assert (ledger.accounts.compared(a_look(ledger, "99")).pending is not None) is is_asked


def test_a_batch_that_was_given_up_explains_for_a_month(ledger, clock):
    upload(ledger, "batch", Outcome.UNKNOWN)
    ledger.accounts.compared(a_look(ledger, "100"))
    clock.advance(29 * 86400)
    assert ledger.accounts.compared(a_look(ledger, "99")).pending is None
    clock.advance(2 * 86400)
    assert ledger.accounts.compared(a_look(ledger, "99")).pending is None
    assert ledger.accounts.compared(a_look(ledger, "98")).pending.unexplained.amount == 1


def test_a_batch_that_is_waited_for_explains_for_as_long(ledger, clock):
    upload(ledger, "batch")
    clock.advance(40 * 86400)
    ledger.accounts.compared(a_look(ledger, "100"))
    assert ledger.accounts.compared(a_look(ledger, "99")).pending is None


def test_an_archive_that_is_loaded_again_explains_nothing(ledger):
    upload(ledger, "batch")
    fetched(ledger, "batch")
    ledger.accounts.compared(a_look(ledger, "100"))
    ledger.progress.load_failed("batch", why="", run_id="run")
    found = ledger.accounts.compared(a_look(ledger, "99"))
    assert (found.pending.unexplained.amount, found.pending.unexplained.is_exact) == (1, True)


def test_the_unit_of_the_use_is_not_forgotten_with_a_question(ledger):
    ledger.accounts.compared(a_look(ledger, "100", Decimal(0)))
    assert ledger.accounts.compared(a_look(ledger, "99", Decimal(1))).pending.unexplained.amount == 1
    ledger.accounts.accept("a person", "spent elsewhere")
    assert ledger.accounts.compared(a_look(ledger, "500", Decimal(3))).pending.unexplained.amount == 2


def test_both_attempts_of_a_batch_explain_and_its_events_multiply_nothing(ledger):
    ledger.accounts.compared(a_look(ledger, "100"))
    upload(ledger, "batch", Outcome.UNKNOWN)
    ledger.decisions.resubmitted("batch", sources=[BatchState.HELD], why="")
    ledger.runs.claimed("run")
    ledger.uploads.intended(
        uuid4().hex,
        "batch",
        run_id="run",
        deadline=HOUR,
        price=Decimal(1),
        budget=UploadPolicy(HOUR).budget,
        balance=None,
    )
    # Two attempts, each twice its price and a block, which is the whole price here.
    assert ledger.accounts.compared(a_look(ledger, "93")).pending.unexplained.amount == 1


def test_what_is_pending_survives_as_it_was(ledger):
    ledger.accounts.compared(a_look(ledger, "100", Decimal(0)))
    found = ledger.accounts.compared(a_look(ledger, "87.655", Decimal("12.445")))
    assert found.pending == ledger.accounts.pending()
    assert found.pending.unexplained.amount == Decimal("12.345")
    assert found.pending.question == "spending"
