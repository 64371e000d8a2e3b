"""How a text is written, told by its first bytes: encoding, line ends, delimiter, first row."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO

from ekyc_tasks.archive.encodings import Healer, as_utf8, declared

_DELIMITERS = (",", ";", "\t", "|")


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
    text = Healer().heal(data)[0].decode()
    ends_with_cr = "\r" in text and "\n" not in text
    lines = text.split("\r" if ends_with_cr else "\n")
    blank_lines = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "\n".join(lines[blank_lines:])
    if "\0" in text or not rest:
        return None
    found = [(*_first_row(rest, delimiter), delimiter) for delimiter in _DELIMITERS]
    cells, row_lines, delimiter = max(found, key=lambda row: len(row[0]))
    return TextForm(encoding, bom_bytes, ends_with_cr, delimiter, cells, blank_lines + row_lines)


def _first_row(text: str, delimiter: str) -> tuple[tuple[str, ...], int]:
    """The cells of the first row, and how many lines it takes."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        cells = next(reader, [])
    except csv.Error:
        return (), 1
    return tuple(cells), reader.line_num
