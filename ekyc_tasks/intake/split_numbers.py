"""Numbers whose first digits stand in a column of their own: a question, for the rest may be one as well.

`49 | 15123456789` without a word about the first column is a number in Germany, and by itself one in the
United States; `089 | 7654321` is one in Munich, and by itself one elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import CountryKind, country_kind_of
from ekyc_tasks.intake.file_layout import Column, columns_at
from ekyc_tasks.intake.rules import NO_COUNTRY_COLUMN
from ekyc_tasks.phone import NO_MSISDN, Texts, read_by_country, read_msisdns
from ekyc_tasks.phone.countries import NOT_GIVEN, country_of, is_calling_code

_NEARLY_ALL = 0.9  # of the numbers that a column of calling codes would change
_MOST_COLUMNS, _MOST_PAIRS = 16, 200  # that are looked at
_INTERNATIONAL = re.compile(r"\D*(\+|00)")

Pair = tuple[str, str]  # a cell of another column, and the number beside it


def refuse_area_codes(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int], name: str
) -> None:
    """Raises InputError where another column has the area codes of the ``numbers`` in a sample."""
    for column in _columns_beside(titles, rows, numbers, CountryKind.PREFIX):
        if any(_lacks_area_code(*pair) for pair in _pairs(rows, column.place, numbers)):
            raise InputError(_ask_about_area_codes(name, column))


def refuse_calling_codes(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int],
    region: str | None,
    name: str,
) -> None:
    """Raises InputError where a column whose name does not say so seems to have their calling codes."""
    others = _columns_beside(titles, rows, numbers, CountryKind.NONE)
    candidates = (column for column in others if _has_calling_codes_only(rows, column.place))
    for column in islice(candidates, _MOST_COLUMNS):
        pairs = list(islice(_pairs(rows, column.place, numbers), _MOST_PAIRS))
        if pairs and _change_by_codes(pairs, region):
            raise InputError(_ask_about_calling_codes(name, column))


def _columns_beside(
    titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int], kind: CountryKind
) -> Iterator[Column]:
    for column in columns_at(titles, range(max(map(len, rows), default=0))):
        if column.place not in numbers and country_kind_of(column.title) is kind:
            yield column


def _has_calling_codes_only(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = {row[place] for row in rows if place < len(row)}
    countries = {country_of(cell) for cell in cells} - {NOT_GIVEN}
    return bool(countries) and all(map(is_calling_code, countries))


def _pairs(rows: Sequence[Sequence[str]], place: int, numbers: Sequence[int]) -> Iterator[Pair]:
    for row in rows:
        for at in numbers:
            if max(place, at) < len(row) and _digits(row[place]) and _digits(row[at]):
                yield row[place], row[at]


def _lacks_area_code(area: str, number: str) -> bool:
    """A number that begins with its area code, or with a calling code, is whole."""
    national = _digits(number).lstrip("0")
    return not _INTERNATIONAL.match(number) and not national.startswith(_digits(area).lstrip("0"))


def _change_by_codes(pairs: Sequence[Pair], region: str | None) -> bool:
    """Whether the numbers become others by the codes beside them, and valid ones."""
    codes = [country_of(code) for code, _ in pairs]
    texts = Texts.of(pl.Series([number for _, number in pairs], dtype=pl.String))
    alone = read_msisdns(texts, default_region=region).keys
    beside = read_by_country(texts, pl.Series(codes), default_region=region).keys
    is_other = (beside != NO_MSISDN) & (beside != alone)
    is_in_doubt = is_other | (beside == NO_MSISDN)
    others, in_doubt = np.count_nonzero(is_other), np.count_nonzero(is_in_doubt)
    return bool(others > 0 and others >= _NEARLY_ALL * in_doubt)


def _digits(text: str) -> str:
    return "".join(re.findall(r"\d", text))


def _ask_about_area_codes(name: str, column: Column) -> str:
    return (
        f"{name} seems to have area codes in a column of their own, {column.label}. Put each whole number "
        "into one column; where the numbers are whole already, write "
        f'country_column = "{NO_COUNTRY_COLUMN}" for the file in landing.toml.'
    )


def _ask_about_calling_codes(name: str, column: Column) -> str:
    return (
        f"{name} seems to have the calling codes of its numbers in {column.label}. If so, name that column "
        f'as country_column in landing.toml; if not, write "{NO_COUNTRY_COLUMN}" there.'
    )
