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
class Verdict:
    """Who decided what, and why. ``is_forced``: the checks are overruled. ``drop``: not again."""

    decision: Decision
    who: str
    reason: str = ""
    task_id: str | None = None
    is_forced: bool = False
    drop: bool = False

    @property
    def why(self) -> str:
        forced = ", checks overruled" if self.is_forced else ""
        return f"{self.who}: {self.decision}{forced}" + (f" ({self.reason})" if self.reason else "")


async def resolve(
    batch_id: str, verdict: Verdict, *, ledger: Ledger, provider: Provider | None
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
                f"Batch {batch_id} was imported and is not loaded yet; import its archive again, "
                "and if it cannot be loaded the batch is let go of."
            )
        raise ConfigurationError(
            f"Batch {batch_id} is {batch.state}, and {verdict.decision} applies to batches that are "
            f"{', '.join(sources)} only. Nothing was changed."
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
        raise ConfigurationError(f"Batch {batch_id} became {state} meanwhile; nothing was changed.")
    return state


def created_at(task_id: str) -> datetime | None:
    """The creation second in an rs/xid (verified on all published task ids), or None for another shape."""
    if len(task_id) != _XID_LENGTH:
        return None
    try:
        raw = base64.b32hexdecode(task_id.upper() + "====")
    except (binascii.Error, ValueError):
        return None
    return datetime.fromtimestamp(int.from_bytes(raw[:4], "big"), UTC)


def _is_done(batch: Batch, verdict: Verdict, ledger: Ledger) -> bool:
    """Was this batch decided like that before, and has it stayed so?"""
    if batch.state is not _TARGET[verdict.decision]:
        return False
    if verdict.decision is Decision.ADOPT:
        return batch.task_id == verdict.task_id
    last = ledger.history.events(batch.batch_id)[-1]
    return f": {verdict.decision}" in last.why


async def _check_task(
    batch: Batch, verdict: Verdict, attempts: list[Attempt], ledger: Ledger, provider: Provider | None
) -> None:
    task_id = verdict.task_id or ""
    if not task_id.isalnum():
        raise ConfigurationError(
            "A task id is 20 letters and digits, as in d4g8o46p2jvh04o9uolg; correct it."
        )
    if ledger.decisions.task_is_taken(task_id, besides=batch.batch_id):
        raise ConfigurationError(f"Task {task_id} belongs to another batch already; nothing was changed.")
    if provider is None:
        raise ConfigurationError("The provider must be asked about the task: set EKYC_API_KEY.")
    try:
        status = await provider.task(task_id)
    except TaskUnknown:
        raise ConfigurationError(f"The provider knows no task {task_id}; nothing was changed.") from None
    doubt = _doubt(batch, status, attempts)
    if doubt is not None and not verdict.is_forced:
        raise ConfigurationError(f"{doubt}. If it is right all the same, say --force and --reason.")
    if status.user_id is not None:  # whatever is forced: another account's tasks do not fit into this ledger
        ledger.facts.belongs_to_user(status.user_id)


def _doubt(batch: Batch, status: TaskStatus, attempts: list[Attempt]) -> str | None:
    """Why this may be somebody else's task, or None."""
    if status.total and status.total != batch.numbers:
        return f"Task {status.task_id} has {status.total:,} numbers, batch {batch.batch_id} {batch.numbers:,}"
    created = created_at(status.task_id)
    if created is None:
        return f"{status.task_id} does not tell when it was made"
    windows = [(attempt.started_at, attempt.deadline) for attempt in attempts]
    if not any(start - _CLOCKS_MAY_DIFFER <= created <= end + _CLOCKS_MAY_DIFFER for start, end in windows):
        return f"Task {status.task_id} was made at {created:%Y-%m-%d %H:%M:%S} UTC, when nothing was uploaded"
    return None


def _check_deadline(batch: Batch, verdict: Verdict, attempts: list[Attempt], *, now: datetime) -> None:
    """Before an upload's deadline its answer may still arrive, from a process that merely slept."""
    open_until = max((attempt.deadline for attempt in attempts if attempt.ended_at is None), default=None)
    if open_until is not None and now < open_until and not verdict.is_forced:
        raise ConfigurationError(
            f"The upload of batch {batch.batch_id} may still be answered until {open_until:%H:%M:%S} UTC: "
            "wait until then, or say --force. Nothing was changed."
        )


def _let_go(batch: Batch, verdict: Verdict, ledger: Ledger) -> bool:
    sources = _SOURCES[verdict.decision]
    if verdict.decision is Decision.RESUBMIT:
        return ledger.decisions.resubmitted(batch.batch_id, sources=sources, why=verdict.why)
    return ledger.decisions.abandoned(
        batch.batch_id, sources=sources, why=verdict.why, plan_again=not verdict.drop
    )
