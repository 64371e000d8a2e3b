"""`ws_avatar`: whether a number has WhatsApp, and what its profile picture shows."""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import base, pictures


class WsAvatar(pictures.Picture):
    number = base.number_column()
    calling_code = base.calling_code_column()
    whatsapp = dy.Bool(nullable=True)
    avatar = pictures.avatar_column()
    age_min = pictures.age_column()
    age_max = pictures.age_column()
    gender = pictures.gender_column()
    category = pictures.word_column()
    hair_color = pictures.word_column()
    skin_color = pictures.word_column()
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="ws_avatar",
    schema=WsAvatar,
    verdict_column="whatsapp",
    fields=(
        base.Field(
            "activated",
            into={"whatsapp": base.yes_or_no},
            expects="yes or no",
            aliases=("whatsapp", "registered"),
            translations=vocabulary.VERDICTS,
            undetermined=base.NO_VERDICT,
        ),
        pictures.AGE,
        pictures.AVATAR,
        pictures.CATEGORY,
        pictures.GENDER,
        pictures.HAIR_COLOR,
        pictures.SKIN_COLOR,
    ),
)
