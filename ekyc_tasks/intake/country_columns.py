"""Which columns of a table say of which country the numbers beside them are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import CountryKind, comparable, country_kind_of
from ekyc_tasks.intake.line_block import LineBlock, Lines
from ekyc_tasks.intake.rules import NO_COUNTRY_COLUMN, ReadingRules
from ekyc_tasks.intake.split_numbers import refuse_area_codes, refuse_calling_codes
from ekyc_tasks.phone.countries import NOT_GIVEN, UNKNOWN, agree, country_of

_MOST = 0.5  # of the filled cells of a column with such a name; other cells are rejected with their reason


@dataclass(frozen=True, slots=True)
class CountryColumns:
    """Columns by where they are. ``of_numbers`` are asked first, ``of_rows`` where these say nothing."""

    of_numbers: tuple[int, ...] = ()
    of_rows: tuple[int, ...] = ()
    titles: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[int]:
        yield from (*self.of_numbers, *self.of_rows)

    def __bool__(self) -> bool:
        return bool(self.titles)

    def add(self, index: int, title: str) -> CountryColumns:
        """With a column that the first rows do not have, if it is named for countries."""
        match country_kind_of(title):
            case CountryKind.NUMBER:
                return replace(self, of_numbers=(*self.of_numbers, index), titles=(*self.titles, title))
            case CountryKind.PLACE:
                return replace(self, of_rows=(*self.of_rows, index), titles=(*self.titles, title))
        return self

    def tell(self, block: LineBlock, lines: Lines, cells_of: Callable[[int], pl.Series]) -> LineBlock:
        """The block, and of which country each of its entries is. ``lines``: those of the rows of cells."""
        if not self:
            return block
        countries = self._read(cells_of).gather(np.searchsorted(lines, block.lines))
        return replace(block, countries=countries, country_titles=self.titles)

    def _read(self, cells_of: Callable[[int], pl.Series]) -> pl.Series:
        columns = {index: _read_column(cells_of(index)) for index in self}
        table = pl.DataFrame([column.alias(f"{index}") for index, column in columns.items()])
        known = table.unique()
        told = [self._agree(dict(zip(columns, row, strict=True))) for row in known.iter_rows()]
        known = known.with_columns(country=pl.Series(told, dtype=pl.String))
        return table.join(known, on=table.columns, how="left", maintain_order="left")["country"]

    def _agree(self, row: dict[int, str]) -> str:
        first = agree([row[index] for index in self.of_numbers])
        return first if first != NOT_GIVEN else agree([row[index] for index in self.of_rows])


NO_COUNTRIES = CountryColumns()


def find_country_columns(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int],
    rules: ReadingRules,
    name: str,
) -> CountryColumns:
    """By their names, where the rows of a sample agree; or the one that a person named.

    ``numbers``: the columns of numbers, which are none. Raises InputError when there is none of that name.
    """
    is_list = max(map(len, rows), default=len(titles)) == 1
    if rules.country_column == NO_COUNTRY_COLUMN or is_list:
        return NO_COUNTRIES
    if rules.country_column is not None:
        return _find_named(titles, rules.country_column, name)
    found: dict[CountryKind, list[int]] = {kind: [] for kind in CountryKind}
    for index, title in enumerate(titles):
        kind = country_kind_of(title)
        if kind is not CountryKind.NONE and index not in numbers:
            cells = [row[index] for row in rows if index < len(row)]
            if _holds_countries(cells, kind):
                found[kind].append(index)
    of_numbers = found[CountryKind.NUMBER] + found[CountryKind.PREFIX]
    of_rows = found[CountryKind.PLACE]
    if not of_numbers:
        refuse_area_codes(titles, rows, numbers, name)
    if not of_numbers + of_rows:
        refuse_calling_codes(titles, rows, numbers, rules.region, name)
    return CountryColumns(
        tuple(of_numbers), tuple(of_rows), tuple(titles[index] for index in of_numbers + of_rows)
    )


def _find_named(titles: Sequence[str], wanted: str, name: str) -> CountryColumns:
    word = comparable(wanted)
    found = tuple(index for index, title in enumerate(titles) if word and comparable(title) == word)
    if not found:
        raise InputError(
            f"{name} has no column “{wanted}” of countries. Correct country_column in landing.toml, or write "
            f'"{NO_COUNTRY_COLUMN}" for none.'
        )
    return CountryColumns(found, titles=tuple(titles[index] for index in found))


def _holds_countries(cells: Sequence[str], kind: CountryKind) -> bool:
    """An area code is no country: a calling code that may be one has to begin with ``+`` or ``00``."""
    countries = {cell: country_of(cell) for cell in set(cells)}
    filled = [cell for cell in cells if countries[cell] != NOT_GIVEN]
    known = [cell for cell in filled if countries[cell] != UNKNOWN]
    if kind is CountryKind.PREFIX:
        return bool(filled) and all(
            cell in known and cell.lstrip(" '(").startswith(("+", "00")) for cell in filled
        )
    return len(known) > _MOST * len(filled) or not filled


def _read_column(cells: pl.Series) -> pl.Series:
    texts = cells.fill_null("")
    distinct = texts.unique()
    countries = pl.Series([country_of(text) for text in distinct], dtype=pl.String)
    return texts.replace_strict(distinct, countries, return_dtype=pl.String)
