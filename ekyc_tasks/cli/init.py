"""`ekyc init`: create a ledger, or confirm what happened to one. What is asked at a terminal is an option
elsewhere, and never guessed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from ekyc_tasks.cli.dotenv import add_to_dotenv
from ekyc_tasks.errors import ConfigurationError, ExitCode, PersonNeeded
from ekyc_tasks.installation import open_one, open_questions
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.setup import (
    LetGo,
    begin_restore,
    copy,
    is_copy,
    is_made,
    make,
    move,
    rebind,
    restore,
    who,
)
from ekyc_tasks.intake.rules import ReadingPolicy
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.ledger.accounts import ACCOUNT
from ekyc_tasks.models import Account
from ekyc_tasks.planning.waiting import plan_what_waits
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.runs.policies import PlanWishes, default_reading, plan_policy
from ekyc_tasks.settings import PREFIX, Settings, load_settings
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.wording import count

_EXAMPLE = "EKYC_API_KEY=… ekyc init --no-budget --account new"
_MONEY = ("price_per_10k", "budget_run", "budget_day", "budget_month")
_BATCHES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Choices:
    """What was said at the command line; None or False: not said.

    At most one of ``moved``, ``copied``, ``restored``, ``spent_elsewhere`` and ``rebound``: each answers one
    question about a ledger that is there.
    """

    account: Account | None = None
    price: str | None = None
    budgets: Mapping[str, str | None] | None = None  # by name of the setting
    no_budget: bool = False
    moved: bool = False
    copied: bool = False
    restored: bool = False
    spent_elsewhere: bool = False
    rebound: bool = False

    @property
    def answers(self) -> int:
        return sum((self.moved, self.copied, self.restored, self.spent_elsewhere, self.rebound))

    @property
    def settings(self) -> dict[str, str]:
        """What is to stand in `.env`, by name of the setting."""
        said = {"price_per_10k": self.price, **(self.budgets or {})}
        return {name: value for name, value in said.items() if value is not None}


def init(choices: Choices, out: Console, err: Console) -> ExitCode:
    """The exit code: 3 while a question about the ledger is open."""
    if choices.answers > 1:
        raise ConfigurationError("Use only one of --moved, --copy, --restored, --spent-elsewhere, --rebind.")
    settings = load_settings()
    if choices.answers:
        _answer(choices, settings, out)
        return ExitCode.DONE
    if not is_made(settings.site):
        _make(choices, settings, out)
        return ExitCode.DONE
    return _look_at_it(choices, settings, out, err)


def _make(choices: Choices, settings: Settings, out: Console) -> None:
    said = choices.settings
    lacking = list(_lacking(choices, settings))
    if lacking and not sys.stdin.isatty():
        raise ConfigurationError(
            f"Nothing was created. There is no terminal to ask questions, so {'; '.join(lacking)}. "
            f"Example: `{_EXAMPLE}`."
        )
    key = _ask_key(settings) if settings.api_key is None else None
    said |= _ask_money(choices, settings)
    account = choices.account or _ask_account()
    load_settings(**said)  # a wrong value is reported before it is saved
    values = {**({"api_key": key} if key else {}), **said}
    dotenv = add_to_dotenv(settings.home / ".env", values) if values else None
    settings = load_settings()
    ledger_id = make(settings.site, account=account)
    for line in _lines(ledger_id, settings, dotenv, account):
        out.print(line, markup=False, highlight=False)


def _lacking(choices: Choices, settings: Settings) -> Iterator[str]:
    if settings.api_key is None:
        yield "set EKYC_API_KEY"
    if not (choices.no_budget or _has_budget(choices, settings)):
        yield "use --no-budget, or --price 4.50 --budget-month 100"
    if choices.account is None:
        yield "use --account new, used or shared, to say whether the account has bought anything elsewhere"


def _has_budget(choices: Choices, settings: Settings) -> bool:
    budgets = (settings.budget_run, settings.budget_day, settings.budget_month)
    return any(budget is not None for budget in budgets) or any((choices.budgets or {}).values())


def _ask_key(settings: Settings) -> str:
    while not (key := typer.prompt(f"API key of {settings.host}", hide_input=True, err=True).strip()):
        pass
    return str(key)


def _ask_money(choices: Choices, settings: Settings) -> dict[str, str]:
    if choices.no_budget or _has_budget(choices, settings):
        return {}
    asked_for: dict[str, str] = {}
    if settings.price_per_10k is None and choices.price is None:
        price = _prompt("Price of 10,000 numbers, such as 4.50 (press Enter if not known: no budget)")
        if not price:
            return {}
        asked_for["price_per_10k"] = price
    if month := _prompt("Most to spend in one month (press Enter for no budget)"):
        asked_for["budget_month"] = month
    return asked_for


def _ask_account() -> Account:
    has_bought = typer.confirm("Has this account bought anything elsewhere before?", default=None, err=True)
    return Account.USED if has_bought else Account.NEW


def _prompt(text: str) -> str:
    return str(typer.prompt(text, default="", show_default=False, err=True)).strip()


def _lines(ledger_id: str, settings: Settings, dotenv: Path | None, account: Account) -> Iterator[str]:
    folder = settings.folder
    yield f"Ledger {ledger_id[:8]} was created in {folder.root}, for {settings.host}."
    if dotenv is not None:
        yield f"Your answers are saved in {dotenv}, which only you can read."
    if PREFIX + "API_KEY" in os.environ:
        yield "EKYC_API_KEY comes from the environment: every run needs it there, too."
    if account is Account.USED:
        yield "The ledger does not know what the account bought elsewhere. To add it: `ekyc import ARCHIVE…`."
    yield f"Next: drop files into {folder.landing}, then run `ekyc plan` and `ekyc run --limit 100`."


def _answer(choices: Choices, settings: Settings, out: Console) -> None:
    site = settings.site
    if choices.moved:
        move(site)
        said = f"The ledger now belongs to {site.folder.root}. The next run continues here."
    elif choices.rebound:
        rebind(site)
        said = f"From now on the ledger belongs to {site.host}."
    elif choices.spent_elsewhere:
        said = _accept_spending(settings)
    elif choices.copied:
        if is_copy(site):
            _plan_what_waits(settings)
        _show_let_go(copy(site), out, "left to the original, never sent from this copy")
        said = (
            "This copy now has its own ledger. Batches that are paid for are still fetched and loaded here."
        )
    else:
        if begin_restore(site):
            _plan_what_waits(settings)
        _show_let_go(restore(site), out, "held, because it may have been uploaded since")
        said = (
            "This ledger is older than its files or its account. Compare the held batches with the "
            "provider's web page. Then decide each batch with `ekyc resolve BATCH …`, or all of them with "
            "`ekyc resolve restored resubmit`."
        )
    out.print(said, markup=False, highlight=False)


def _plan_what_waits(settings: Settings) -> None:
    """So that a copy or a restored ledger also says what happens to these numbers."""
    with (
        open_one(settings.site) as ledger,
        run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
    ):
        context = StepContext(run_id, ledger, settings.folder, SystemClock())
        reading = ReadingPolicy(default_reading(settings))  # nothing is taken from the landing folder
        asyncio.run(plan_what_waits(context, plan_policy(settings, PlanWishes(), reading=reading)))


def _accept_spending(settings: Settings) -> str:
    with open_one(settings.site) as ledger:
        if ledger.accounts.accept(who(), "spent elsewhere") is None:
            return "There is no open question about the account's spending."
    return "The unexplained spending is recorded as somebody else's. The next run buys again."


def _show_let_go(let_go: LetGo, out: Console, what: str) -> None:
    for batch in let_go.batches[:_BATCHES_SHOWN]:
        out.print(f"Batch {batch.batch_id}, {batch.numbers:,} numbers: {what}.", highlight=False)
    if (more := len(let_go.batches) - _BATCHES_SHOWN) > 0:
        out.print(f"And {more:,} more: see `ekyc status`.", highlight=False)
    if let_go.landed:
        files = count(len(let_go.landed), "landed file")
        out.print(
            f"{files} moved to {let_go.landed[0].parent}, because their numbers may already be bought. "
            "To buy them anyway, drop them into the landing folder again.",
            markup=False,
            highlight=False,
        )


def _look_at_it(choices: Choices, settings: Settings, out: Console, err: Console) -> ExitCode:
    """There is a ledger: what a person has to say about it, asked where somebody can answer."""
    with open_one(settings.site) as ledger:
        if choices.account is not None:
            _say_account(ledger, choices.account)
            out.print(f"The account is now recorded as {choices.account.value}.")
        questions = open_questions(ledger, settings.site)
        ledger_id = ledger.identity.ledger_id() or ""
    if not questions:
        out.print(
            f"{settings.folder.root} already has its ledger {ledger_id[:8]}. There are no open questions.",
            markup=False,
            highlight=False,
        )
        return ExitCode.DONE
    for question in questions:
        err.print(question.text, markup=False, highlight=False)
    if sys.stdin.isatty() and questions[0].name == "place":
        _answer(_ask_place(), settings, out)
        return ExitCode.DONE
    return ExitCode.PERSON_NEEDED


def _say_account(ledger: Ledger, account: Account) -> None:
    facts = {ACCOUNT: account.value}
    if ledger.accounts.accept(who(), account.value, **facts) is None:
        ledger.identity.answered(who(), ACCOUNT, account.value, **facts)


def _ask_place() -> Choices:
    said = typer.prompt(
        "moved, copy or restored? (press Enter to decide later)", default="", show_default=False, err=True
    )
    words = {"moved": Choices(moved=True), "copy": Choices(copied=True), "restored": Choices(restored=True)}
    if said not in words:
        raise PersonNeeded("Nothing was changed.")
    return words[said]
