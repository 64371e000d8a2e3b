"""`tg`: whether a number has Telegram."""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.task_types import base


class Tg(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    telegram = dy.Bool(nullable=True)
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="tg",
    schema=Tg,
    verdict_column="telegram",
    fields=(base.verdict_field("telegram"),),
)
