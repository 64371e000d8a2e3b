"""Whose account a key belongs to, as far as the provider tells."""

from __future__ import annotations

from ekyc_tasks.errors import AccessDenied, ProviderTrouble
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.provider import Provider


async def confirm_account(ledger: Ledger, provider: Provider) -> None:
    """Before a run buys anything: is it the account of this ledger? ConfigurationError where it is not.

    The provider names the account with a task only (DOC), so it is asked about the newest one, which is
    free. Where it does not tell, nobody can know, and the first question about the new task will.
    """
    task_id = ledger.history.newest_task()
    if task_id is None:
        return
    try:
        status = await provider.task(task_id)
    except (ProviderTrouble, AccessDenied):
        return
    if status.user_id is not None:
        ledger.facts.belongs_to_user(status.user_id)
