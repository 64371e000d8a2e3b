"""Ask the provider about one batch until its result can be fetched, it has failed, or time is up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ekyc_tasks.cadence import Cadence
from ekyc_tasks.clock import Clock
from ekyc_tasks.errors import ProviderTrouble, TaskUnknown
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState, TaskStatus
from ekyc_tasks.provider import Provider

# Seen: a task is unknown for a moment right after it was made. Only after this does "unknown" mean gone.
_GRACE = timedelta(minutes=2)
_UNKNOWN_TIMES = 5


@dataclass(frozen=True, slots=True)
class _Look:
    """What one question brought: an answer or trouble, and how much trouble in a row."""

    status: TaskStatus | None = None
    trouble: ProviderTrouble | None = None
    troubles: int = 0
    unknowns: int = 0


async def poll(
    batch_id: str,
    *,
    run_id: str,
    ledger: Ledger,
    provider: Provider,
    cadence: Cadence,
    clock: Clock,
    until: datetime,
) -> bool:
    """True: exported, fetch it. False: nothing to fetch (yet): still waiting, or the batch is FAILED.

    HTTP trouble is this batch's own affair and is waited out; AccessDenied is raised, for no
    question will fare better.
    """
    look = _Look()
    while True:
        batch = ledger.history.batch(batch_id)
        if batch.state is not BatchState.SUBMITTED:
            return batch.state in {BatchState.FETCHED, BatchState.LOADED}
        look = await _look(batch, provider, ledger, look)
        if look.status is not None and look.status.is_exported:
            ledger.progress.exported(batch_id, clock.now())
            return True
        if (why := _given_up(batch, look, clock)) is not None:
            ledger.progress.failed(batch_id, why=why, run_id=run_id)
            return False
        delay = _delay(batch, look, cadence, clock)
        remaining = (until - clock.now()).total_seconds()
        asked_to_wait = look.trouble is not None and look.trouble.retry_after
        if remaining <= 0 or (asked_to_wait and delay > remaining):
            return False
        await clock.sleep(min(delay, remaining))


async def _look(batch: Batch, provider: Provider, ledger: Ledger, before: _Look) -> _Look:
    try:
        status = await provider.task(batch.task_id or "")
    except ProviderTrouble as trouble:
        ledger.progress.polled(batch.batch_id, None)
        unknowns = before.unknowns + 1 if isinstance(trouble, TaskUnknown) else 0
        return _Look(trouble=trouble, troubles=before.troubles + 1, unknowns=unknowns)
    if status.user_id is not None:
        ledger.facts.belongs_to_user(status.user_id)
    ledger.progress.polled(batch.batch_id, status)
    return _Look(status=status)


def _given_up(batch: Batch, look: _Look, clock: Clock) -> str | None:
    """Why there is nothing to wait for any more, or None."""
    if look.status is not None and look.status.has_failed:
        return "the provider says that the task failed"
    waited = clock.now() - (batch.submitted_at or clock.now())
    if look.unknowns >= _UNKNOWN_TIMES and waited > _GRACE:
        return f"the provider no longer knows task {batch.task_id}"
    return None


def _delay(batch: Batch, look: _Look, cadence: Cadence, clock: Clock) -> float:
    if look.trouble is not None:
        return cadence.after_trouble(look.troubles, retry_after=look.trouble.retry_after)
    elapsed = (clock.now() - (batch.submitted_at or clock.now())).total_seconds()
    success, total = (look.status.success, look.status.total) if look.status else (None, None)
    return cadence.after_answer(elapsed, success=success, total=total)
