"""Landed file → its lines, a block at a time. A new format is one function, in `_READERS`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from ekyc_tasks.intake import text
from ekyc_tasks.intake.columns import choose, names_surely, raise_watched
from ekyc_tasks.intake.containers import open_list
from ekyc_tasks.intake.country_columns import NO_COUNTRIES, CountryColumns
from ekyc_tasks.intake.file_layout import LIST, FileLayout, columns_at
from ekyc_tasks.intake.json_rows import is_json_lines, read_json_blocks, read_json_line_blocks
from ekyc_tasks.intake.line_block import (
    ABOVE_HEADER,
    Blocks,
    Cell,
    LineBlock,
    is_blank,
    make_block,
    make_block_of_cells,
)
from ekyc_tasks.intake.number_shapes import holds_number, is_like_number, is_list
from ekyc_tasks.intake.parquet import read_parquet_blocks
from ekyc_tasks.intake.rules import NO_RULES, ReadingRules
from ekyc_tasks.intake.vcard import read_card_blocks
from ekyc_tasks.intake.workbooks import read_sheet_blocks
from ekyc_tasks.phone import Texts

__all__ = ["LineBlock", "is_blank", "read_blocks"]

SAMPLE_LINES = 500  # enough to tell columns apart
FEWEST_LINES = 20
SAMPLE_CHARACTERS = 200_000

RAGGED = "more cells than the table has columns"
TOO_SHORT = "fewer cells than the table has columns"
DOUBTFUL_QUOTES = "quotes that leave in doubt where its cells end"
_TOLD_NUMBER = r'"|(?:\+|\b00)[\s(]*\d'  # in a row that is too short: its cells may be shifted

_SEPARATOR_HINT = re.compile(r'"?sep=(.)"? *(?:\n|$)', re.IGNORECASE)  # Excel's own first line


def read_blocks(path: Path, *, name: str, rules: ReadingRules = NO_RULES) -> Blocks:
    """The lines of a file, in their order, in blocks of a few megabytes.

    ``path`` is where the bytes are; ``name`` is what to call them, and its ending says what they are.
    ``rules`` may name the columns of the numbers; without that, they are found by name or by content.

    Raises InputError when the file cannot be read, is not what its name says, has no such column, or leaves
    it in doubt which one to read.
    """
    with open_list(path, name=name) as (file, ending):
        yield from _READERS[ending](file, name, rules)


# --- texts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _TextLayout:
    """How a text is laid out: what the first rows tell, and what holds for all.

    ``titles``: the names of all columns, of which ``indexes`` are read and ``watched`` should be empty.
    ``countries`` say of which country a row is.
    ``header_lines`` name the columns or are titles; ``doubtful_lines`` stand above them with a number.
    ``shown``: what of it a person may see.
    """

    delimiter: str = text.NO_DELIMITER
    titles: tuple[str, ...] = ("",)
    indexes: tuple[int, ...] = (0,)
    watched: tuple[int, ...] = ()
    header_lines: frozenset[int] = frozenset()
    doubtful_lines: frozenset[int] = frozenset()
    shown: FileLayout = LIST
    countries: CountryColumns = NO_COUNTRIES


_BLANK = _TextLayout()  # as long as no line says anything


def _text_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    pieces = text.pieces(file, name, rules.encoding)
    before: list[str] = []
    for piece in pieces:
        before.append(piece)
        if piece.strip():
            break
    read = read_json_line_blocks if before and is_json_lines(before[-1]) else _row_blocks
    yield from read(chain(before, pieces), name, rules)


def _row_blocks(pieces: Iterable[str], name: str, rules: ReadingRules) -> Blocks:
    line = 1
    pieces = iter(pieces)
    for piece in pieces:
        if layout := _layout_of(piece, line, name, rules):
            whole = text.whole_rows(chain([piece], pieces), layout.delimiter)
            yield from _blocks_of_table(whole, line, layout, name)
        else:
            blank = Texts.of_lines(piece.encode())
            yield make_block(np.arange(line, line + len(blank)), blank)
            line += len(blank)


def _blocks_of_table(
    pieces: Iterable[tuple[str, text.OddRows]], line: int, layout: _TextLayout, name: str
) -> Blocks:
    for piece, odd in pieces:
        if layout.delimiter == text.NO_DELIMITER and '"' not in piece:
            texts = Texts.of_lines(piece.encode())
            lines = np.arange(line, line + len(texts))
            yield make_block(lines, texts, layout.header_lines, layout.shown)
            line += len(lines)
        else:
            rows = text.TextRows.of(piece, odd, line, layout.delimiter)
            yield _block_of_rows(rows, layout, name)
            line += piece.count("\n") if '"' in piece else len(rows.lines)


def _block_of_rows(rows: text.TextRows, layout: _TextLayout, name: str) -> LineBlock:
    for index in layout.watched:
        cells = rows.column(index)
        if any(holds_number(cell) for cell in cells.filter(~is_blank(cells))):
            raise_watched(layout.titles[index], name)
    columns = [rows.column(index) for index in layout.indexes]
    odd = _find_odd_rows(rows, columns[0], layout)
    block = make_block_of_cells(rows.lines, columns, layout.header_lines, odd, layout=layout.shown)
    return layout.countries.tell(block, rows.lines, rows.column)


def _find_odd_rows(rows: text.TextRows, first: pl.Series, layout: _TextLayout) -> Mapping[int, list[Cell]]:
    """The cells of rows that are not as the header says, or stand above it: read as numbers or not at all."""
    width = len(layout.titles)
    wide = rows.wide(width)
    odd = {place: _cells_of_wide(rows.texts[place], cells, layout) for place, cells in wide.items()}
    for place, cells in rows.odd.items():
        if not cells or _may_hide_rows(rows.texts[place], layout.delimiter, width):
            odd[place] = [Cell(rows.texts[place], DOUBTFUL_QUOTES)]
    short = first.is_null().arg_true()
    for place in short.filter(rows.texts.gather(short).str.contains(_TOLD_NUMBER)):
        if place not in odd and holds_number(rows.texts[place]):
            odd[place] = [Cell(rows.texts[place], TOO_SHORT)]
    odd = {place: cells for place, cells in odd.items() if rows.lines[place] not in layout.header_lines}
    for line in layout.doubtful_lines:
        for place in np.flatnonzero(rows.lines == line).tolist():
            odd[place] = [Cell(rows.texts[place], ABOVE_HEADER)]
    return odd


def _may_hide_rows(row: str, delimiter: str, width: int) -> bool:
    """Whether lines that stray quotes made one could be rows of the table each."""
    are_rows = [len(line.split(delimiter)) >= width and holds_number(line) for line in row.split("\n")]
    return width > 1 and len(are_rows) > 1 and (any(are_rows[1:-1]) or (are_rows[0] and are_rows[-1]))


def _cells_of_wide(row: str, cells: list[str], layout: _TextLayout) -> list[Cell]:
    """A cell too many may mean that all cells are shifted. Not so, where numbers follow numbers."""
    last = layout.indexes[-1]
    behind = [cell for cell in cells[last:] if cell.strip()]
    if last == len(layout.titles) - 1 and cells[last].strip() and all(map(is_like_number, behind)):
        named = [Cell(cells[index], column=at) for at, index in enumerate(layout.indexes)]
        beyond = [Cell(cell) for cell in cells[last + 1 :]]
        return [cell for cell in (*named, *beyond) if cell.text.strip()]
    return [Cell(row, RAGGED)]


def _layout_of(piece: str, first_line: int, name: str, rules: ReadingRules) -> _TextLayout | None:
    """The layout by the first rows that are not blank, or None if all of these are."""
    head = _sample(piece)
    hint = _SEPARATOR_HINT.match(head.lstrip())
    delimiter = rules.delimiter or (hint[1] if hint else _find_delimiter(head))
    rows = text.TextRows.of_sample(head, first_line, delimiter)
    filled = [(int(rows.lines[place]), rows.texts[place]) for place in (~is_blank(rows.texts)).arg_true()]
    hints, table = (filled[:1], filled[1:]) if hint else ([], filled)
    if not table:
        return None
    cells = [text.cells_of(row, delimiter) for _, row in table]
    if not rules.delimiter and _is_single(cells, delimiter, name):
        delimiter = text.NO_DELIMITER
        cells = [[row] for _, row in table]
    choice = choose(cells, rules, name)
    header = 0 if choice.header is None else choice.header + 1
    lines = [line for line, _ in table]
    doubtful = frozenset(lines[index] for index in choice.above)
    width = max(map(len, cells)) if choice.header is None else len(cells[choice.header])
    titles = cells[choice.header] if choice.header is not None else [""] * width
    shown = FileLayout(
        columns_at(titles, choice.indexes),
        choice.why,
        header=None if choice.header is None else lines[choice.header],
        titles=max(0, header - 1 - len(choice.above)),
        delimiter=delimiter,
    )
    return _TextLayout(
        delimiter,
        tuple(titles),
        choice.indexes,
        choice.watched,
        frozenset([*(line for line, _ in hints), *lines[:header]]) - doubtful,
        doubtful,
        shown,
        choice.countries,
    )


def _find_delimiter(head: str) -> str:
    """By most rows; where these are too ragged to tell, by a header that names a column surely."""
    delimiter = text.delimiter_of(head)
    filled = [row for row in head.split("\n") if row.strip()]
    if delimiter != text.NO_DELIMITER or not filled:
        return delimiter
    for each in text.DELIMITERS:
        titles = text.cells_of(filled[0], each)
        if len(titles) > 1 and names_surely(titles) and any(each in row for row in filled[1:]):
            return each
    return delimiter


def _is_single(rows: list[list[str]], delimiter: str, name: str) -> bool:
    """Whether what looks like delimiters stands between the numbers of a line, or inside them."""
    if len(rows[0]) == 1 and names_surely(rows[0]):
        return all(not re.search(r"[^\W\d_]", cell) for row in rows[1:] for cell in row)
    return ".txt" in name.lower() and delimiter != "\t" and is_list(rows)


def _sample(piece: str) -> str:
    """Fewer lines where they are long: thousands of columns are as many cells."""
    head = "\n".join(piece.split("\n", SAMPLE_LINES)[:SAMPLE_LINES])
    if len(head) <= SAMPLE_CHARACTERS:
        return head
    few = "\n".join(head.split("\n", FEWEST_LINES)[:FEWEST_LINES])
    return max(few, head[: head.rfind("\n", 0, SAMPLE_CHARACTERS)], key=len)


def _json_line_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    yield from read_json_line_blocks(text.pieces(file, name, rules.encoding), name, rules)


def _json_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    yield from read_json_blocks(text.read_whole(file, name, rules.encoding), name, rules)


def _card_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    yield from read_card_blocks(text.pieces(file, name, rules.encoding), name)


_READERS: dict[str, Callable[[BinaryIO, str, ReadingRules], Iterator[LineBlock]]] = {
    ".csv": _text_blocks,
    ".json": _json_blocks,
    ".jsonl": _json_line_blocks,
    ".ndjson": _json_line_blocks,
    ".ods": read_sheet_blocks,
    ".parquet": read_parquet_blocks,
    ".tsv": _text_blocks,
    ".txt": _text_blocks,
    ".vcf": _card_blocks,
    ".xls": read_sheet_blocks,
    ".xlsx": read_sheet_blocks,
}
