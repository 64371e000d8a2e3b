"""Upload one batch, at most once.

The intent is in the ledger before the first byte leaves, the answer is on disk before the ledger
hears of it, and what nobody can know is held for a person.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from ekyc_tasks import spool
from ekyc_tasks.clock import Clock, sleep_until
from ekyc_tasks.disk import discard, sha256_of
from ekyc_tasks.errors import (
    AccessDenied,
    InputError,
    LedgerError,
    NoMoney,
    NotAccepted,
    PersonNeeded,
)
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Attempt, Batch, Ledger
from ekyc_tasks.models import BatchState, Outcome, UploadResult
from ekyc_tasks.money import NO_BUDGET, Balance, Budget, has_moved, price
from ekyc_tasks.provider import Provider
from ekyc_tasks.steps.account import confirm_account

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
    *,
    run_id: str,
    ledger: Ledger,
    provider: Provider,
    folder: DataFolder,
    policy: UploadPolicy,
    clock: Clock,
    until: datetime,
) -> BatchState:
    """The state after it: SUBMITTED, REFUSED or HELD (or what it was, when it was not PLANNED).

    Raises NotAccepted (free, try again), AccessDenied, NoMoney, and ConfigurationError for the key of another
    account: the batch is PLANNED then.
    """
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.PLANNED:
        return batch.state
    await _wait_for_turn(batch, clock, until)
    await asyncio.to_thread(_check_file, batch, folder)
    if not ledger.uploads.numbers_sent(run_id):
        await confirm_account(ledger, provider)
    before = await provider.balance()
    _require_balance(batch, before, policy)
    attempt = _intend(batch, run_id=run_id, ledger=ledger, policy=policy, balance=before)
    if attempt is None:
        return ledger.history.batch(batch_id).state
    result = await _upload(attempt, batch, ledger=ledger, provider=provider, folder=folder, policy=policy)
    if result.outcome is Outcome.ACCEPTED:
        return _accepted(attempt, result, ledger=ledger, folder=folder)
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
        return BatchState.HELD, f"{result.words}; the balance moved meanwhile"
    if batch.server_errors + 1 >= _SERVER_ERRORS:
        return BatchState.HELD, f"{result.words}; that was the {_SERVER_ERRORS}rd time"
    return BatchState.PLANNED, result.words


async def _wait_for_turn(batch: Batch, clock: Clock, until: datetime) -> None:
    if batch.not_before is None:
        return
    if batch.not_before > until:
        raise NotAccepted(
            f"Batch {batch.batch_id} stays planned: the provider asked to be left alone "
            f"until {batch.not_before:%H:%M:%S} UTC; the next run sends it."
        )
    await sleep_until(clock, batch.not_before)


def _check_file(batch: Batch, folder: DataFolder) -> None:
    """What is sent is what was planned, to the byte."""
    path = folder.batch_file(batch.batch_id)
    try:
        unchanged = sha256_of(path) == batch.sha256
    except OSError as error:
        raise InputError(
            f"Batch {batch.batch_id} stays planned: {path} cannot be read ({error.strerror}); bring it back."
        ) from None
    if not unchanged:
        raise InputError(
            f"Batch {batch.batch_id} stays planned: {path} is not what was planned; restore it from a backup."
        )


def _require_balance(batch: Batch, balance: Balance | None, policy: UploadPolicy) -> None:
    cost = price(batch.numbers, policy.price_per_10k)
    if balance is not None and cost is not None and (why := balance.too_small_for(cost)):
        raise NoMoney(
            f"Batch {batch.batch_id} stays planned, nothing was charged: {why}. "
            "Top up the account; the next run sends it."
        )


def _intend(
    batch: Batch, *, run_id: str, ledger: Ledger, policy: UploadPolicy, balance: Balance | None
) -> Attempt | None:
    return ledger.uploads.intended(
        batch.batch_id,
        run_id=run_id,
        deadline=policy.deadline,
        price=price(batch.numbers, policy.price_per_10k),
        budget=policy.budget,
        balance=balance,
    )


async def _upload(
    attempt: Attempt,
    batch: Batch,
    *,
    ledger: Ledger,
    provider: Provider,
    folder: DataFolder,
    policy: UploadPolicy,
) -> UploadResult:
    try:
        seconds_left = (attempt.deadline - ledger.now()).total_seconds()
        is_ours = ledger.runs.still_owns(attempt.run_id, batch.batch_id)
    except LedgerError:
        return UploadResult(Outcome.NOT_SENT, "the ledger was away right before the upload; nothing was sent")
    if seconds_left <= 0 or not is_ours:
        return UploadResult(Outcome.NOT_SENT, "this run slept longer than its lease, and sent nothing")
    file = folder.batch_file(batch.batch_id)
    try:
        with file.open("rb") as numbers:
            return await provider.upload(
                numbers,
                name=file.name,
                task_type=batch.task_type,
                deadline=seconds_left,
            )
    except BaseException:  # a cancelled run: bytes may be on their way, so nobody knows; the cause goes on
        result = UploadResult(Outcome.UNKNOWN, "the run was interrupted during the upload")
        with suppress(LedgerError):  # it stays SUBMITTING then, which the next run holds as well
            ledger.uploads.answered(attempt, result, to=BatchState.HELD, why=result.words)
        raise


def _accepted(attempt: Attempt, result: UploadResult, *, ledger: Ledger, folder: DataFolder) -> BatchState:
    """Written twice, to the spool and to the ledger: either of them keeps the task id."""
    spooled = _spooled(attempt, result, folder)
    try:
        state = ledger.uploads.accepted(attempt.attempt_id, result, run_id=attempt.run_id)
    except LedgerError as error:
        if spooled is not None:
            raise
        raise PersonNeeded(
            f"Batch {attempt.batch_id} was charged, and neither the ledger nor {folder.spool} can be "
            f"written: mend that, then `ekyc resolve {attempt.batch_id} adopt {result.task_id}`. ({error})"
        ) from None
    if spooled is not None:
        discard(spooled)
    return state


def _spooled(attempt: Attempt, result: UploadResult, folder: DataFolder) -> Path | None:
    try:
        return spool.keep(folder, attempt.attempt_id, result)
    except OSError:  # a full disk, say: the ledger may lie on another, or need no more room
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
        raise NoMoney(f"{stays}: {result.words}. Top up the account; the next run sends it.")
    raise NotAccepted(f"{stays}: {result.words}. The next run tries again.", retry_after=result.retry_after)
