"""Ask the provider about one batch until its result can be fetched, it has failed, or time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ekyc_tasks.cadence import Cadence
from ekyc_tasks.clock import Clock, sleep_until
from ekyc_tasks.errors import ProviderTrouble, TaskUnknown
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState, TaskStatus
from ekyc_tasks.provider import Provider

# Seen: a task is unknown for a moment right after it was made. Unknown this often in a row, and for the
# grace period, it is gone.
_UNKNOWN_TIMES = 3


@dataclass(frozen=True, slots=True)
class _Look:
    """What one question brought: an answer or trouble, and how much trouble in a row."""

    status: TaskStatus | None = None
    trouble: ProviderTrouble | None = None
    troubles: int = 0


async def poll(
    batch_id: str,
    *,
    run_id: str,
    ledger: Ledger,
    provider: Provider,
    cadence: Cadence,
    clock: Clock,
    until: datetime,
    grace: timedelta,
    told: Callable[[TaskStatus], Awaitable[None]] | None = None,
) -> bool:
    """True: exported, fetch it. False: nothing to fetch (yet): still waiting, or the batch is FAILED.

    HTTP trouble is this batch's own affair and is waited out; AccessDenied is raised, for no
    question will fare better. A task that stays unknown to the provider for ``grace`` has failed.
    ``told`` hears every answer after which it goes on waiting.
    """
    look = _Look()
    while True:
        batch = ledger.history.batch(batch_id)
        if batch.state is not BatchState.SUBMITTED:
            return batch.state in {BatchState.FETCHED, BatchState.LOADED}
        if batch.not_before is not None:  # the provider asked to be left alone, perhaps in an earlier run
            if batch.not_before > until:
                return False
            await sleep_until(clock, batch.not_before)
        look = await _look(batch, provider, ledger, look, clock, run_id=run_id)
        batch = ledger.history.batch(batch_id)
        if look.status is not None and look.status.is_exported:
            ledger.progress.exported(batch_id, clock.now(), run_id=run_id)
            return True
        if (why := _given_up(batch, look, grace, clock)) is not None:
            ledger.progress.failed(batch_id, why=why, run_id=run_id)
            return False
        if told is not None and look.status is not None:
            await told(look.status)
        remaining = (until - clock.now()).total_seconds()
        if remaining <= 0:
            return False
        if batch.not_before is None or batch.not_before <= until:
            await clock.sleep(min(_delay(batch, look, cadence, clock), remaining))


async def _look(
    batch: Batch, provider: Provider, ledger: Ledger, before: _Look, clock: Clock, *, run_id: str
) -> _Look:
    try:
        status = await provider.task(batch.task_id or "")
    except TaskUnknown as trouble:
        ledger.progress.unknown(batch.batch_id, run_id=run_id)
        return _Look(trouble=trouble, troubles=before.troubles + 1)
    except ProviderTrouble as trouble:
        pause = trouble.retry_after
        not_before = None if pause is None else clock.now() + timedelta(seconds=pause)
        ledger.progress.troubled(batch.batch_id, not_before=not_before, run_id=run_id)
        return _Look(trouble=trouble, troubles=before.troubles + 1)
    if status.user_id is not None:
        ledger.facts.belongs_to_user(status.user_id)
    ledger.progress.answered(batch.batch_id, status, run_id=run_id)
    return _Look(status=status)


def _given_up(batch: Batch, look: _Look, grace: timedelta, clock: Clock) -> str | None:
    """Why there is nothing to wait for any more, or None."""
    if look.status is not None and look.status.has_failed:
        return "the provider says that the task failed"
    is_unknown = batch.unknown_since is not None and batch.unknowns >= _UNKNOWN_TIMES
    if is_unknown and clock.now() - (batch.unknown_since or clock.now()) >= grace:
        return f"the provider no longer knows task {batch.task_id}"
    return None


def _delay(batch: Batch, look: _Look, cadence: Cadence, clock: Clock) -> float:
    if look.trouble is not None:
        return cadence.after_trouble(look.troubles, retry_after=look.trouble.retry_after)
    elapsed = (clock.now() - (batch.submitted_at or clock.now())).total_seconds()
    success, total = (look.status.success, look.status.total) if look.status else (None, None)
    return cadence.after_answer(elapsed, success=success, total=total)
