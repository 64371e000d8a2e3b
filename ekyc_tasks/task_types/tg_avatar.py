"""`tg_avatar`: whether a number has Telegram, and what its profile picture shows."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from ekyc_tasks.task_types import base

# Documented up to "…": both vocabularies are open, and new values are reported.
CATEGORIES = frozenset({"individual portrait", "pet avatar", "object"})
HAIR_COLORS = frozenset({"black", "brown", "blonde"})
SKIN_COLORS = frozenset({"white", "black"})
GENDERS = ("male", "female")


class TgAvatar(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    telegram = dy.Bool(nullable=True)
    avatar = dy.String(nullable=True, regex=r"(?i)^https?://[^\s/?#]\S*$")
    age_min = dy.Int32(nullable=True, min=0, max=120, metadata=base.FEW_VALUES)
    age_max = dy.Int32(nullable=True, min=0, max=120, metadata=base.FEW_VALUES)
    gender = dy.String(nullable=True, check=lambda text: text.is_in(GENDERS), metadata=base.FEW_VALUES)
    category = dy.String(nullable=True, metadata=base.FEW_VALUES)
    hair_color = dy.String(nullable=True, metadata=base.FEW_VALUES)
    skin_color = dy.String(nullable=True, metadata=base.FEW_VALUES)
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()

    @dy.rule()
    def age(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        return pl.col("age_min") <= pl.col("age_max")


TASK_TYPE = base.TaskType(
    name="tg_avatar",
    schema=TgAvatar,
    verdict_column="telegram",
    fields=(
        base.verdict_field("telegram"),
        base.Field(
            "avatar", into={"avatar": base.as_it_is}, expects="an http or https URL", has_few_values=False
        ),
        base.Field("age", into={"age_min": base.lower_age, "age_max": base.upper_age}, expects="an age"),
        base.Field("gender", into={"gender": base.words}, expects="a gender"),
        base.Field("category", into={"category": base.words}, expects="a text", known=CATEGORIES),
        base.Field(
            "hair_color",
            into={"hair_color": base.words},
            expects="a text",
            aliases=("hair_colour",),
            known=HAIR_COLORS,
        ),
        base.Field(
            "skin_color",
            into={"skin_color": base.words},
            expects="a text",
            aliases=("skin_colour",),
            known=SKIN_COLORS,
        ),
    ),
)
