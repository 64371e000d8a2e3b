"""What checks tell about a profile picture: the columns, how they are read, and what they have to hold."""

from __future__ import annotations

import re

import dataframely as dy
import polars as pl

from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import base

# Documented up to "…": both vocabularies are open, and new values are reported.
CATEGORIES = frozenset({"individual portrait", "pet avatar", "object"})
HAIR_COLORS = frozenset({"black", "brown", "blonde"})
SKIN_COLORS = frozenset({"white", "black"})
GENDERS = ("male", "female")

_LINK = r"(?i)^https?://[^\s/?#]"
_LINK_HEAD = len("https://") + 1


def are_surely_links(texts: pl.Series) -> pl.Series:
    """Most begin alike and none has a space: to see that takes less than a regular expression for each."""
    first = texts.is_not_null().arg_max()
    head = "" if first is None else (texts[first] or "")[:_LINK_HEAD]
    joined = texts.str.join("").item()
    has_space = joined[-1:].isspace() or len(joined.split(None, 1)) > 1
    if has_space or not re.match(_LINK, head):
        return pl.repeat(False, len(texts), eager=True)
    return texts.str.starts_with(head)


AVATAR = base.Field(
    "avatar",
    into={"avatar": base.as_it_is},
    expects="an http or https URL",
    translations=vocabulary.AVATARS,
    has_few_values=False,
    at_a_glance=are_surely_links,
)
AGE = base.Field(
    "age",
    into={"age_min": base.lower_age, "age_max": base.upper_age},
    expects="an age",
    translations=vocabulary.AGES,
)
GENDER = base.Field(
    "gender",
    into={"gender": base.one_word_of({"male": vocabulary.MALE, "female": vocabulary.FEMALE})},
    expects="a gender",
    translations=vocabulary.GENDERS,
)
CATEGORY = base.Field(
    "category",
    into={"category": base.words},
    expects="a text",
    translations=vocabulary.CATEGORIES,
    known=CATEGORIES,
)
HAIR_COLOR = base.Field(
    "hair_color",
    into={"hair_color": base.words},
    expects="a text",
    aliases=("hair_colour",),
    translations=vocabulary.HAIR_COLORS,
    known=HAIR_COLORS,
)
SKIN_COLOR = base.Field(
    "skin_color",
    into={"skin_color": base.words},
    expects="a text",
    aliases=("skin_colour",),
    translations=vocabulary.SKIN_COLORS,
    known=SKIN_COLORS,
)


class Picture(dy.Schema):
    """A rule of all contracts with a picture; each spells its columns in their order."""

    @dy.rule()
    def age(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        return pl.col("age_min") <= pl.col("age_max")


def avatar_column() -> dy.String:
    return dy.String(nullable=True, regex=rf"{_LINK}\S*$")


def age_column() -> dy.Int32:
    return dy.Int32(nullable=True, min=0, max=120, metadata=base.FEW_VALUES)


def gender_column() -> dy.String:
    return dy.String(nullable=True, check=lambda text: text.is_in(GENDERS), metadata=base.FEW_VALUES)


def word_column() -> dy.String:
    return dy.String(nullable=True, metadata=base.FEW_VALUES)
