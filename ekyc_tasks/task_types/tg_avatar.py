"""`tg_avatar`: whether a number has Telegram, and what its profile picture shows."""

from __future__ import annotations

import dataframely as dy

from ekyc_tasks.task_types import base, pictures


class TgAvatar(pictures.Picture):
    number = base.number_column()
    calling_code = base.calling_code_column()
    telegram = dy.Bool(nullable=True)
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
    name="tg_avatar",
    schema=TgAvatar,
    verdict_column="telegram",
    fields=(
        base.verdict_field("telegram"),
        pictures.AVATAR,
        pictures.AGE,
        pictures.GENDER,
        pictures.CATEGORY,
        pictures.HAIR_COLOR,
        pictures.SKIN_COLOR,
    ),
)
