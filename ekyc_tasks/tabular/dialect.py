"""How a text is written, by its first bytes: encoding, line ends, delimiter, first row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ekyc_tasks.tabular.encodings import LegacyDecoder, as_utf8, encoding_by_mark, legacy_by_words
from ekyc_tasks.tabular.quoting import MAX_ROW_LINES, single_rows
from ekyc_tasks.tabular.table import ROWS_TRIED

_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = (",", ";", "\t", "|")
_FEW_DIGITS = 6  # a phone number has as many, and no name of a column
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})
_CONTROLS_IN_TEXT = 1 / 50  # of its bytes at most; of random ones, a tenth
_ENOUGH_TO_DETECT = 1 << 11  # a few rows; an archive may have thousands of members


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a member is written.

    ``head`` is the first row of the width that the table has, ``sample`` are some rows after it.
    ``head_lines`` is how many lines it takes with the blanks before it; 0 where other rows are before it,
    which are to be told. ``legacy`` is the encoding that the words of the first line are in, if they tell.
    """

    encoding: str
    bom_bytes: int
    ends_with_cr: bool  # lines end in CR alone
    delimiter: str
    head: tuple[str, ...]
    head_lines: int
    sample: tuple[tuple[str, ...], ...] = ()
    legacy: str = ""

    @property
    def width(self) -> int:
        return len(self.head)


def sniff(head: bytes) -> TextForm | None:
    """The form of a text by its first bytes, or None if these are no text."""
    if opening := _Opening.of(head):
        start = max(opening.starts(), key=lambda each: each.fit)
        return opening.form(start, start.first)
    return None


def other_forms(head: bytes) -> Iterator[TextForm]:
    """What else it might be: by each delimiter, any of the first rows that may be a header."""
    if opening := _Opening.of(head):
        for start in opening.starts():
            for first, row in enumerate(start.rows):
                if len(row) > 1 and not any(map(_has_number, row)):
                    yield opening.form(start, first)


@dataclass(frozen=True, slots=True)
class _Opening:
    """The first lines of a text, behind ``blank_lines``; they end in LF here."""

    encoding: str
    bom_bytes: int
    ends_with_cr: bool
    blank_lines: int
    text: str
    legacy: str

    @classmethod
    def of(cls, head: bytes) -> _Opening | None:
        encoding, bom_bytes = encoding_by_mark(head)
        data = b"".join(as_utf8(iter([head]), encoding, bom_bytes))
        if not _is_text(data):
            return None
        first_line = data.lstrip().partition(b"\n")[0]
        legacy = "" if first_line.isascii() else legacy_by_words(first_line)
        text = _decode(data, legacy)
        outside = _QUOTED.sub("", text).rstrip("\n")
        ends_with_cr = outside.count("\r") - outside.count("\r\n") > outside.count("\n")
        lines = text.split("\r" if ends_with_cr else "\n")
        blank_lines = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
        rest = "\n".join(lines[blank_lines : blank_lines + ROWS_TRIED * MAX_ROW_LINES])
        if not rest:
            return None
        return cls(encoding, bom_bytes, ends_with_cr, blank_lines, rest + "\n", legacy)

    def starts(self) -> Iterator[_Start]:
        return (_Start.of(self.text, delimiter) for delimiter in _DELIMITERS)

    def form(self, start: _Start, first: int) -> TextForm:
        head_lines = 0 if first else self.blank_lines + start.lines
        cells, *sample = start.rows[first:] or [()]
        return TextForm(
            self.encoding,
            self.bom_bytes,
            self.ends_with_cr,
            start.delimiter,
            cells,
            head_lines,
            tuple(sample),
            self.legacy,
        )


def _is_text(data: bytes) -> bool:
    """A few NULs spoil their own rows only; among many control characters they are no accident."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return b"\0" not in data or controls <= max(1, _CONTROLS_IN_TEXT * len(data))


def _decode(data: bytes, legacy: str) -> str:
    """Legacy encodings are looked for only where the first row is written in one: to detect them is slow.

    Further rows are healed when they are read; all that counts here are their delimiters.
    """
    if data.lstrip().partition(b"\n")[0].isascii():
        return data.decode(errors="replace")
    end = data.find(b"\n", _ENOUGH_TO_DETECT) + 1 or len(data)
    healed, _ = LegacyDecoder(_ENOUGH_TO_DETECT, legacy=legacy).decode(data[:end])
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
        found = list(islice(single_rows(text.encode(), delimiter), ROWS_TRIED))
        rows = [tuple(cells) for _, _, cells in found]
        lines = 1 + found[0][1].count("\n") if found else 1
        if rows and not rows[0]:  # quotes astray, or a quoted cell that hides a row: only its line is the row
            line, _, rest = text.partition("\n")
            after = islice(single_rows(rest.encode(), delimiter), ROWS_TRIED - 1)
            rows = [tuple(line.rstrip("\r").split(delimiter)), *(tuple(cells) for _, _, cells in after)]
            lines = 1
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
    is_header = not rows or (len(rows[0]) > 1 and not any(map(_has_number, rows[0])))
    usual, times = Counter(widths).most_common(1)[0] if rows else (0, 0)
    return 0 if is_header or not usual or times * 2 <= len(rows) else widths.index(usual)


def _has_number(cell: str) -> bool:
    return sum(map(str.isdigit, cell)) >= _FEW_DIGITS
