"""`ws`: whether a number has WhatsApp."""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.task_types import base


class Ws(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    whatsapp = dy.Bool(nullable=True)
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="ws",
    schema=Ws,
    verdict_column="whatsapp",
    fields=(base.verdict_field("whatsapp"),),
)
