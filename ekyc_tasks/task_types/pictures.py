"""What checks tell about a profile picture: the columns, how they are read, and what they have to hold."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from ekyc_tasks.task_types import base

# Documented up to "…": both vocabularies are open, and new values are reported.
CATEGORIES = frozenset({"individual portrait", "pet avatar", "object"})
HAIR_COLORS = frozenset({"black", "brown", "blonde"})
SKIN_COLORS = frozenset({"white", "black"})
GENDERS = ("male", "female")

AVATAR = base.Field(
    "avatar", into={"avatar": base.as_it_is}, expects="an http or https URL", has_few_values=False
)
AGE = base.Field("age", into={"age_min": base.lower_age, "age_max": base.upper_age}, expects="an age")
GENDER = base.Field("gender", into={"gender": base.words}, expects="a gender")
CATEGORY = base.Field("category", into={"category": base.words}, expects="a text", known=CATEGORIES)
HAIR_COLOR = base.Field(
    "hair_color",
    into={"hair_color": base.words},
    expects="a text",
    aliases=("hair_colour",),
    known=HAIR_COLORS,
)
SKIN_COLOR = base.Field(
    "skin_color",
    into={"skin_color": base.words},
    expects="a text",
    aliases=("skin_colour",),
    known=SKIN_COLORS,
)


class Picture(dy.Schema):
    """A rule of all contracts with a picture; each spells its columns in their order."""

    @dy.rule()
    def age(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        return pl.col("age_min") <= pl.col("age_max")


def avatar_column() -> dy.String:
    return dy.String(nullable=True, regex=r"(?i)^https?://[^\s/?#]\S*$")


def age_column() -> dy.Int32:
    return dy.Int32(nullable=True, min=0, max=120, metadata=base.FEW_VALUES)


def gender_column() -> dy.String:
    return dy.String(nullable=True, check=lambda text: text.is_in(GENDERS), metadata=base.FEW_VALUES)


def word_column() -> dy.String:
    return dy.String(nullable=True, metadata=base.FEW_VALUES)
