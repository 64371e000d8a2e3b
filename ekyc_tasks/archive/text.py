"""Delimited text → blocks of raw rows: whole lines, quotes, ragged lines.

Nothing of this is documented by the provider. Seen in the field: UTF-8 with and without BOM; commas, tabs
and semicolons; user names that hold commas. A block is parsed by polars where a count of its delimiters
proves that every row has the same cells (polars pads short rows in silence), and row by row only where not.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from itertools import compress

import numpy as np
import polars as pl

from ekyc_tasks.archive.containers import Member
from ekyc_tasks.archive.encodings import Healer, as_utf8
from ekyc_tasks.archive.forms import TextForm, sniff
from ekyc_tasks.archive.tables import MAX_COLUMNS, Block, Blocks, ColumnTypes, Int64Array, Table
from ekyc_tasks.errors import ArchiveError

BLOCK_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 20
# A quoted cell may hold newlines; beyond so many lines the opening quote is taken for a stray one.
MAX_ROW_LINES = 100

_CACHED = 1 << 18  # what a processor has at hand
_NEWLINE, _QUOTE = ord("\n"), ord('"')


def text_table(member: Member, head: bytes, verdict: bool | None) -> Table | None:
    """The member, which starts with ``head``, as a table; None if it is not text or holds no line."""
    form = sniff(head)
    if form is None:
        return None
    if form.width > MAX_COLUMNS:
        raise ArchiveError(
            f"{member.label} has more than {MAX_COLUMNS} columns: it is no table; "
            "ask the provider for it again"
        )
    return Table(member.name, form.head, verdict, partial(_blocks, member, form))


# --- bytes → whole rows ---------------------------------------------------------------------------------


def _blocks(member: Member, form: TextForm, skip_head: bool, few: Collection[int]) -> Blocks:
    types, healer = ColumnTypes(form.width, few), Healer()
    line = 1
    skipped_lines = form.head_lines if skip_head else 0
    for data in _cut(_utf8(member, form), member.label):
        healed, healed_lines = healer.heal(_without_lines(data, skipped_lines))
        rows = _Rows.of(healed, form, types)
        types.learn(rows.frame)
        first_line = line + skipped_lines
        ragged = tuple((first_line + at, text) for at, text in rows.ragged)
        yield Block(rows.frame, rows.lines + first_line, ragged, healed_lines, healer.legacy)
        line += _count(data, _NEWLINE)
        skipped_lines = 0


def _utf8(member: Member, form: TextForm) -> Iterator[bytes]:
    for data in as_utf8(member.chunks(), form.encoding, form.bom_bytes):
        yield data.replace(b"\r", b"\n") if form.ends_with_cr else data


def _cut(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Pieces of about `BLOCK_BYTES` that end where a row ends, the last with a newline if it had none."""
    held: list[bytes] = []
    held_bytes = 0
    for chunk in chunks:
        held.append(chunk)
        held_bytes += len(chunk)
        if held_bytes < BLOCK_BYTES:
            continue
        piece, rest = _split(held)
        if piece:
            yield piece
        elif held_bytes > MAX_LINE_BYTES:
            raise ArchiveError(
                f"{name} has a line of more than {MAX_LINE_BYTES:,} bytes: it is no table; "
                "ask the provider for it again"
            )
        held, held_bytes = [rest], len(rest)
    piece = b"".join(held)
    if piece:
        yield piece if piece.endswith(b"\n") else piece + b"\n"


def _split(chunks: list[bytes]) -> tuple[bytes, bytes]:
    """Whole rows, and the beginning of the next."""
    last = chunks[-1]
    end = last.rfind(b"\n") + 1
    if end and not any(b'"' in chunk for chunk in chunks):  # copies once what is copied twice below
        return b"".join((*chunks[:-1], last[:end])), last[end:]
    data = b"".join(chunks)
    end = _last_row_end(data)
    return data[:end], data[end:]


def _last_row_end(data: bytes) -> int:
    """Behind the last newline that is not inside quotes; behind the last of all where quotes are astray."""
    last = end = data.rfind(b"\n") + 1
    is_quoted = b'"' in data and _count(data[:end], _QUOTE) % 2
    for _ in range(MAX_ROW_LINES):
        if not is_quoted or not end:
            return end
        previous = data.rfind(b"\n", 0, end - 1) + 1
        is_quoted ^= data.count(b'"', previous, end) % 2
        end = previous
    return last


def _without_lines(data: bytes, count: int) -> bytes:
    start = 0
    for _ in range(count):
        start = data.find(b"\n", start) + 1
    return data[start:] if start else data


def _count(data: bytes, sign: int) -> int:
    """Five times as fast as ``data.count`` for signs that are frequent."""
    signs = np.frombuffer(data, dtype=np.uint8)
    parts = (signs[start : start + _CACHED] for start in range(0, len(signs), _CACHED))
    return sum(int(np.count_nonzero(part == sign)) for part in parts)


# --- whole rows → cells ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one piece of text. Lines count from its beginning, from 0."""

    frame: pl.DataFrame
    lines: Int64Array
    ragged: Sequence[tuple[int, str]] = ()

    @classmethod
    def of(cls, data: bytes, form: TextForm, types: ColumnTypes) -> _Rows:
        """By the fastest way that is sure of every row."""
        return (
            _parsed(data, form, types)
            or _parsed_where_even(data, form, types)
            or _row_by_row(data, form, types)
        )


def _parsed(data: bytes, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """All rows at once; None if not every row is known to have ``form.width`` cells.

    Together with a parser that refuses longer rows, the total of delimiters proves that none is shorter.
    """
    lines = _quoted_row_lines(data, form) if b'"' in data else _plain_row_lines(data, form)
    return None if lines is None else _with_lines(data, lines, form, types)


def _plain_row_lines(data: bytes, form: TextForm) -> Int64Array | None:
    rows = _count(data, _NEWLINE)
    if _count(data, ord(form.delimiter)) != rows * (form.width - 1):
        return None
    return np.arange(rows, dtype=np.int64)


def _quoted_row_lines(data: bytes, form: TextForm) -> Int64Array | None:
    marks = _Marks.of(data, form)
    if marks is None or len(marks.delimiters) != len(marks.row_ends) * (form.width - 1):
        return None
    return marks.lines()


def _with_lines(data: bytes, lines: Int64Array, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """The rows that start on these lines; None if the parser sees other rows."""
    try:
        frame = pl.read_csv(
            data,
            has_header=False,
            separator=form.delimiter,
            quote_char='"' if b'"' in data else None,
            schema=types.types,
        )
    except pl.exceptions.NoDataError:
        frame = pl.DataFrame(schema=types.types)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # its text holds values
        return None
    if frame.height != len(lines):
        return None
    if form.width > 1:
        return _Rows(frame, lines)
    is_row = (frame.to_series().cast(pl.String).str.strip_chars() != "").fill_null(False).to_numpy()
    return _Rows(frame.filter(is_row), lines[is_row])


@dataclass(frozen=True, slots=True)
class _Marks:
    """Where the delimiters and newlines of a text are, those in quotes only in ``newlines``."""

    newlines: Int64Array
    row_ends: Int64Array  # behind their newline
    delimiters: Int64Array

    @classmethod
    def of(cls, data: bytes, form: TextForm) -> _Marks | None:
        """None if quotes are astray: one is not closed, or closed very far away."""
        signs = np.frombuffer(data, dtype=np.uint8)
        newlines = np.flatnonzero(signs == _NEWLINE)
        delimiters = np.flatnonzero(signs == ord(form.delimiter))
        row_ends = newlines + 1
        if b'"' in data:
            is_quoted = np.logical_xor.accumulate(signs == _QUOTE)
            row_ends = row_ends[~is_quoted[newlines]]
            delimiters = delimiters[~is_quoted[delimiters]]
            if is_quoted[-1] or np.diff(np.searchsorted(newlines, row_ends), prepend=0).max() > MAX_ROW_LINES:
                return None
        return cls(newlines, row_ends, delimiters)

    def row_starts(self) -> Int64Array:
        return np.concatenate(([0], self.row_ends[:-1]))

    def lines(self) -> Int64Array:
        """On which each row starts."""
        return np.searchsorted(self.newlines, self.row_starts())

    def cells(self) -> Int64Array:
        """How many each row has."""
        return np.diff(np.searchsorted(self.delimiters, self.row_ends), prepend=0) + 1


def _parsed_where_even(data: bytes, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """Rows of the right width at once and the others one by one; None if quotes are astray."""
    marks = _Marks.of(data, form)
    if marks is None:
        return None
    is_even, lines = marks.cells() == form.width, marks.lines()
    spans = list(zip(marks.row_starts().tolist(), marks.row_ends.tolist(), strict=True))
    text = b"".join(data[start:end] for start, end in compress(spans, is_even))
    even = _with_lines(text, lines[is_even], form, types)
    if even is None:
        return None
    uneven = zip(compress(spans, ~is_even), lines[~is_even].tolist(), strict=True)
    others = _gathered(
        (row for (start, end), line in uneven for row in _rows(data[start:end], form, line)), form, types
    )
    return _in_order(even, others)


def _in_order(some: _Rows, others: _Rows) -> _Rows:
    if not len(others.lines):
        return replace(some, ragged=others.ragged)
    lines = np.concatenate([some.lines, others.lines])
    order = np.argsort(lines)
    return _Rows(pl.concat([some.frame, others.frame])[order], lines[order], others.ragged)


# --- row by row -----------------------------------------------------------------------------------------


def _row_by_row(data: bytes, form: TextForm, types: ColumnTypes) -> _Rows:
    return _gathered(_rows(data, form), form, types)


def _gathered(found: Iterable[tuple[int, str, list[str]]], form: TextForm, types: ColumnTypes) -> _Rows:
    rows: list[list[str]] = []
    lines: list[int] = []
    ragged: list[tuple[int, str]] = []
    for line, text, cells in found:
        if len(cells) == form.width:
            rows.append(cells)
            lines.append(line)
        else:
            ragged.append((line, text))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(types.types, pl.String), orient="row")
    return _Rows(types.of(frame), np.array(lines, dtype=np.int64), ragged)


def _rows(data: bytes, form: TextForm, first_line: int = 0) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and cells of each row that is not blank."""
    lines = data.decode().split("\n")[:-1]
    at = 0
    while at < len(lines):
        row_lines, cells = _row_at(lines, at, form)
        text = "\n".join(lines[at : at + row_lines])
        if text.strip():
            yield first_line + at, text, cells
        at += row_lines


def _row_at(lines: list[str], at: int, form: TextForm) -> tuple[int, list[str]]:
    """How many lines the row takes, and its cells. A quote that never fits is taken for a stray one."""
    if lines[at].count('"') % 2:
        for end in range(at + 1, min(at + MAX_ROW_LINES, len(lines))):
            if lines[end].count('"') % 2:
                cells = _cells("\n".join(lines[at : end + 1]), form)
                if len(cells) == form.width:
                    return end + 1 - at, cells
                break
    return 1, _cells(lines[at], form)


def _cells(text: str, form: TextForm) -> list[str]:
    """The cells of one row; none if it is not one."""
    try:
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=form.delimiter))
    except csv.Error:
        return []
    return rows[0] if len(rows) == 1 else []
