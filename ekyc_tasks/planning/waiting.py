"""Numbers that wait to be planned become batches, whatever the minimum: then a copy or a restored ledger can
say what happens to each of them."""

from __future__ import annotations

import logging
from dataclasses import replace

from ekyc_tasks.errors import EkycError
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.planning.plan import PlanPolicy, plan
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.task_types import task_type_names

log = logging.getLogger(__name__)


async def plan_what_waits(context: StepContext, policy: PlanPolicy) -> None:
    """No landed file is touched. If old batches cannot be read, the numbers continue to wait."""
    for task_type in task_type_names():
        if not context.ledger.plans.to_plan_again(task_type):
            continue
        whole = replace(policy, task_type=task_type, takes_any_size=True, ask_above=None)
        try:
            await plan((), context, whole)
        except EkycError as error:
            log.warning("%s", without_numbers(str(error)))
