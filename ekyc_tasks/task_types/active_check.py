"""`active_check`: whether a number is active.

The verdict is kept as its word: lists named after having an account or not say nothing about being active.
"""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import base

STATUSES = ("active", "inactive")


class ActiveCheck(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    active_status = dy.String(
        nullable=True, check=lambda text: text.is_in(STATUSES), metadata=base.FEW_VALUES
    )
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="active_check",
    schema=ActiveCheck,
    verdict_column="active_status",
    fields=(
        base.Field(
            "active_status",
            into={
                "active_status": base.one_word_of(
                    {"active": vocabulary.ACTIVE, "inactive": vocabulary.INACTIVE}
                )
            },
            expects="active or inactive",
            translations=vocabulary.STATUSES,
            undetermined=base.NO_VERDICT,
        ),
    ),
)
