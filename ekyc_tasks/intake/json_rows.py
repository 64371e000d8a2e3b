"""JSON → rows as of a table: the path of keys that leads to a value is the name of its column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import Kind, kind_of, stem_of
from ekyc_tasks.intake.columns import EVERY_COLUMN, choose_titled, raise_watched
from ekyc_tasks.intake.country_columns import NO_COUNTRIES, CountryColumns
from ekyc_tasks.intake.file_layout import Column, FileLayout, Why
from ekyc_tasks.intake.line_block import Blocks, Cell, Lines, make_block_of_cells
from ekyc_tasks.intake.number_shapes import holds_number
from ekyc_tasks.intake.rules import ReadingRules

BROKEN_JSON = "this line is not valid JSON"
_SAMPLE_ROWS = 500
_BLOCK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class _Row:
    """``cells``: the values of a row, by path. ``flawed``: the line itself where it cannot be parsed."""

    line: int
    cells: tuple[tuple[str, str], ...] = ()
    flawed: str = ""


class _Pairs(tuple[tuple[str, object], ...]):
    """An object with all its pairs: of equal keys none is lost."""

    __slots__ = ()


def is_json_lines(piece: str) -> bool:
    """Whether each of the first lines that are not blank is a JSON object."""
    lines = [line for line in piece.split("\n", 20)[:20] if line.strip()]
    return bool(lines) and all(line.lstrip().startswith("{") and _is_object(line) for line in lines)


def read_json_line_blocks(pieces: Iterable[str], name: str, rules: ReadingRules) -> Blocks:
    """A row for each line; one that is no JSON is rejected alone."""
    yield from _blocks(_rows_of_lines(pieces), name, rules)


def read_json_blocks(whole: str, name: str, rules: ReadingRules) -> Blocks:
    """One array, itself or in an object, a row for each element; else JSON lines."""
    try:
        elements = _elements(_parse(whole)) if whole.strip() else []
        rows = [_Row(index, tuple(_walk(each))) for index, each in enumerate(elements, start=1)]
    except (ValueError, RecursionError):
        if not is_json_lines(whole):
            raise InputError(f"{name} cannot be read as JSON. Export it again as JSON or CSV.") from None
        yield from read_json_line_blocks([whole], name, rules)
        return
    yield from _blocks(iter(rows), name, rules)


def _elements(value: object) -> list[object]:
    """The elements of an array, or of the only one that an object has beside what holds no number."""
    if isinstance(value, _Pairs):
        arrays = [each for _, each in value if isinstance(each, list)]
        others = [text for key, each in value if not isinstance(each, list) for _, text in _walk(each, key)]
        if len(arrays) == 1 and not any(map(holds_number, others)):
            return arrays[0]
    return value if isinstance(value, list) else [value]


# --- rows -----------------------------------------------------------------------------------------------


def _rows_of_lines(pieces: Iterable[str]) -> Iterator[_Row]:
    line = 0
    for piece in pieces:
        for text in piece.removesuffix("\n").split("\n"):
            line += 1
            yield _row_of_line(line, text)


def _row_of_line(line: int, text: str) -> _Row:
    if not text.strip():
        return _Row(line)
    try:
        return _Row(line, tuple(_walk(_parse(text))))
    except (ValueError, RecursionError):
        return _Row(line, flawed=text)


def _parse(text: str) -> object:
    """Numbers stay texts, as they are written."""
    return json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str)


def _is_object(text: str) -> bool:
    try:
        return isinstance(_parse(text), _Pairs)
    except (ValueError, RecursionError):
        return False


def _walk(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """All values below, each with its path; the places in an array are no part of it."""
    if isinstance(value, _Pairs):
        for key, each in value:
            yield from _walk(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for each in value:
            yield from _walk(each, path)
    elif value is None or isinstance(value, list):
        yield path, ""  # an empty key is known, too: there is nothing to send, and no other key to read
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


# --- columns --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Keys:
    """Which paths are read, each with its number, and which make the file a question when they hold one.

    ``known``: each path and its place, by which ``countries`` calls it.
    """

    chosen: dict[str, int]
    watched: set[str]
    known: dict[str, int]
    rules: ReadingRules
    countries: CountryColumns = NO_COUNTRIES
    why: Why = Why.SINGLE

    def learn(self, path: str) -> None:
        """A path that the first rows do not have."""
        self.known[path] = len(self.known)
        if self.rules.country_column is None:
            self.countries = self.countries.add(self.known[path], path)
        if not self.rules.chosen and kind_of(path) is Kind.SURE and self.rules.columns in {(), EVERY_COLUMN}:
            stems = {stem_of(each) for each in self.chosen}
            is_chosen = self.rules.columns == EVERY_COLUMN or not stems or stem_of(path) in stems
            if is_chosen:
                self.chosen[path] = len(self.chosen)
            else:
                self.watched.add(path)

    def layout(self) -> FileLayout:
        return FileLayout(tuple(Column(place, path) for path, place in self.chosen.items()), self.why)


def _blocks(rows: Iterator[_Row], name: str, rules: ReadingRules) -> Blocks:
    sample = list(islice(rows, _SAMPLE_ROWS))
    keys = _choose_keys(sample, rules, name)
    following = chain(sample, rows)
    while block := list(islice(following, _BLOCK_ROWS)):
        cells = {index: _cells_of(row, keys, name) for index, row in enumerate(block)}
        lines: Lines = np.array([row.line for row in block], dtype=np.int64)
        empty = pl.Series([""] * len(block), dtype=pl.String)
        filled = {index: each for index, each in cells.items() if each}
        told = make_block_of_cells(lines, [empty], instead=filled, layout=keys.layout())
        yield keys.countries.tell(told, lines, partial(_texts_at, block, list(keys.known)))


def _choose_keys(sample: list[_Row], rules: ReadingRules, name: str) -> _Keys:
    paths = list(dict.fromkeys(path for row in sample for path, _ in row.cells))
    before = {path: place for place, (_, path) in enumerate(rules.chosen)}
    if not paths:
        return _Keys(before, set(), {}, rules)
    places = {path: index for index, path in enumerate(paths)}
    table = []
    for row in sample:
        cells: list[list[str]] = [[] for _ in paths]
        for path, text in row.cells:
            cells[places[path]].append(text)
        table.append([";".join(each) for each in cells])
    choice = choose_titled(paths, table, rules, name)
    chosen = before or {paths[index]: place for place, index in enumerate(choice.indexes)}
    watched = {paths[index] for index in choice.watched}
    return _Keys(chosen, watched, places, rules, choice.countries, choice.why)


def _texts_at(rows: list[_Row], paths: list[str], index: int) -> pl.Series:
    """What each row has there; several values have to agree."""
    found = (";".join(text for path, text in row.cells if path == paths[index]) for row in rows)
    return pl.Series(found, dtype=pl.String)


def _cells_of(row: _Row, keys: _Keys, name: str) -> list[Cell]:
    if row.flawed:
        return [Cell(row.flawed, BROKEN_JSON)]
    for path, text in row.cells:
        if path not in keys.known:
            keys.learn(path)
        if path in keys.watched and holds_number(text):
            raise_watched(path, name)
    return [
        Cell(text, None, keys.chosen[path])
        for path, text in row.cells
        if path in keys.chosen and text.strip()
    ]
