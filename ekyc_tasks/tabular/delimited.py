"""Delimited text → blocks of raw rows: whole lines, quotes, ragged lines.

Nothing of this is documented by the provider. Seen in the field: UTF-8 with and without BOM; commas, tabs
and semicolons; user names that hold commas. A block is parsed by polars where a count of its delimiters
proves that every row has the same cells (polars pads short rows in silence) and its quotes can be read in one
way only, and row by row where not.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.tabular.containers import Member
from ekyc_tasks.tabular.dialect import TextForm, other_forms, sniff
from ekyc_tasks.tabular.encodings import LegacyDecoder, as_utf8
from ekyc_tasks.tabular.quoting import (
    MAX_ROW_LINES,
    Quotes,
    find_quoted_lines,
    find_quoted_rows,
    find_unfinished_row,
    grammar,
    most_lines,
    single_rows,
)
from ekyc_tasks.tabular.table import MAX_COLUMNS, Block, Blocks, ColumnTypes, Int64Array, Table

# What fills a block first. Lines are counted too, for some cost a hundred bytes however short they are.
BLOCK_BYTES, BLOCK_LINES, BLOCK_CELLS = 8 << 20, 1 << 18, 1 << 21
FIRST_LINES = 1 << 15  # fill the first block, so that what is no table costs little
MAX_LINE_BYTES = 16 << 20
MANY_RAGGED = 10_000  # in a table that is said to be none, for nearly all lines are

_CACHE_BYTES = 1 << 18  # what fits into a processor's cache
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'


def text_table(member: Member, head: bytes, verdict: bool | None) -> Table | None:
    """The member, which starts with ``head``, as a table; None if it is not text or holds no line."""
    form = sniff(head)
    return None if form is None else _table(member, form, verdict)


def _table(member: Member, form: TextForm, verdict: bool | None) -> Table:
    return Table(
        member.name,
        form.head,
        verdict,
        partial(_blocks, member, form),
        sample=form.sample,
        alternatives=partial(_alternatives, member, verdict),
    )


def _alternatives(member: Member, verdict: bool | None) -> Iterator[Table]:
    for form in other_forms(member.head()):
        if form.width <= MAX_COLUMNS:
            yield _table(member, form, verdict)


# --- bytes → whole rows ---------------------------------------------------------------------------------


def _blocks(member: Member, form: TextForm, skip_head: bool, few: Collection[int]) -> Blocks:
    types, healer = ColumnTypes(form.width, few), LegacyDecoder(legacy=form.legacy)
    line = 1
    even = uneven = 0
    unread_lines = form.head_lines if skip_head else 0
    for data, lines in _cut(_utf8(member, form), form, member.label):
        skipped_lines = min(unread_lines, lines)
        unread_lines -= skipped_lines
        healed, healed_lines = healer.decode(_without_lines(data, skipped_lines))
        rows = _Rows.of(healed, lines - skipped_lines, form, types)
        types.learn(rows.frame)
        first_line = line + skipped_lines
        ragged = tuple((first_line + at, text) for at, text in rows.ragged)
        yield Block(rows.frame, rows.lines + first_line, ragged, healed_lines, healer.legacy)
        even, uneven = even + len(rows.lines), uneven + len(ragged)
        if uneven > max(MANY_RAGGED, 9 * even):
            raise ArchiveError(
                f"{member.label} is not a table: nine in ten of its lines have more or fewer cells than the "
                "first. Ask the provider for it again, or load it again after an upgrade"
            )
        line += lines


def _utf8(member: Member, form: TextForm) -> Iterator[bytes]:
    for data in as_utf8(member.chunks(), form.encoding, form.bom_bytes):
        yield data.replace(b"\r", b"\n") if form.ends_with_cr else data


def _cut(chunks: Iterator[bytes], form: TextForm, name: str) -> Iterator[tuple[bytes, int]]:
    """Pieces that fill a block and end where a row ends, the last with a newline if it had none; and how many
    lines each has.
    """
    most_lines = min(BLOCK_LINES, BLOCK_CELLS // form.width)
    enough_lines = min(FIRST_LINES, most_lines)
    held: list[bytes] = []
    held_bytes = held_lines = 0
    for chunk, lines in _count_lines(chunks, most_lines):
        held.append(chunk)
        held_bytes += len(chunk)
        held_lines += lines
        if held_bytes < BLOCK_BYTES and held_lines < enough_lines:
            continue
        enough_lines = most_lines
        piece, rest = _split(held, form.delimiter)
        rest_lines = _count(rest, _NEWLINE)
        if piece:
            yield piece, held_lines - rest_lines
        elif held_bytes > MAX_LINE_BYTES:
            raise ArchiveError(
                f"{name} has a line of more than {MAX_LINE_BYTES:,} bytes, so it is not a table. "
                "Ask the provider for it again"
            )
        held, held_bytes, held_lines = [rest], len(rest), rest_lines
    piece = b"".join(held)
    if piece.endswith(b"\n"):
        yield piece, held_lines
    elif piece:
        yield piece + b"\n", held_lines + 1


def _count_lines(chunks: Iterator[bytes], most_lines: int) -> Iterator[tuple[bytes, int]]:
    """Each chunk and how many lines end in it, cut into smaller ones where they are many."""
    enough_lines = min(FIRST_LINES, most_lines)
    for chunk in chunks:
        lines = _count(chunk, _NEWLINE)
        step = len(chunk) if lines < enough_lines else len(chunk) * enough_lines // lines
        enough_lines = most_lines
        for start in range(0, len(chunk), max(1, step)):
            part = chunk[start : start + step]
            yield part, lines if part is chunk else _count(part, _NEWLINE)


def _split(chunks: list[bytes], delimiter: str) -> tuple[bytes, bytes]:
    """Whole rows, and the beginning of the next."""
    last = chunks[-1]
    end = last.rfind(b"\n") + 1
    if end and not any(b'"' in chunk for chunk in chunks):  # copies once what is copied twice below
        return b"".join((*chunks[:-1], last[:end])), last[end:]
    data = b"".join(chunks)
    end = find_unfinished_row(data[: data.rfind(b"\n") + 1], delimiter)
    return data[:end], data[end:]


def _without_lines(data: bytes, count: int) -> bytes:
    start = 0
    for _ in range(count):
        start = data.find(b"\n", start) + 1
    return data[start:] if start else data


def _count(data: bytes, sign: int) -> int:
    """Five times as fast as ``data.count`` for signs that are frequent."""
    signs = np.frombuffer(data, dtype=np.uint8)
    parts = (signs[start : start + _CACHE_BYTES] for start in range(0, len(signs), _CACHE_BYTES))
    return sum(int(np.count_nonzero(part == sign)) for part in parts)


# --- whole rows → cells ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one piece of text. Lines count from its beginning, from 0."""

    frame: pl.DataFrame
    lines: Int64Array
    ragged: Sequence[tuple[int, str]] = ()

    @classmethod
    def of(cls, data: bytes, lines: int, form: TextForm, types: ColumnTypes) -> _Rows:
        """By the fastest way that is sure of every row."""
        return (
            _plain(data, lines, form, types)
            or _mark_rows(data, form, types)
            or _row_by_row(data, form, types)
        )


def _plain(data: bytes, lines: int, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """All rows at once; None if there are quotes, or not every row is known to have ``form.width`` cells.

    Together with a parser that refuses longer rows, the total of delimiters proves that none is shorter.
    """
    if b'"' in data:
        return None
    if _count(data, ord(form.delimiter)) != lines * (form.width - 1):
        return None
    return _with_lines(data, np.arange(lines, dtype=np.int64), form, types)


def _with_lines(data: bytes, lines: Int64Array, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """The rows that start on these lines; None if the parser sees other rows."""
    if data.startswith(BOM_UTF8):  # which it drops
        return None
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
    """Where rows end, by bytes, and the delimiters between their cells.

    ``is_unsure`` are rows whose quotes a parser may read in another way.
    """

    newlines: Int64Array
    row_ends: Int64Array  # behind their newline
    delimiters: Int64Array
    is_unsure: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, data: bytes, delimiter: str) -> _Marks:
        signs = np.frombuffer(data, dtype=np.uint8)
        newlines = np.flatnonzero(signs == _NEWLINE)
        delimiters = np.flatnonzero(signs == ord(delimiter))
        quotes = Quotes.of(data, delimiter)
        if quotes.is_strict and quotes.opens is None:
            is_quoted = np.logical_xor.accumulate(signs == _QUOTE)
            inner = newlines[is_quoted[newlines]]
            row_ends = newlines[~is_quoted[newlines]] + 1
            is_short = most_lines(newlines + 1, row_ends) <= MAX_ROW_LINES
            if is_short and not _hides_a_row(data, inner, delimiter):
                sure = np.zeros(len(row_ends), dtype=np.bool_)
                return cls(newlines, row_ends, delimiters[~is_quoted[delimiters]], sure)
        is_end = np.ones(len(newlines), dtype=np.bool_)
        quoted = find_quoted_lines(quotes, newlines + 1)
        unsure = [(row.start, row.end) for row in find_quoted_rows(data, newlines + 1, quoted, delimiter)]
        for first, last in np.searchsorted(newlines, np.array(unsure) - [0, 1]).tolist():
            is_end[first:last] = False
        row_ends = newlines[is_end] + 1
        is_unsure = np.isin(row_ends, [end for _, end in unsure])
        return cls(newlines, row_ends, delimiters, is_unsure)

    def row_starts(self) -> Int64Array:
        return np.concatenate(([0], self.row_ends[:-1]))

    def lines(self) -> Int64Array:
        """On which each row starts."""
        return np.searchsorted(self.newlines, self.row_starts())

    def are_blank(self, data: bytes) -> npt.NDArray[np.bool_]:
        """Whether each row is a line end and nothing else."""
        starts = self.row_starts()
        only_newline, only_return = (starts == self.row_ends - each for each in (1, 2))
        is_return = np.frombuffer(data, dtype=np.uint8)[starts] == _RETURN
        found: npt.NDArray[np.bool_] = only_newline | (only_return & is_return)
        return found

    def cells(self) -> Int64Array:
        """How many each row has."""
        return np.diff(np.searchsorted(self.delimiters, self.row_ends), prepend=0) + 1


def _hides_a_row(data: bytes, inner: Int64Array, delimiter: str) -> bool:
    """Whether what looks like a row begins behind a newline that is in a cell."""
    hidden_row = grammar(delimiter).hidden_row
    return any(hidden_row.match(data, at) for at in inner.tolist())


def _mark_rows(data: bytes, form: TextForm, types: ColumnTypes) -> _Rows | None:
    """Rows of the right width at once and the others one by one; None if the parser sees other rows."""
    marks = _Marks.of(data, form.delimiter)
    is_even, lines = (marks.cells() == form.width) & ~marks.is_unsure, marks.lines()
    if is_even.all():
        return _with_lines(data, lines, form, types)
    is_uneven = ~is_even & ~marks.are_blank(data)
    spans = list(zip(marks.row_starts().tolist(), marks.row_ends.tolist(), strict=True))
    text = b"".join(data[start:end] for start, end in compress(spans, is_even))
    even = _with_lines(text, lines[is_even], form, types)
    if even is None:
        return None
    uneven = zip(
        compress(spans, is_uneven), lines[is_uneven].tolist(), marks.is_unsure[is_uneven], strict=True
    )
    return _in_order(even, _gather(_uneven_rows(data, uneven, form), form, types))


def _uneven_rows(
    data: bytes, uneven: Iterable[tuple[tuple[int, int], int, bool]], form: TextForm
) -> Iterator[tuple[int, str, list[str]]]:
    """As `single_rows`; of a row that is known to have another width the cells do not matter."""
    for (start, end), line, is_unsure in uneven:
        row = data[start:end]
        if is_unsure:
            yield from single_rows(row, form.delimiter, line)
        elif (text := row.decode()).strip():
            yield line, text.removesuffix("\n"), []


def _in_order(some: _Rows, others: _Rows) -> _Rows:
    if not len(others.lines):
        return replace(some, ragged=others.ragged)
    lines = np.concatenate([some.lines, others.lines])
    order = np.argsort(lines)
    return _Rows(pl.concat([some.frame, others.frame])[order], lines[order], others.ragged)


# --- row by row -----------------------------------------------------------------------------------------


def _row_by_row(data: bytes, form: TextForm, types: ColumnTypes) -> _Rows:
    return _gather(single_rows(data, form.delimiter), form, types)


def _gather(found: Iterable[tuple[int, str, list[str]]], form: TextForm, types: ColumnTypes) -> _Rows:
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
