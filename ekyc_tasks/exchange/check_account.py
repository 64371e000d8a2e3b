"""Whose account a key belongs to, and what it spent without this ledger, as far as the provider says."""

from __future__ import annotations

from dataclasses import dataclass

from ekyc_tasks.errors import AccessDenied, EkycError, ProviderTrouble
from ekyc_tasks.installation import Question
from ekyc_tasks.installation.questions import account_question, spending
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.ledger.account_memory import look_of
from ekyc_tasks.provider import Provider


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """``question`` waits for a person, and nothing may be bought until then; ``note`` is only shown."""

    question: Question | None = None
    note: str | None = None


async def check_account(ledger: Ledger, provider: Provider) -> AccountCheck:
    """Before a run buys anything, once: is it this ledger's account, and does the ledger explain what it
    spent since it was asked last?

    ConfigurationError as `confirm_account`. Where the provider returns no balance, nothing is compared; a
    question that was asked stays open until a person answers.
    """
    await confirm_account(ledger, provider)
    if (pending := ledger.accounts.pending()) is not None:
        return AccountCheck(account_question(pending))
    return await _compare(ledger, provider)


async def remember_account(ledger: Ledger, provider: Provider) -> AccountCheck:
    """After a run has bought or fetched something: what the account shows now, for the next run to compare
    with. What others spent meanwhile is found here as well.

    A courtesy: an error of the provider is no problem here. A question that is already open is not repeated.
    """
    if ledger.accounts.pending() is not None:
        return AccountCheck()
    return await _compare(ledger, provider)


async def confirm_account(ledger: Ledger, provider: Provider) -> None:
    """ConfigurationError where the provider names another account than this ledger's.

    It names one with the state of a task only (documented), so it is asked about the newest one, once a run:
    whether such a question costs anything is open. Where it does not answer, or knows no such task, the
    account is not known before something was bought.
    """
    task_id = ledger.uploads.newest_task()
    if task_id is None:
        return
    try:
        status = await provider.task(task_id)
    except (ProviderTrouble, AccessDenied):
        return
    if status.user_id is not None:
        ledger.facts.belongs_to_user(status.user_id)


async def _compare(ledger: Ledger, provider: Provider) -> AccountCheck:
    """The order matters: uploads that the balance may include began before it, and are read after it."""
    moment = ledger.accounts.moment()
    try:
        balance = await provider.balance()
    except EkycError:
        return AccountCheck()
    look = None if balance is None else look_of(moment, balance)
    if look is None:
        return AccountCheck()
    compared = ledger.accounts.compared(look)
    if compared.pending is not None:
        return AccountCheck(account_question(compared.pending))
    if compared.told is not None:
        return AccountCheck(note=f"{spending(compared.told)}. Others share this account, so runs continue.")
    return AccountCheck()
