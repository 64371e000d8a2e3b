"""A person's decision about a batch: adopt a provider task, resubmit, or abandon."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ekyc_tasks.errors import ConfigurationError, TaskUnknown
from ekyc_tasks.ledger import Attempt, Batch, Ledger
from ekyc_tasks.models import BatchState, Decision, TaskStatus
from ekyc_tasks.provider import Provider
from ekyc_tasks.support.clock import FIRST_ANSWERS

_CLOCKS_MAY_DIFFER = timedelta(minutes=5)
_XID_LENGTH = 20


_SOURCES = {
    Decision.ADOPT: (BatchState.HELD, BatchState.FAILED),
    Decision.RESUBMIT: (BatchState.HELD, BatchState.FAILED, BatchState.REFUSED),
    Decision.ABANDON: (BatchState.HELD, BatchState.FAILED, BatchState.REFUSED, BatchState.SUBMITTED),
}
_TARGET = {
    Decision.ADOPT: BatchState.SUBMITTED,
    Decision.RESUBMIT: BatchState.PLANNED,
    Decision.ABANDON: BatchState.ABANDONED,
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who decided what, and why. ``is_forced``: the checks are skipped. ``drop``: do not plan again."""

    decision: Decision
    who: str
    reason: str = ""
    task_id: str | None = None
    is_forced: bool = False
    drop: bool = False

    @property
    def why(self) -> str:
        forced = ", safety checks skipped" if self.is_forced else ""
        return f"{self.who}: {self.decision}{forced}" + (f" ({self.reason})" if self.reason else "")

    def check(self) -> None:
        """ConfigurationError for what contradicts itself, whatever batch it is about."""
        if (self.decision is Decision.ADOPT) != bool(self.task_id):
            raise ConfigurationError("Adopt needs a task id; the other decisions must not have one.")
        if self.is_forced and not self.reason:
            raise ConfigurationError(
                "To skip the safety checks, give a reason. It is saved in the batch's history."
            )

    def risk(self, batch: Batch) -> str | None:
        """The money or paid work that may be lost, as a sentence: it needs a confirmation. None: nothing."""
        if self.decision is Decision.RESUBMIT and batch.state.may_be_paid:
            return f"Batch {batch.batch_id} may already be paid for. Its {batch.numbers:,} numbers cost again"
        if self.decision is Decision.ABANDON and batch.state is BatchState.SUBMITTED:
            return f"Batch {batch.batch_id} is paid for. Its result will never be fetched"
        return None


async def resolve(
    batch_id: str, verdict: Resolution, *, ledger: Ledger, provider: Provider | None
) -> BatchState:
    """Decide, and return the state afterwards. Deciding the same again changes nothing.

    Raises ConfigurationError, with nothing changed, for a decision that does not apply. ``provider`` is
    asked about the task that is adopted, and needed for nothing else.
    """
    batch = ledger.history.batch(batch_id)
    if _is_done(batch, verdict, ledger):
        return batch.state
    sources = _SOURCES[verdict.decision]
    if batch.state not in sources:
        if batch.is_import and batch.state is BatchState.FETCHED:
            raise ConfigurationError(
                f"Batch {batch_id} was imported, but is not loaded yet. Import its archive again. "
                "If the archive cannot be loaded, the batch is abandoned."
            )
        raise ConfigurationError(
            f"Batch {batch_id} is {batch.state}, but {verdict.decision} is only possible for batches that "
            f"are {', '.join(sources)}. Nothing was changed."
        )
    attempts = ledger.uploads.of_batch(batch_id)
    if verdict.decision is Decision.ADOPT:
        await _check_task(batch, verdict, attempts, ledger, provider)
        moved = ledger.decisions.adopted(batch_id, verdict.task_id or "", sources=sources, why=verdict.why)
    else:
        _check_deadline(batch, verdict, attempts, now=ledger.now())
        moved = _let_go(batch, verdict, ledger)
    state = ledger.history.batch(batch_id).state
    if not moved and state is not _TARGET[verdict.decision]:
        raise ConfigurationError(f"Batch {batch_id} has become {state} meanwhile. Nothing was changed.")
    return state


def creation_time(task_id: str) -> datetime | None:
    """The creation second in an rs/xid (verified on all published task ids), or None for another shape."""
    if len(task_id) != _XID_LENGTH or task_id.isdigit():
        return None
    try:
        raw = base64.b32hexdecode(task_id.upper() + "====")
    except (binascii.Error, ValueError):
        return None
    created = datetime.fromtimestamp(int.from_bytes(raw[:4], "big"), UTC)
    return created if created >= FIRST_ANSWERS else None


def _is_done(batch: Batch, verdict: Resolution, ledger: Ledger) -> bool:
    """Was this batch decided like that before, and has it stayed so?"""
    if batch.state is not _TARGET[verdict.decision]:
        return False
    if verdict.decision is Decision.ADOPT:
        return batch.task_id == verdict.task_id
    last = ledger.history.events(batch.batch_id)[-1]
    return f": {verdict.decision}" in last.why


async def _check_task(
    batch: Batch, verdict: Resolution, attempts: list[Attempt], ledger: Ledger, provider: Provider | None
) -> None:
    task_id = verdict.task_id or ""
    if not task_id.isalnum():
        raise ConfigurationError(
            "A task id is 20 letters and digits, such as d4g8o46p2jvh04o9uolg. Correct it."
        )
    if ledger.decisions.task_is_taken(task_id, besides=batch.batch_id):
        raise ConfigurationError(f"Task {task_id} already belongs to another batch. Nothing was changed.")
    if provider is None:
        raise ConfigurationError("The task must be checked with the provider: set EKYC_API_KEY.")
    try:
        status = await provider.task(task_id)
    except TaskUnknown:
        raise ConfigurationError(f"The provider knows no task {task_id}. Nothing was changed.") from None
    doubt = _doubt(batch, status, attempts)
    if doubt is not None and not verdict.is_forced:
        raise ConfigurationError(f"{doubt}. If you are sure, add --force and --reason.")
    if status.user_id is not None:  # whatever is forced: another account's tasks do not fit into this ledger
        ledger.facts.belongs_to_user(status.user_id)


def _doubt(batch: Batch, status: TaskStatus, attempts: list[Attempt]) -> str | None:
    """Why this may be somebody else's task, or None."""
    if status.total and status.total != batch.numbers:
        return f"Task {status.task_id} has {status.total:,} numbers, but the batch has {batch.numbers:,}"
    created = creation_time(status.task_id)
    if created is None:
        return f"Task id {status.task_id} does not show when the task was created"
    windows = [(attempt.started_at, attempt.deadline) for attempt in attempts]
    if batch.doubt is not None:  # uploaded by a newer ledger, if at all: the time is not known
        windows.append((batch.planned_at, created))
    if not any(start - _CLOCKS_MAY_DIFFER <= created <= end + _CLOCKS_MAY_DIFFER for start, end in windows):
        return (
            f"Task {status.task_id} was created at {created:%Y-%m-%d %H:%M:%S} UTC, when nothing was uploaded"
        )
    return None


def _check_deadline(batch: Batch, verdict: Resolution, attempts: list[Attempt], *, now: datetime) -> None:
    """Before an upload's deadline its answer may still arrive, from a process that merely slept."""
    open_until = max((attempt.deadline for attempt in attempts if attempt.ended_at is None), default=None)
    if open_until is not None and now < open_until and not verdict.is_forced:
        raise ConfigurationError(
            f"The provider may still answer the upload of batch {batch.batch_id} until "
            f"{open_until:%H:%M:%S} UTC. Wait until then, or add --force. Nothing was changed."
        )


def _let_go(batch: Batch, verdict: Resolution, ledger: Ledger) -> bool:
    sources = _SOURCES[verdict.decision]
    if verdict.decision is Decision.RESUBMIT:
        return ledger.decisions.resubmitted(batch.batch_id, sources=sources, why=verdict.why)
    return ledger.decisions.abandoned(
        batch.batch_id, sources=sources, why=verdict.why, plan_again=not verdict.drop
    )
