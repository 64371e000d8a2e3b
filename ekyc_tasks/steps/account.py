"""Whose account a key belongs to, as far as the provider tells."""

from __future__ import annotations

from ekyc_tasks.errors import AccessDenied, ProviderTrouble
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.provider import Provider


async def confirm_account(ledger: Ledger, provider: Provider) -> None:
    """Before a run buys anything: ConfigurationError where the provider names another account than this
    ledger's.

    It names one with the state of a task only (documented), so it is asked about the newest one, once a run:
    whether such a question costs anything is open. Where it does not answer, or knows no such task, nobody
    can tell before something was bought.
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
