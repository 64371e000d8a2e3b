"""Raw rows as the provider sends them, and what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from ekyc_tasks.normalize import Normalizer, Provenance, layout_of, row_keys
from ekyc_tasks.tabular.table import ColumnTypes
from ekyc_tasks.task_types import task_type

TG_AVATAR = task_type("tg_avatar")
STAMP = Provenance(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), "batch-1", "d4g24nep2jvh04o9uoh0")
DOCUMENTED = ("Number", "telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color")
PROFILE = (
    "Phone", "activated", "uid", "username", "first_name", "last_name", "Last Online Time", "Active Days",
    "Is Member", "Avatar", "Gender", "Age", "Ethnicity",
)  # fmt: skip


def frame_of(head, *rows):
    return pl.DataFrame(rows, schema={f"c{at}": pl.String for at in range(len(head))}, orient="row")


def normalized(head, *rows, kind=TG_AVATAR, normalizer=None):
    layout = layout_of(head, kind)
    frame = ColumnTypes(len(head), layout.few_value_positions(kind)).of(frame_of(head, *rows))
    lines = np.arange(2, 2 + frame.height)
    return (normalizer or Normalizer(kind, STAMP)).read(frame, lines, row_keys(frame, layout), layout)


def one(column, text):
    """The row that comes of one text in one column, and the issues."""
    found = normalized(("number", "telegram", column), ("+41798284651", "", text))
    return found.rows.row(0, named=True), found.issues.rows(named=True)
