"""Phone numbers: what people write, made E.164, and what an E.164 number says about itself."""

from __future__ import annotations

from functools import cache

import polars as pl
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE


@cache
def _codes_by_three_digits() -> pl.Series:
    """Calling code (Int32) by the first three digits, 000 to 999; null where none is assigned.

    Exact, because no calling code is the beginning of another and none has more than three digits.
    """
    codes: list[int | None] = [None] * 1000
    for code in COUNTRY_CODE_TO_REGION_CODE:
        width = 10 ** (3 - len(str(code)))
        codes[code * width : (code + 1) * width] = [code] * width
    return pl.Series("calling_code", codes, dtype=pl.Int32)


def calling_code(number: pl.Expr) -> pl.Expr:
    """The calling code (Int32) of E.164 strings that carry their ``+``; null when there is none."""
    start = number.str.slice(1, 3).cast(pl.Int32, strict=False).clip(0, 999)
    code = pl.lit(_codes_by_three_digits()).gather(start)
    return pl.when(number.str.starts_with("+")).then(code)
