"""`tg_active`: within how many days a number's Telegram account was last active.

The days are the verdict: ``1``, ``7`` or ``30`` is a yes to "active within so many days", and ``N/A`` is not
determined. There is no "no", so lists of bare numbers cannot answer this check.
"""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import base


class TgActive(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    telegram_days = dy.Int32(nullable=True, min=0, max=36_500, metadata=base.FEW_VALUES)
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="tg_active",
    schema=TgActive,
    verdict_column="telegram_days",
    fields=(
        base.Field(
            "telegram_days",
            into={"telegram_days": base.whole_number},
            expects="a number of days",
            aliases=("active_days",),
            translations=vocabulary.DAYS,
            undetermined=base.NO_VERDICT,
        ),
    ),
)
