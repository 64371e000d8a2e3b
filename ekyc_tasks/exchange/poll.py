"""Ask the provider about one batch until its result can be fetched, it has failed, or time is up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ekyc_tasks.errors import ProviderTrouble, TaskUnknown
from ekyc_tasks.exchange.poll_schedule import PollSchedule
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Batch
from ekyc_tasks.models import BatchState, TaskStatus
from ekyc_tasks.provider import Provider
from ekyc_tasks.support.clock import Clock, sleep_until

# Seen: a task is unknown for a moment right after it was made. Unknown this often in a row, and for the
# grace period, it is gone.
_UNKNOWN_TIMES = 3


@dataclass(frozen=True, slots=True)
class _PollResult:
    """What one question brought: an answer or trouble, how much trouble in a row, and the batch since."""

    batch: Batch
    status: TaskStatus | None = None
    trouble: ProviderTrouble | None = None
    troubles: int = 0


async def poll(
    batch_id: str,
    context: StepContext,
    provider: Provider,
    *,
    cadence: PollSchedule,
    until: datetime,
    grace: timedelta,
    told: Callable[[TaskStatus], Awaitable[None]] | None = None,
) -> bool:
    """True: exported, fetch it. False: nothing to fetch (yet): still waiting, or the batch is FAILED.

    HTTP trouble is this batch's own affair and is waited out; AccessDenied is raised, for no
    question will succeed. A task that stays unknown to the provider for ``grace`` has failed.
    ``told`` is called with every answer after which it continues to wait.
    """
    ledger, clock = context.ledger, context.clock
    troubles = 0
    while True:
        batch = ledger.history.batch(batch_id)
        if batch.state is not BatchState.SUBMITTED:
            return batch.state.has_archive
        if batch.not_before is not None:  # the provider asked to be left alone, perhaps in an earlier run
            if batch.not_before > until:
                return False
            await sleep_until(clock, batch.not_before)
        look = await _look(batch, context, provider, troubles)
        if look.status is not None and look.status.is_exported:
            ledger.progress.exported(batch_id, clock.now(), run_id=context.run_id)
            return True
        if (why := _why_give_up(look, grace, clock)) is not None:
            ledger.progress.failed(batch_id, why=why, run_id=context.run_id)
            return False
        if told is not None and look.status is not None:
            await told(look.status)
        remaining = (until - clock.now()).total_seconds()
        if remaining <= 0:
            return False
        if look.batch.not_before is None or look.batch.not_before <= until:
            await clock.sleep(min(_delay(look, cadence, clock), remaining))
        troubles = look.troubles


async def _look(batch: Batch, context: StepContext, provider: Provider, troubles: int) -> _PollResult:
    ledger, run_id = context.ledger, context.run_id
    try:
        status = await provider.task(batch.task_id or "")
    except TaskUnknown as trouble:
        batch = ledger.progress.unknown(batch.batch_id, run_id=run_id)
        return _PollResult(batch, trouble=trouble, troubles=troubles + 1)
    except ProviderTrouble as trouble:
        pause = trouble.retry_after
        not_before = None if pause is None else context.clock.now() + timedelta(seconds=pause)
        batch = ledger.progress.troubled(batch.batch_id, not_before=not_before, run_id=run_id)
        return _PollResult(batch, trouble=trouble, troubles=troubles + 1)
    if status.user_id is not None:
        ledger.facts.belongs_to_user(status.user_id)
    return _PollResult(ledger.progress.answered(batch.batch_id, status, run_id=run_id), status)


def _why_give_up(look: _PollResult, grace: timedelta, clock: Clock) -> str | None:
    """Why there is nothing to wait for any more, or None."""
    batch = look.batch
    if look.status is not None and look.status.has_failed:
        return "the provider says that the task failed"
    is_unknown = batch.unknown_since is not None and batch.unknowns >= _UNKNOWN_TIMES
    if is_unknown and clock.now() - (batch.unknown_since or clock.now()) >= grace:
        return f"the provider no longer knows task {batch.task_id}"
    return None


def _delay(look: _PollResult, cadence: PollSchedule, clock: Clock) -> float:
    if look.trouble is not None:
        return cadence.after_trouble(look.troubles, retry_after=look.trouble.retry_after)
    elapsed = (clock.now() - (look.batch.submitted_at or clock.now())).total_seconds()
    success, total = (look.status.success, look.status.total) if look.status else (None, None)
    return cadence.after_answer(elapsed, success=success, total=total)
