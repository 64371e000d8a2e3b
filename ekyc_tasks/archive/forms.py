"""How a text is written, told by its first bytes: encoding, line ends, delimiter, first row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from ekyc_tasks.archive.encodings import Healer, as_utf8, declared
from ekyc_tasks.archive.tables import ROWS_TRIED

_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = (",", ";", "\t", "|")
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})
_CONTROLS_IN_TEXT = 1 / 50  # of its bytes at most; of random ones, a tenth
_ENOUGH_TO_DETECT = 1 << 11  # a few rows; an archive may have thousands of members


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a member is written.

    ``head`` is the first row of the width that the table has, ``sample`` are some rows after it.
    ``head_lines`` is how many lines it takes with the blanks before it; 0 where other rows are before it,
    which are to be told.
    """

    encoding: str
    bom_bytes: int
    ends_with_cr: bool  # lines end in CR alone
    delimiter: str
    head: tuple[str, ...]
    head_lines: int
    sample: tuple[tuple[str, ...], ...] = ()

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
    outside = _QUOTED.sub("", text).rstrip("\n")
    ends_with_cr = outside.count("\r") - outside.count("\r\n") > outside.count("\n")
    lines = text.split("\r" if ends_with_cr else "\n")
    blank_lines = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    rest = "\n".join(lines[blank_lines:])
    if not rest:
        return None
    start = max((_Start.of(rest, delimiter) for delimiter in _DELIMITERS), key=lambda start: start.fit)
    head_lines = 0 if start.first else blank_lines + start.lines
    cells, *sample = start.rows[start.first :] or [()]
    return TextForm(encoding, bom_bytes, ends_with_cr, start.delimiter, cells, head_lines, tuple(sample))


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


@dataclass(frozen=True, slots=True)
class _Start:
    """The first rows by one delimiter.

    ``lines`` is how many the very first takes, ``first`` which of them has the table's width.
    """

    delimiter: str
    rows: list[tuple[str, ...]]
    lines: int
    first: int

    @classmethod
    def of(cls, text: str, delimiter: str) -> _Start:
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        rows: list[tuple[str, ...]] = []
        lines = 1
        with suppress(csv.Error):
            for row in islice(reader, ROWS_TRIED):
                lines = lines if rows else reader.line_num
                rows += [tuple(row)] if row else []
        return cls(delimiter, rows, lines, _first_of_table(rows))

    @property
    def fit(self) -> tuple[bool, int, int]:
        """Whether the very first is of the table and has several cells, how many have as many; how many."""
        width = len(self.rows[self.first]) if self.rows else 0
        alike = sum(len(row) == width for row in self.rows) if width > 1 else 0
        return width > 1 and self.first == 0, alike, width


def _first_of_table(rows: Sequence[tuple[str, ...]]) -> int:
    """The very first, unless most others have another width and it is no header: too narrow, or a row."""
    widths = [len(row) for row in rows]
    is_header = not rows or (len(rows[0]) > 1 and not any(map(str.isdigit, rows[0][0])))
    usual, times = Counter(widths).most_common(1)[0] if rows else (0, 0)
    return 0 if is_header or times * 2 <= len(rows) else widths.index(usual)
