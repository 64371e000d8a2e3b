"""Which columns of a table hold the phone numbers, by their names or by what is in them.

Where a column is surely named for phones, only such columns are read: an empty one means that there is
nothing to send. What is in doubt is a question to a person, never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import Kind, comparable, kind_of, stem_of
from ekyc_tasks.intake.country_columns import NO_COUNTRIES, CountryColumns, find_country_columns
from ekyc_tasks.intake.file_layout import Column, Why, columns_at
from ekyc_tasks.intake.number_shapes import holds_number, is_like_number
from ekyc_tasks.intake.rules import ALL_COLUMNS, ReadingRules

# In the name of a column: Phone (e.g. +41 79 …)
_EXAMPLE = re.compile(
    r"[(\[（](?:e\.? ?g|z\.? ?b|p\.? ?ex|ex|ej|es|por ejemplo|format|напр|例|如|örn|contoh)"
    r"[^)\]）]*[)\]）]",
    re.IGNORECASE,
)
_DAY = re.compile(r"(?:19|20)\d\d[-/. ]?(?:19|20)?\d\d(?:\d\d)?")
_INTERNATIONAL = re.compile(r"""['"= (]*(?:[a-z]+[:.= ]+/*)?[( ]*(?:\+|00)""", re.IGNORECASE)
_MAJORITY = 0.5  # of a column's cells
_CLEARLY = 0.1  # so much more worth decides between two columns
_COLUMNS_NAMED = 6  # in one sentence
_BARE_WORTH = 0.7  # identifiers look like numbers too: those with a plus or 00 are the better guess
_TITLE_ROWS = 30  # above a header, blank ones not counted
EVERY_COLUMN = (ALL_COLUMNS,)
_WHERE = "with --column, in landing.toml or in EKYC_NUMBER_COLUMN"


class SeveralColumns(InputError):
    """It is in doubt which of several columns to read. ``columns``: these; none: all of `EVERY_COLUMN`."""

    def __init__(self, message: str, columns: tuple[Column, ...] = ()) -> None:
        super().__init__(message)
        self.columns = columns


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """``indexes``: the columns to read, from 0. ``watched``: columns that look empty; a number in one of
    them makes the file a question. ``header``: which row of the sample names the columns, if one does;
    ``above``: rows before it in which there may be a number. ``countries``: columns that say of which
    country the numbers are."""

    indexes: tuple[int, ...]
    watched: tuple[int, ...] = ()
    header: int | None = None
    above: tuple[int, ...] = ()
    why: Why = Why.SINGLE
    countries: CountryColumns = NO_COUNTRIES


def choose(rows: Sequence[list[str]], rules: ReadingRules, name: str) -> ColumnChoice:
    """Choose by a sample of rows, none of them blank; one of them may be a header, below titles.

    ``name`` is what to call the file. A single column is always the one, whatever is in it. Raises InputError
    when a named column does not exist, when none holds numbers, or when it is in doubt which to read.
    """
    choice = _choose_numbers(rows, rules, name)
    titles = rows[choice.header] if choice.header is not None else []
    body = rows if choice.header is None else rows[choice.header + 1 :]
    return replace(choice, countries=find_country_columns(titles, body, choice.indexes, rules, name))


def _choose_numbers(rows: Sequence[list[str]], rules: ReadingRules, name: str) -> ColumnChoice:
    width = max(map(len, rows))
    wanted = [each for each in rules.columns if rules.columns != EVERY_COLUMN]
    header = _find_named_header(rows, wanted, width) if wanted else None
    if header is None:
        header = _find_header(rows, width)
    if header is None and wanted:
        header = _find_unsure_header(rows, range(width), width)
    if rules.chosen:
        indexes = tuple(place for place, _ in rules.chosen)
        header = _find_unsure_header(rows, indexes, width) if header is None else header
        return ColumnChoice(indexes, header=header, above=_find_numbers(rows[: header or 0]), why=Why.AGAIN)
    if wanted and width > 1:
        indexes = _find_named(rows[header] if header is not None else [], wanted, name)
        return ColumnChoice(indexes, header=header, above=_find_numbers(rows[:header]), why=Why.NAMED)
    if width == 1:
        return ColumnChoice((0,), header=header)
    titles = rows[header] if header is not None else []
    body = rows if header is None else rows[header + 1 :]
    choice = _choose_columns([*titles, *[""] * (width - len(titles))], body, rules, name)
    if header is None:
        header = _find_unsure_header(rows, choice.indexes, width)
    return replace(choice, header=header, above=_find_numbers(rows[:header]) if header else ())


def choose_titled(
    titles: Sequence[str], rows: Sequence[list[str]], rules: ReadingRules, name: str
) -> ColumnChoice:
    """The same where the file itself says what its columns are called."""
    choice = _choose_titled_numbers(titles, rows, rules, name)
    return replace(choice, countries=find_country_columns(titles, rows, choice.indexes, rules, name))


def _choose_titled_numbers(
    titles: Sequence[str], rows: Sequence[list[str]], rules: ReadingRules, name: str
) -> ColumnChoice:
    if rules.chosen:
        before = {title for _, title in rules.chosen}
        return ColumnChoice(tuple(at for at, each in enumerate(titles) if each in before), why=Why.AGAIN)
    if rules.columns and rules.columns != EVERY_COLUMN and any(titles):
        return ColumnChoice(_find_named(list(titles), rules.columns, name), why=Why.NAMED)
    if len(titles) == 1 and kind_of(titles[0]) not in {Kind.ASIDE, Kind.OTHER}:
        return ColumnChoice((0,))
    return _choose_columns(list(titles), rows, rules, name)


def raise_watched(title: str, name: str) -> None:
    raise SeveralColumns(
        f"{name} has numbers in a second column of phone numbers, {_quote(title)}, further down. Name the "
        f'columns to read {_WHERE}, or "*" for all of them.'
    )


# --- headers --------------------------------------------------------------------------------------------


def _find_named_header(rows: Sequence[list[str]], wanted: Sequence[str], width: int) -> int | None:
    """The first row that has all these names."""
    names = {comparable(each) for each in wanted} - {""}
    for index, row in enumerate(rows[: _TITLE_ROWS + 1]):
        found = {comparable(cell) for cell in row}
        if names and names <= found and (width > 1 or index == 0):
            return index
    return None


def _find_header(rows: Sequence[list[str]], width: int) -> int | None:
    """The row that names a column surely; else the first one that names any. No row of data comes before."""
    heads = []
    for row in rows[: _TITLE_ROWS + 1]:
        if _is_data(row, width):
            break
        heads.append(row)
    for is_named in (names_surely, _names_perhaps):
        for index, row in enumerate(heads):
            if is_named(row) and (_count_filled(row) > 1 or width == 1):
                return None if width == 1 and index else index
            if is_named is _names_perhaps and _count_filled(row) > 1:
                break  # a row of data, perhaps
    return None


def _find_unsure_header(rows: Sequence[list[str]], indexes: Sequence[int], width: int) -> int | None:
    """The first row of a table is a header when it has a word where the others have numbers."""
    cells = [rows[0][index] for index in indexes if index < len(rows[0])]
    is_word = any(re.fullmatch(r"[^\d+]*[^\W\d_][^\d+]*", cell) for cell in cells)
    return 0 if width > 1 and is_word and not any(map(holds_number, rows[0])) else None


def _is_data(row: list[str], width: int) -> bool:
    return any(map(_may_be_number, row)) and (_count_filled(row) > 1 or width == 1)


def _may_be_number(cell: str) -> bool:
    """A short number of one region as well; but not a year with a month or a day, which may name a column."""
    bare = _EXAMPLE.sub("", cell)
    return holds_number(bare) or (is_like_number(bare) and not _DAY.fullmatch(bare.strip()))


def names_surely(row: list[str]) -> bool:
    return any(kind_of(cell) is Kind.SURE and not _may_be_number(cell) for cell in row)


def _names_perhaps(row: list[str]) -> bool:
    kinds = {kind_of(cell) for cell in row}
    return Kind.VAGUE in kinds or (len(row) > 1 and bool(kinds & {Kind.ASIDE, Kind.OTHER}))


def _count_filled(row: list[str]) -> int:
    return sum(1 for cell in row if cell.strip())


def _find_numbers(rows: Sequence[list[str]]) -> tuple[int, ...]:
    return tuple(index for index, row in enumerate(rows) if any(map(holds_number, row)))


# --- columns --------------------------------------------------------------------------------------------


def _find_named(titles: list[str], wanted: Sequence[str], name: str) -> tuple[int, ...]:
    words = [comparable(cell) for cell in titles]
    indexes: list[int] = []
    for each in wanted:
        word = comparable(each)
        found = [index for index, other in enumerate(words) if word and other == word]
        if not found:
            shown = [cell.strip() for cell in titles if cell.strip() and not holds_number(cell)]
            known = f" It has: {', '.join(shown[:_COLUMNS_NAMED])}." if shown else ""
            raise InputError(f"{name} has no column “{each}”.{known} Name another one {_WHERE}.")
        indexes += found
    return tuple(sorted(set(indexes)))


def _choose_columns(
    titles: list[str], rows: Sequence[list[str]], rules: ReadingRules, name: str
) -> ColumnChoice:
    columns = [[row[index] for row in rows if index < len(row)] for index in range(len(titles))]
    kinds = [kind_of(title) for title in titles]
    sure = [index for index, kind in enumerate(kinds) if kind is Kind.SURE]
    if sure:
        return _choose_surely_named(titles, columns, sure, rules, name)
    return _choose_by_content(titles, columns, kinds, rules, name)


def _choose_surely_named(
    titles: list[str], columns: list[list[str]], sure: list[int], rules: ReadingRules, name: str
) -> ColumnChoice:
    """Numbered columns of one name belong together; of several names only one may hold numbers."""
    filled = [index for index in sure if any(map(is_like_number, columns[index]))]
    if not filled:
        _refuse_numbers_elsewhere(titles, columns, sure, name)
    if rules.columns == EVERY_COLUMN:
        return ColumnChoice(tuple(sure), why=Why.EVERY)
    stems = dict.fromkeys(stem_of(titles[index]) for index in filled)
    if len(stems) > 1:
        raise _several(name, titles, filled)
    something = [index for index in sure if any(cell.strip() for cell in columns[index])]
    stem = next(iter(stems), stem_of(titles[(something or sure)[0]]))
    chosen = tuple(index for index in sure if stem_of(titles[index]) == stem)
    watched = tuple(index for index in sure if index not in chosen)
    return ColumnChoice(chosen, watched, why=Why.PHONES)


def _refuse_numbers_elsewhere(
    titles: list[str], columns: list[list[str]], sure: list[int], name: str
) -> None:
    others = [
        index
        for index, cells in enumerate(columns)
        if index not in sure and any(_INTERNATIONAL.match(cell) and is_like_number(cell) for cell in cells)
    ]
    if others:
        raise InputError(
            f"{name} has no number in {_list_titles(titles, sure)}, but in {_list_titles(titles, others)}. "
            f"Name the column to read {_WHERE}."
        )


def _choose_by_content(
    titles: list[str], columns: list[list[str]], kinds: list[Kind], rules: ReadingRules, name: str
) -> ColumnChoice:
    is_titled = any(title.strip() for title in titles)
    worth = [_worth(cells, kind) for cells, kind in zip(columns, kinds, strict=True)]
    if not any(worth):
        vague = [index for index, kind in enumerate(kinds) if kind is Kind.VAGUE]
        if len(vague) == 1:
            return ColumnChoice((vague[0],), why=Why.VAGUE)
        raise InputError(_ask_for_one(name, titles, columns, kinds))

    def rank(index: int) -> tuple[bool, float]:
        return kinds[index] is Kind.VAGUE, worth[index]

    found = [index for index, each in enumerate(worth) if each]
    best = max(found, key=rank)
    if rules.columns == EVERY_COLUMN:
        alike = tuple(index for index in found if worth[best] - worth[index] < _CLEARLY)
        return ColumnChoice(alike, why=Why.EVERY)
    rivals = [index for index in found if index == best or _is_rival(rank(index), rank(best), is_titled)]
    if len(rivals) > 1:
        raise _several(name, titles, rivals)
    return ColumnChoice((best,), why=Why.VAGUE if kinds[best] is Kind.VAGUE else Why.CONTENT)


def _is_rival(one: tuple[bool, float], best: tuple[bool, float], is_titled: bool) -> bool:
    """Neither its name nor its content says which is the better; without names, content is too little."""
    return not is_titled or (one[0] == best[0] and best[1] - one[1] < _CLEARLY)


def _worth(cells: list[str], kind: Kind) -> float:
    """How much a column looks like phone numbers, 0 to 1; 0 unless most of its cells do."""
    filled = [unicodedata.normalize("NFKC", cell).strip() for cell in cells if cell.strip()]
    alike = [cell for cell in filled if is_like_number(cell) and (kind is Kind.VAGUE or holds_number(cell))]
    if kind is Kind.ASIDE or len(alike) <= _MAJORITY * len(filled):
        return 0
    abroad = sum(1 for cell in alike if _INTERNATIONAL.match(cell) or "@" in cell)
    if kind is Kind.OTHER and abroad <= _MAJORITY * len(filled):
        return 0  # identifiers are digits as well
    return (abroad + _BARE_WORTH * (len(alike) - abroad)) / len(filled)


# --- questions ------------------------------------------------------------------------------------------


def _several(name: str, titles: list[str], places: list[int]) -> SeveralColumns:
    return SeveralColumns(
        f"{name} has several columns of phone numbers: {_list_titles(titles, places)}. Name the ones to "
        f'read {_WHERE}, or "*" for all of them.',
        columns_at(titles, places),
    )


def _ask_for_one(name: str, titles: list[str], columns: list[list[str]], kinds: list[Kind]) -> str:
    aside = [
        index
        for index, kind in enumerate(kinds)
        if kind is not Kind.PLAIN
        and any(is_like_number(cell) and holds_number(cell) for cell in columns[index])
    ]
    if aside:
        return (
            f"{name} has no column of phone numbers besides {_list_titles(titles, aside)}, which is "
            f"only read when it is named. Name it {_WHERE}, or add a column."
        )
    return f"{name} has no column that looks like phone numbers. Add one, or name the column {_WHERE}."


def _list_titles(titles: list[str], columns: list[int]) -> str:
    shown = [column.label for column in columns_at(titles, columns)]
    return ", ".join(shown[:_COLUMNS_NAMED]) + (", …" if len(shown) > _COLUMNS_NAMED else "")


def _quote(title: str) -> str:
    return f"“{title.strip()}”"
