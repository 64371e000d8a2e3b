"""Upload one batch, at most once.

The intent is in the ledger before the first byte leaves, the answer is on disk before the ledger
hears of it, and what cannot be known is held for a person.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from ekyc_tasks.errors import (
    AccessDenied,
    InputError,
    LedgerError,
    NoMoney,
    NotAccepted,
    PersonNeeded,
)
from ekyc_tasks.exchange import spool
from ekyc_tasks.installation import upload_journal
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Attempt, Batch
from ekyc_tasks.models import BatchState, Outcome, UploadResult
from ekyc_tasks.money import NO_BUDGET, Balance, Budget, has_moved, price
from ekyc_tasks.provider import Provider
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import discard, sha256_of
from ekyc_tasks.support.clock import Clock, sleep_until

_SERVER_ERRORS = 3  # in a batch's life; the third 500 is believed no more
_PAUSE = timedelta(seconds=10)  # after a 429 that does not say how long
_WHERE_TO = {
    Outcome.NOT_SENT: BatchState.PLANNED,
    Outcome.THROTTLED: BatchState.PLANNED,
    Outcome.ACCESS_DENIED: BatchState.PLANNED,
    Outcome.NO_MONEY: BatchState.PLANNED,
    Outcome.REFUSED: BatchState.REFUSED,
    Outcome.UNKNOWN: BatchState.HELD,
}


@dataclass(frozen=True, slots=True)
class UploadPolicy:
    """``deadline`` bounds a whole upload; ``price_per_10k`` None: no estimate, no budget."""

    deadline: timedelta
    hold_on_500: bool = False
    price_per_10k: Decimal | None = None
    budget: Budget = NO_BUDGET


async def submit(
    batch_id: str,
    context: StepContext,
    provider: Provider,
    *,
    policy: UploadPolicy,
    until: datetime,
) -> BatchState:
    """The state after it: SUBMITTED, REFUSED or HELD (or what it was, when it was not PLANNED).

    Raises NotAccepted (free, try again), AccessDenied, NoMoney: the batch is PLANNED then.
    """
    ledger, folder, clock = context.ledger, context.folder, context.clock
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.PLANNED:
        return batch.state
    await _wait_for_turn(batch, clock, until)
    await asyncio.to_thread(_check_file, batch, folder)
    before = await provider.balance()
    _require_balance(batch, before, policy)
    attempt = _intend(batch, context, policy, balance=before)
    if attempt is None:
        return ledger.history.batch(batch_id).state
    result = await _upload(attempt, batch, context, provider)
    if result.outcome is Outcome.ACCEPTED:
        return _keep_acceptance(attempt, result, context)
    after = await provider.balance() if _is_doubtful(result) else None
    state, why = decide(result, batch, policy, charged=has_moved(before, after))
    ledger.uploads.answered(
        attempt,
        result,
        to=state,
        why=why,
        not_before=_not_before(result, clock),
        balance=after,
    )
    _raise_if_planned(batch, result, state)
    return state


def decide(
    result: UploadResult, batch: Batch, policy: UploadPolicy, *, charged: bool
) -> tuple[BatchState, str]:
    """Where an upload that gave no task id leaves the batch, and the sentence for its history."""
    if result.outcome is not Outcome.SERVER_ERROR:
        return _WHERE_TO[result.outcome], result.words
    if policy.hold_on_500:
        return BatchState.HELD, f"{result.words}; EKYC_ON_500=hold"
    if charged:
        return BatchState.HELD, f"{result.words}; the balance has changed meanwhile"
    if batch.server_errors + 1 >= _SERVER_ERRORS:
        return BatchState.HELD, f"{result.words}; this happened {_SERVER_ERRORS} times"
    return BatchState.PLANNED, result.words


async def _wait_for_turn(batch: Batch, clock: Clock, until: datetime) -> None:
    if batch.not_before is None:
        return
    if batch.not_before > until:
        raise NotAccepted(
            f"Batch {batch.batch_id} stays planned: the provider asked us to wait "
            f"until {batch.not_before:%H:%M:%S} UTC. The next run sends it."
        )
    await sleep_until(clock, batch.not_before)


def _check_file(batch: Batch, folder: DataFolder) -> None:
    """What is sent is what was planned, to the byte."""
    path = folder.batch_file(batch.batch_id)
    try:
        unchanged = sha256_of(path) == batch.sha256
    except OSError as error:
        raise InputError(
            f"Batch {batch.batch_id} stays planned: {path} cannot be read ({error.strerror}). "
            "Restore it from a backup."
        ) from None
    if not unchanged:
        raise InputError(
            f"Batch {batch.batch_id} stays planned: {path} was changed after it was planned. "
            "Restore it from a backup."
        )


def _require_balance(batch: Batch, balance: Balance | None, policy: UploadPolicy) -> None:
    cost = price(batch.numbers, policy.price_per_10k)
    if balance is not None and cost is not None and (why := balance.too_small_for(cost)):
        raise NoMoney(
            f"Batch {batch.batch_id} stays planned, nothing was charged: {why}. "
            "Top up the account; then the next run sends it."
        )


def _intend(
    batch: Batch, context: StepContext, policy: UploadPolicy, *, balance: Balance | None
) -> Attempt | None:
    return context.ledger.uploads.intended(
        uuid4().hex,
        batch.batch_id,
        run_id=context.run_id,
        deadline=policy.deadline,
        price=price(batch.numbers, policy.price_per_10k),
        budget=policy.budget,
        balance=balance,
    )


async def _upload(attempt: Attempt, batch: Batch, context: StepContext, provider: Provider) -> UploadResult:
    ledger, folder = context.ledger, context.folder
    try:
        seconds_left = (attempt.deadline - ledger.now()).total_seconds()
        is_ours = ledger.runs.still_owns(attempt.run_id, batch.batch_id)
    except LedgerError:
        return UploadResult(
            Outcome.NOT_SENT, "the ledger could not be reached before the upload; nothing was sent"
        )
    if seconds_left <= 0 or not is_ours:
        return UploadResult(
            Outcome.NOT_SENT, "this run was inactive for longer than its lease; nothing was sent"
        )
    try:
        upload_journal.note_upload(folder, attempt, batch)
    except OSError as error:
        return UploadResult(
            Outcome.NOT_SENT,
            f"{folder.upload_journal} cannot be written ({error.strerror}); nothing was sent",
        )
    file = folder.batch_file(batch.batch_id)
    try:
        with file.open("rb") as numbers:
            return await provider.upload(
                numbers,
                name=file.name,
                task_type=batch.task_type,
                deadline=seconds_left,
            )
    except (
        BaseException
    ):  # a cancelled run: bytes may be on their way, so the outcome is unknown; then raise again
        result = UploadResult(Outcome.UNKNOWN, "the run was interrupted during the upload")
        with suppress(LedgerError):  # it stays SUBMITTING then, which the next run holds as well
            ledger.uploads.answered(attempt, result, to=BatchState.HELD, why=result.words)
        raise


def _keep_acceptance(attempt: Attempt, result: UploadResult, context: StepContext) -> BatchState:
    """Written twice, to the spool and to the ledger: either of them keeps the task id."""
    ledger, folder = context.ledger, context.folder
    spooled = _keep_in_spool(attempt, result, folder)
    with suppress(OSError):  # helps a person who finds the files without their ledger
        upload_journal.note_task(folder, attempt.attempt_id, result.task_id or "")
    try:
        state = ledger.uploads.accepted(attempt.attempt_id, result, run_id=attempt.run_id)
    except LedgerError as error:
        if spooled is not None:
            raise
        raise PersonNeeded(
            f"Batch {attempt.batch_id} was charged, but neither the ledger nor {folder.spool} can be "
            f"written. Fix this, then run `ekyc resolve {attempt.batch_id} adopt {result.task_id}`. ({error})"
        ) from None
    if spooled is not None:
        discard(spooled)
    return state


def _keep_in_spool(attempt: Attempt, result: UploadResult, folder: DataFolder) -> Path | None:
    try:
        return spool.keep(folder, attempt.attempt_id, result)
    except OSError:  # for example a full disk: the ledger may be on another, or need no more room
        return None


def _is_doubtful(result: UploadResult) -> bool:
    return result.outcome in {Outcome.UNKNOWN, Outcome.SERVER_ERROR}


def _not_before(result: UploadResult, clock: Clock) -> datetime | None:
    if result.outcome is not Outcome.THROTTLED and result.retry_after is None:
        return None
    pause = _PAUSE if result.retry_after is None else timedelta(seconds=result.retry_after)
    return clock.now() + pause


def _raise_if_planned(batch: Batch, result: UploadResult, state: BatchState) -> None:
    if state is not BatchState.PLANNED:
        return
    stays = f"Batch {batch.batch_id} stays planned, nothing was charged"
    if result.outcome is Outcome.ACCESS_DENIED:
        raise AccessDenied(f"{stays}: {result.words}. Correct EKYC_API_KEY or EKYC_BASE_URL.")
    if result.outcome is Outcome.NO_MONEY:
        raise NoMoney(f"{stays}: {result.words}. Top up the account; then the next run sends it.")
    raise NotAccepted(f"{stays}: {result.words}. The next run tries again.", retry_after=result.retry_after)
