"""Phone numbers as they come back: with and without their ``+``, and as spreadsheets spoil them.

Compared by their digits, as integers; `NO_MSISDN` where there is none.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.tabular import Int64Array
from ekyc_tasks.task_types.base import NUMBER

Column = TypeVar("Column", pl.Expr, pl.Series)

# The shortest and longest E.164 numbers in use have 6 and 15 digits.
_MIN_DIGITS, _MAX_DIGITS = 6, 15
_SMALLEST_KEY, _KEY_LIMIT = 10 ** (_MIN_DIGITS - 1), 10**_MAX_DIGITS
_FULL_DECIMALS = 8
_POWER = r"^([1-9])[.,]([0-9]{1,14})[eE]\+?([0-9]{1,2})$"
# Spaces, brackets, quotes, and invisible marks. Named one by one: whole classes take ms to compile.
_DECORATION = r"""[\s()'"=\x{ad}\x{61c}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}]"""


def number_keys(text: pl.Series) -> pl.Series:
    """Digits as Int64, null where a text is no phone number. Seen in the field: with and without ``+``."""
    keys = text.cast(pl.Int64, strict=False)
    has_prefix = text.str.starts_with("0") | text.str.starts_with("+0")
    is_hard = (~is_in_range(keys) | has_prefix).fill_null(True)
    if not is_hard.any():
        return keys
    return keys.scatter(is_hard.arg_true(), _untidy_keys(text.filter(is_hard)))


def is_in_range(keys: Column) -> Column:
    """Whether a number of E.164 may have so many digits; null for null."""
    return keys.is_between(_SMALLEST_KEY, _KEY_LIMIT, closed="left")


def e164(text: pl.Series, keys: Int64Array, digits: npt.NDArray[np.intp]) -> pl.Series:
    """``+`` and the digits of each key; the ``text`` that the keys were read from where that is the same."""
    if text.str.starts_with("+").all() and (text.str.len_bytes().to_numpy() == digits + 1).all():
        return text.alias(NUMBER)
    number = pl.lit("+") + pl.Series(NUMBER, keys).cast(pl.String)
    return pl.select(number.alias(NUMBER)).to_series()


def is_number(text: str) -> bool:
    is_worth_a_look = any(map(str.isdigit, text))
    return is_worth_a_look and not number_keys(pl.Series("number", [text])).has_nulls()


def _untidy_keys(text: pl.Series) -> pl.Series:
    """What spreadsheets and people make of numbers: spaces, brackets, ``00``, floats, powers of ten."""
    name = pl.col(text.name)
    tidy = text.to_frame().select(
        name.str.replace_all(_DECORATION, "").str.replace_all(r"([0-9])-", "${1}").str.replace(r"^\+?00", "")
    )
    key = name.str.extract(r"^\+?([1-9][0-9]{5,14})(?:[.,]0+)?$").cast(pl.Int64)
    if tidy.select(name.str.contains(_POWER)).to_series().any():
        key = pl.coalesce(key, _power_of_ten(name))
    return tidy.select(pl.when(is_in_range(key)).then(key)).to_series()


def _power_of_ten(text: pl.Expr) -> pl.Expr:
    """``4.1798284651E+10`` → 41798284651; null if digits are lost, as in ``4.17983E+10``.

    Who writes a number in full leaves out its trailing zeros, so eight decimals are taken for all of them.
    """
    parts = text.str.extract_groups(_POWER)
    shown, power = parts.struct.field("2"), parts.struct.field("3").cast(pl.Int64)
    decimals = shown.str.strip_chars_end("0")
    lost = power - decimals.str.len_chars().cast(pl.Int64)
    is_whole = (
        (lost >= 0)
        & (power < _MAX_DIGITS)
        & ((decimals.str.len_chars() >= _FULL_DECIMALS) | (shown.str.len_chars() >= power))
    )
    digits = pl.concat_str(parts.struct.field("1"), decimals).cast(pl.Int64)
    return pl.when(is_whole).then(digits * pl.lit(10, pl.Int64).pow(lost.clip(0, _MAX_DIGITS)))
