"""No reason holds the value."""

from __future__ import annotations

import polars as pl
from support.phone_lines import mixed_line, seeded
from support.phone_readings import numbers_of

from ekyc_tasks.phone import reasons


def test_no_reason_holds_the_value():
    chance = seeded(1)
    lines = pl.Series([mixed_line(chance) for _ in range(500)])
    given = numbers_of(lines)["reason"].drop_nulls().unique().to_list()
    fixed = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert len(given) > 3
    assert set(given) <= fixed
