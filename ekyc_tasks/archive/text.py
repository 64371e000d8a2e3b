"""Delimited text → blocks of raw rows: encoding, delimiter, quotes, ragged lines.

Nothing of this is documented by the provider. Seen in the field: UTF-8 with and without BOM; commas, tabs
and semicolons; user names that hold commas. A block is parsed by polars where a count of its delimiters
proves that every line has the same cells, and line by line where not: polars pads short lines in silence.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import StringIO

import numpy as np
import polars as pl

from ekyc_tasks.archive.containers import Member
from ekyc_tasks.archive.tables import Block, Int64Array, Table, column_names
from ekyc_tasks.errors import ArchiveError

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 16 << 20
# A quoted cell may hold newlines; beyond so many lines the opening quote is taken for a stray one.
MAX_ROW_LINES = 100

_DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LEGACY = "cp1252"


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a member is written. ``head_lines`` is how many lines its first row, and blanks before it, take."""

    encoding: str
    bom_bytes: int
    ends_with_cr: bool  # lines end in CR alone
    delimiter: str
    head: tuple[str, ...]
    head_lines: int

    @property
    def width(self) -> int:
        return len(self.head)


def text_table(member: Member, head: bytes, verdict: bool | None) -> Table | None:
    """The member, which starts with ``head``, as a table; None if it is not text or holds no line."""
    form = sniff(head)
    if form is None:
        return None
    return Table(member.name, form.head, verdict, partial(_blocks, member, form))


# --- form -----------------------------------------------------------------------------------------------


def sniff(head: bytes) -> TextForm | None:
    """The form of a text by its first bytes, or None if these are no text."""
    encoding, bom_bytes = _encoding(head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head[bom_bytes:])
    ends_with_cr = "\r" in text and "\n" not in text
    lines = text.split("\r" if ends_with_cr else "\n")
    blank_lines = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "\n".join(lines[blank_lines:])
    if "\0" in text or not rest:
        return None
    found = [(*_first_row(rest, delimiter), delimiter) for delimiter in _DELIMITERS]
    cells, row_lines, delimiter = max(found, key=lambda row: len(row[0]))
    return TextForm(encoding, bom_bytes, ends_with_cr, delimiter, cells, blank_lines + row_lines)


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and the length of its mark. UTF-16 without one shows by its zero bytes."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding, len(bom)
    even, odd = head[:64:2], head[1:64:2]
    if even.count(0) * 2 > len(even) and not odd.count(0):
        return "utf-16-be", 0
    if odd.count(0) * 2 > len(odd) and not even.count(0):
        return "utf-16-le", 0
    return "utf-8", 0


def _first_row(text: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    """The cells of the first row, and how many lines it takes."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        cells = next(reader, [])
    except csv.Error:
        return (), 1
    return tuple(cells), reader.line_num


# --- bytes → whole lines --------------------------------------------------------------------------------


def _blocks(member: Member, form: TextForm, skip_head: bool) -> Iterator[Block]:
    line = 1
    skipped_lines = form.head_lines if skip_head else 0
    for data in _cut(_utf8(member.chunks(), form), member.name):
        rows = _without_lines(data, skipped_lines)
        yield _block(rows, form, line + skipped_lines)
        line += data.count(b"\n")
        skipped_lines = 0


def _utf8(chunks: Iterator[bytes], form: TextForm) -> Iterator[bytes]:
    """The same without its mark, UTF-16 made UTF-8; bytes that are neither are left as they are."""
    decode = codecs.getincrementaldecoder(form.encoding)("replace").decode
    unread_bom = form.bom_bytes
    for chunk in chunks:
        data, unread_bom = chunk[unread_bom:], max(0, unread_bom - len(chunk))
        if form.encoding != "utf-8":
            data = decode(data).encode()
        yield data.replace(b"\r", b"\n") if form.ends_with_cr else data


def _cut(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Pieces of about `BLOCK_BYTES` that end where a row ends, the last with a newline if it had none."""
    held = b""
    for data in _joined(chunks):
        held += data
        end = _last_row_end(held)
        if not end and len(held) > MAX_LINE_BYTES:
            raise ArchiveError(f"{name} has a line of more than {MAX_LINE_BYTES:,} bytes: it is no table")
        if end:
            yield held[:end]
            held = held[end:]
    if held:
        yield held if held.endswith(b"\n") else held + b"\n"


def _joined(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least `BLOCK_BYTES`, but for the last."""
    pieces: list[bytes] = []
    for chunk in chunks:
        pieces.append(chunk)
        if sum(map(len, pieces)) >= BLOCK_BYTES:
            yield b"".join(pieces)
            pieces.clear()
    yield b"".join(pieces)


def _last_row_end(data: bytes) -> int:
    """Behind the last newline that is not inside quotes; behind the last of all where quotes are astray."""
    last = end = data.rfind(b"\n") + 1
    is_quoted = data.count(b'"', 0, end) % 2
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
    return data[start:]


# --- whole lines → a block ------------------------------------------------------------------------------


def _block(data: bytes, form: TextForm, first_line: int) -> Block:
    healed_lines = 0
    if not data.isascii():
        data, healed_lines = _healed(data)
    lines = _row_lines(data, form, first_line)
    frame = None if lines is None else _parsed(data, form)
    if lines is None or frame is None or frame.height != len(lines):
        return _line_by_line(data, form, first_line, healed_lines)
    if form.width == 1:
        is_row = frame.to_series().str.strip_chars() != ""
        frame, lines = frame.filter(is_row), lines[is_row.to_numpy()]
    return Block(frame, lines, healed_lines=healed_lines)


def _healed(data: bytes) -> tuple[bytes, int]:
    """The same in valid UTF-8, and how many lines were not: one bad byte spoils no other line."""
    if _is_utf8(data):
        return data, 0
    lines = data.split(b"\n")
    bad = [position for position, line in enumerate(lines) if not _is_utf8(line)]
    for position in bad:
        lines[position] = lines[position].decode(_LEGACY, "replace").encode()
    return b"\n".join(lines), len(bad)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _row_lines(data: bytes, form: TextForm, first_line: int) -> Int64Array | None:
    """The line on which each row starts, or None if not every row is known to have ``form.width`` cells.

    Together with a parser that refuses longer rows, the total of delimiters proves that none is shorter.
    """
    if b'"' in data:
        return _quoted_row_lines(data, form, first_line)
    rows = data.count(b"\n")
    if data.count(form.delimiter.encode()) != rows * (form.width - 1):
        return None
    return np.arange(first_line, first_line + rows, dtype=np.int64)


def _quoted_row_lines(data: bytes, form: TextForm, first_line: int) -> Int64Array | None:
    signs = np.frombuffer(data, dtype=np.uint8)
    is_quoted = np.logical_xor.accumulate(signs == ord('"'))
    newlines = np.flatnonzero(signs == ord("\n"))
    row_ends = np.flatnonzero(~is_quoted[newlines])
    delimiters = np.count_nonzero((signs == ord(form.delimiter)) & ~is_quoted)
    if is_quoted[-1] or delimiters != len(row_ends) * (form.width - 1):
        return None
    starts = np.concatenate(([0], row_ends[:-1] + 1))
    if np.diff(starts, append=len(newlines)).max() > MAX_ROW_LINES:
        return None
    return starts + first_line


def _parsed(data: bytes, form: TextForm) -> pl.DataFrame | None:
    try:
        return pl.read_csv(
            data,
            has_header=False,
            separator=form.delimiter,
            quote_char='"' if b'"' in data else None,
            schema=dict.fromkeys(column_names(form.width), pl.String),
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError:  # its text holds values
        return None


# --- line by line ---------------------------------------------------------------------------------------


def _line_by_line(data: bytes, form: TextForm, first_line: int, healed_lines: int) -> Block:
    rows: list[list[str]] = []
    lines: list[int] = []
    ragged: list[tuple[int, str]] = []
    for line, text, cells in _rows(data.decode().split("\n")[:-1], form, first_line):
        if len(cells) == form.width:
            rows.append(cells)
            lines.append(line)
        else:
            ragged.append((line, text))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(column_names(form.width), pl.String), orient="row")
    return Block(frame, np.array(lines, dtype=np.int64), tuple(ragged), healed_lines)


def _rows(lines: list[str], form: TextForm, first_line: int) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and cells of each row that is not blank."""
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
