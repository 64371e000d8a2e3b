"""Calling codes, read from the beginning of a number."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.phone.metadata import CALLING_CODES
from ekyc_tasks.phone.msisdns import Msisdns

POWERS = 10 ** np.arange(19, dtype=np.int64)


def calling_code(number: pl.Expr) -> pl.Expr:
    """The calling code (Int32) of E.164 strings that carry their ``+``; null when there is none."""
    start = number.str.slice(1, 3).cast(pl.Int32, strict=False).clip(0, 999)
    code = pl.lit(codes_by_three_digits()).gather(start)
    return pl.when(number.str.starts_with("+")).then(code)


def digit_counts(keys: Msisdns) -> npt.NDArray[np.intp]:
    """How many digits each number has, given as an integer."""
    if not len(keys):
        return np.empty(0, dtype=np.intp)
    fewest, most = np.searchsorted(POWERS, [keys.min(), keys.max()], side="right")
    counts = np.full(len(keys), fewest, dtype=np.intp)
    for power in POWERS[fewest:most]:  # a few comparisons of all are cheaper than a search for each
        counts += keys >= power
    return counts


def calling_codes(keys: Msisdns, digits: npt.NDArray[np.intp]) -> pl.Series:
    """The calling codes (Int32) of E.164 numbers, given as integers of so many digits; null for none."""
    return codes_by_three_digits().gather(keys // POWERS[digits - 3])


@cache
def codes_by_three_digits() -> pl.Series:
    """Calling code (Int32) by the first three digits, 000 to 999; null where none is assigned.

    Exact, because no calling code is the beginning of another and none has more than three digits.
    """
    codes: list[int | None] = [None] * 1000
    for code in CALLING_CODES:
        width = 10 ** (3 - len(str(code)))
        codes[code * width : (code + 1) * width] = [code] * width
    return pl.Series("calling_code", codes, dtype=pl.Int32)
