"""Ask the account about uploads whose process died: only the account can still show what happened."""

from __future__ import annotations

from ekyc_tasks.ledger import Ledger
from ekyc_tasks.provider import Provider


async def explain(*, ledger: Ledger, provider: Provider) -> int:
    """Note the balance of now on every held attempt that lacks one; how many there were.

    It says most right after the upload: a run that finds such a batch asks before it uploads anything.
    """
    unexplained = ledger.uploads.unexplained()
    balance = await provider.balance() if unexplained else None
    if balance is None:
        return 0
    for attempt in unexplained:
        ledger.uploads.looked(attempt.attempt_id, balance)
    return len(unexplained)
