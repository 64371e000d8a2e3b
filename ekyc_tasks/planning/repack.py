"""Refusals that another batch size can solve: the numbers are planned again from their inputs, once.

Batches made of numbers that were released in this way are marked, and a second refusal of them is final:
no loop is possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Attempt, Batch, Ledger
from ekyc_tasks.models import BatchState


@dataclass(frozen=True, slots=True)
class _Repack:
    why: str
    size_limit: int | None = None


def repack_refused(task_type: str, context: StepContext) -> list[str]:
    """Release the numbers of refused batches that may be taken in another size; a sentence for each.

    To be called by planning, which is exclusive and plans the released numbers right away.
    """
    ledger = context.ledger
    minimum = ledger.uploads.minimum(task_type)
    sentences = []
    for batch in ledger.history.batches(states=[BatchState.REFUSED]):
        cure = _cure(batch, ledger.uploads.of_batch(batch.batch_id), minimum)
        if batch.task_type != task_type or cure is None:
            continue
        if ledger.plans.healed(
            batch.batch_id, why=cure.why, size_limit=cure.size_limit, run_id=context.run_id
        ):
            sentences.append(f"Batch {batch.batch_id} was refused, free of charge: {cure.why}.")
    return sentences


def can_repack(task_type: str, *, ledger: Ledger) -> bool:
    minimum = ledger.uploads.minimum(task_type)
    return any(
        batch.task_type == task_type
        and _cure(batch, ledger.uploads.of_batch(batch.batch_id), minimum) is not None
        for batch in ledger.history.batches(states=[BatchState.REFUSED])
    )


def _cure(batch: Batch, attempts: list[Attempt], minimum: int) -> _Repack | None:
    if batch.repacked or not attempts:
        return None
    last = attempts[-1]
    if last.minimum is not None:
        return _Repack(f"its numbers are planned again, because the provider's minimum is {last.minimum:,}")
    half = -(-batch.numbers // 2)
    if last.http_status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and minimum <= half < batch.numbers:
        return _Repack(f"its numbers are planned again, at most {half:,} in one batch", size_limit=half)
    return None
