"""How many numbers of a plan are bought again only because their answers have aged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Batch
from ekyc_tasks.phone.msisdns import NO_MSISDNS, Msisdns, places_in
from ekyc_tasks.planning.draft import PlanPolicy
from ekyc_tasks.storage.batch_files import keys_of_batch

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def count_due_again(
    batches: Sequence[Msisdns], context: StepContext, policy: PlanPolicy, *, now: datetime
) -> int:
    """How many numbers of these new batches were bought before, longer ago than answers are known for.

    It reads the numbers of all batches that were ever loaded, so that only a preview asks for it.
    """
    to_send = np.concatenate([NO_MSISDNS, *batches])  # consecutive parts of sorted keys
    is_due = np.zeros(len(to_send), dtype=np.bool_)
    asked = context.ledger.plans.asked(policy.task_type, since=_EVER) if len(to_send) else []
    bought = [batch for batch in asked if not batch.state.blocks]
    fresh_since = now - policy.fresh_for
    for batch in sorted(bought, key=lambda each: each.bought_at or _EVER):
        keys = keys_of_batch(context.folder, batch.batch_id, numbers=batch.numbers)
        is_due[places_in(to_send, keys)] = not (policy.recheck and _is_bought_since(batch, fresh_since))
    return int(np.count_nonzero(is_due))


def _is_bought_since(batch: Batch, moment: datetime) -> bool:
    return batch.bought_at is not None and batch.bought_at >= moment
