"""Numbers as people write them, against what `phonenumbers` makes of them."""

from __future__ import annotations

import polars as pl
import pytest

from ekyc_tasks.numbers import calling_code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+41798284651", 41),
        ("+12015550123", 1),
        ("+79123456789", 7),
        ("+77001234567", 7),
        ("+3545551234", 354),
        ("+99890123456", 998),
        ("+80012345678", 800),
        ("+99912345678", None),  # not assigned
        ("+0041798284651", None),
        ("41798284651", None),
        ("+-1798284651", None),
        ("+ 1798284651", None),
        ("+", None),
        ("", None),
        (None, None),
    ],
)
def test_calling_code_is_read_from_the_first_three_digits(number, code):
    frame = pl.DataFrame({"number": [number]}, schema={"number": pl.String})
    got = frame.with_columns(calling_code=calling_code(pl.col("number")))["calling_code"]
    assert got.dtype == pl.Int32
    assert got.to_list() == [code]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_calling_code_works_lazily_and_on_no_rows(engine):
    frame = pl.LazyFrame({"number": ["+41798284651", None] * 3})
    code = calling_code(pl.col("number")).alias("code")
    assert frame.with_columns(code).collect(engine=engine)["code"].to_list() == [41, None] * 3
    assert frame.head(0).select(code).collect(engine=engine).height == 0
