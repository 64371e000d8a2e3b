"""How a text is written, told by its first bytes: encoding, line ends, delimiter, first row."""

from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from ekyc_tasks.archive.encodings import Healer, as_utf8, declared

_DELIMITERS = (",", ";", "\t", "|")
_ROWS_TRIED = 20
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})
_CONTROLS_IN_TEXT = 1 / 50  # of its bytes at most; of random ones, a tenth
_ENOUGH_TO_DETECT = 1 << 11  # a few rows; an archive may have thousands of members


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


def sniff(head: bytes) -> TextForm | None:
    """The form of a text by its first bytes, or None if these are no text."""
    encoding, bom_bytes = declared(head)
    data = b"".join(as_utf8(iter([head]), encoding, bom_bytes))
    if not _is_text(data):
        return None
    text = _decoded(data)
    ends_with_cr = "\r" in text and "\n" not in text
    lines = text.split("\r" if ends_with_cr else "\n")
    blank_lines = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "\n".join(lines[blank_lines:])
    if not rest:
        return None
    cells, row_lines, delimiter = _first_row(rest)
    return TextForm(encoding, bom_bytes, ends_with_cr, delimiter, cells, blank_lines + row_lines)


def _is_text(data: bytes) -> bool:
    """A few NULs spoil their own rows only; among many control characters they are no accident."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return b"\0" not in data or controls <= max(1, _CONTROLS_IN_TEXT * len(data))


def _decoded(data: bytes) -> str:
    """Legacy encodings are looked for only where the first row is written in one: to detect them is slow.

    Further rows are healed when they are read; all that counts here are their delimiters.
    """
    if data.lstrip().partition(b"\n")[0].isascii():
        return data.decode(errors="replace")
    end = data.find(b"\n", _ENOUGH_TO_DETECT) + 1 or len(data)
    healed, _ = Healer(_ENOUGH_TO_DETECT).heal(data[:end])
    return (healed + data[end:]).decode(errors="replace")


def _first_row(text: str) -> tuple[tuple[str, ...], int, str]:
    """Its cells, how many lines it takes, and the delimiter that the most rows agree on.

    Of several, the one that makes more cells of it.
    """
    found = [(*_row(text, delimiter), delimiter) for delimiter in _DELIMITERS]
    return max(found, key=lambda row: (_alike_rows(text, row[2], len(row[0])), len(row[0])))


def _row(text: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    with suppress(csv.Error):
        return tuple(next(reader, [])), reader.line_num
    return (), 1


def _alike_rows(text: str, delimiter: str, width: int) -> int:
    """How many of the first rows have as many cells as the very first, if it has several."""
    if width <= 1:
        return 0
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    with suppress(csv.Error):
        return sum(len(row) == width for row in islice(reader, _ROWS_TRIED))
    return 0
