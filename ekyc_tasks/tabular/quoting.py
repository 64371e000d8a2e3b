"""Quotes in delimited text: which of them hold a cell together, and which are just there.

Nothing of this is documented; user names hold commas, newlines, and quotes as in 5". By RFC 4180 a quote
opens a cell where the cell begins, is doubled in it, and closes it where it ends. Text that keeps this is
*strict*, and all parsers read it alike. In other text they guess, and a guess may give one row another's
verdict: so lines with quotes are looked at one by one there, and what cannot be told apart is no row.

::

    +41791234567,"Smith, ""J"" W",true     strict: cells +41791234567 · Smith, "J" W · true
    +41791234567,5" TV,true                not strict: the quote stands in a cell, and is a sign like others
    +41791234568,"a⏎b",no                  a strict row of two lines, also in text that is not strict
    +41791234567,"x⏎                       a quote that nothing closes: no strict row, and as a line of its
    +41791234568,no                        own its cells cannot be told apart; the next line is a row again
    +41791234567,"x⏎+41791234568,no⏎",yes  strict, and it hides a row in a cell: one by one it is no row

`Quotes.of` answers strict or not for a whole block by numpy, `find_unsure_lines` for each line;
`find_quoted_rows` and `single_rows` look at lines with quotes in what is not; `Grammar` has the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import AnyStr, Generic

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Signs = npt.NDArray[np.uint8]

# A quoted cell may hold newlines; beyond so many lines the opening quote is taken for a stray one.
MAX_ROW_LINES = 32

_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
# Parts of a cell, and cells of a row, that one match takes; further ones are taken by further matches.
_AT_ONCE = "{0,32}"
# Who hides a row in a quoted cell, or whose stray quotes happen to embrace one, is not believed.
_HIDDEN_ROW = r'\n[ "]*\+?[1-9][0-9]{5,14}"*'


@dataclass(frozen=True, slots=True)
class Quotes:
    """The quotes of a text that begins where a row does; ``opens`` is the one left open at its end."""

    positions: Positions
    is_strict: bool

    @classmethod
    def of(cls, data: bytes, delimiter: str) -> Quotes:
        """``data`` ends with a newline."""
        signs = np.frombuffer(data, dtype=np.uint8)
        positions = np.flatnonzero(signs == _QUOTE)
        opening, closing = positions[::2], positions[1::2]
        is_strict = (
            _begin_cells(signs, opening, delimiter).all() and _end_cells(signs, closing, delimiter).all()
        )
        return cls(positions, bool(is_strict))

    @property
    def opens(self) -> int | None:
        return int(self.positions[-1]) if len(self.positions) % 2 else None


def _begin_cells(signs: Signs, quotes: Positions, delimiter: str) -> npt.NDArray[np.bool_]:
    begins: npt.NDArray[np.bool_] = _is_one_of(signs[quotes - 1], delimiter) | (quotes == 0)
    return begins


def _end_cells(signs: Signs, quotes: Positions, delimiter: str) -> npt.NDArray[np.bool_]:
    behind = signs[quotes + 1]
    ends = _is_one_of(behind, delimiter)
    returns = np.flatnonzero(behind == _RETURN)
    ends[returns] = signs[quotes[returns] + 2] == _NEWLINE
    return ends


def _is_one_of(signs: Signs, delimiter: str) -> npt.NDArray[np.bool_]:
    """What may stand beside the quotes of a cell: its neighbours, and a doubled one."""
    found: npt.NDArray[np.bool_] = (signs == ord(delimiter)) | (signs == _NEWLINE) | (signs == _QUOTE)
    return found


@dataclass(frozen=True, slots=True)
class CellForm(Generic[AnyStr]):
    """How a cell is written. A quoted one is parts: ``"a ""b"" c"`` is ``"a "`` and ``"b"`` and ``" c"``."""

    quote: AnyStr
    short: re.Pattern[AnyStr]  # nearly every cell, and the delimiter or the end behind it
    plain: re.Pattern[AnyStr]
    first_part: re.Pattern[AnyStr]
    more_parts: re.Pattern[AnyStr]

    def end(self, text: AnyStr, start: int, limit: int) -> int | None:
        """Where the cell ends that starts there; None if nothing closes its quote."""
        if not text.startswith(self.quote, start, limit):
            return _end(self.plain.match(text, start, limit))
        end = _end(self.first_part.match(text, start, limit))
        while end is not None and (further := _end(self.more_parts.match(text, end, limit))) != end:
            end = further
        return end


@dataclass(frozen=True, slots=True)
class Grammar:
    """How rows are written with one delimiter.

    Its patterns are neither possessive nor atomic, because before 3.11.5 Python matches some such wrongly.
    They cannot go back far instead: what may repeat ends with a sign that nothing in it is, and repeats
    `_AT_ONCE` at most, because a match keeps in memory each time that it might take back.
    """

    sign: bytes
    short_record: re.Pattern[bytes]  # nearly every strict row
    cells_before: re.Pattern[bytes]  # the first cells of a strict row, with their delimiters
    cell: CellForm[bytes]
    row_end: re.Pattern[bytes]
    hidden_row: re.Pattern[bytes]
    strict_cell: CellForm[str]
    any_cell: CellForm[str]

    def record_end(self, data: bytes, start: int, limit: int) -> int | None:
        """Where the strict row ends that starts there; None if there is none."""
        if match := self.short_record.match(data, start, limit):
            return match.end()
        _, end = self._find_last_cell(data, start, limit)
        return None if end is None else _end(self.row_end.match(data, end, limit))

    def begins(self, data: bytes, start: int) -> bool:
        """Whether more text may make a strict row of what starts there, because its last cell is open."""
        last, end = self._find_last_cell(data, start, len(data))
        return data.startswith(b'"', last if end is None else end)

    def cells(self, row: str) -> list[str]:
        """The cells of a strict row, or of a line; none if they cannot be told apart."""
        row = row.removesuffix("\n").removesuffix("\r")
        return self._cells(row, self.strict_cell) or ([] if "\n" in row else self._cells(row, self.any_cell))

    def hides_a_row(self, row: bytes) -> bool:
        return self.hidden_row.search(row) is not None

    def _find_last_cell(self, data: bytes, at: int, limit: int) -> tuple[int, int | None]:
        """Where the first cell begins that has no delimiter behind it, and where it ends."""
        while True:
            at = _end(self.cells_before.match(data, at, limit)) or at
            end = self.cell.end(data, at, limit)
            if end is None or not data.startswith(self.sign, end, limit):
                return at, end
            at = end + len(self.sign)

    def _cells(self, row: str, form: CellForm[str]) -> list[str]:
        sign, found, at = self.sign.decode(), [], 0
        while True:
            if match := form.short.match(row, at):
                found.append(_unquote(match[1]))
                if not match[2]:
                    return found
                at = match.end()
                continue
            end = form.end(row, at, len(row))
            if end is None or not (end == len(row) or row.startswith(sign, end)):
                return []
            found.append(_unquote(row[at:end]))
            if end == len(row):
                return found
            at = end + 1


@cache
def grammar(delimiter: str) -> Grammar:
    sign = re.escape(delimiter)
    plain, part = rf"[^{sign}\n]*", '"[^"]*"'
    strict = rf"(?:{part}){_AT_ONCE}"
    # A quote that is neither doubled nor closes is taken as it is.
    lenient = rf'(?:(?:"|(?!"|{sign}|\Z))[^"]*"){_AT_ONCE}'
    before = rf'(?:{part}{strict}{sign}|(?!"){plain}{sign}){_AT_ONCE}'
    strict_cell, any_cell = (
        (rf'({part}{more}|(?!"){plain})({sign}|\Z)', plain, part, more) for more in (strict, lenient)
    )
    return Grammar(
        sign=delimiter.encode(),
        short_record=_of_bytes(rf'{before}(?:{part}{strict}\r?\n|(?!"){plain}\n)'),
        cells_before=_of_bytes(before),
        cell=CellForm(b'"', *map(_of_bytes, strict_cell)),
        row_end=_of_bytes(r"\r?\n|\Z"),
        hidden_row=_of_bytes(rf"{_HIDDEN_ROW}{sign}"),
        strict_cell=CellForm('"', *map(re.compile, strict_cell)),
        any_cell=CellForm('"', *map(re.compile, any_cell)),
    )


def _of_bytes(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def _end(match: re.Match[AnyStr] | None) -> int | None:
    return match.end() if match else None


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


@dataclass(frozen=True, slots=True)
class QuotedRow:
    """A row with quotes in a text that is not strict: one line, or the lines of a strict row."""

    line: int  # from 0, where it starts
    start: int
    end: int
    may_go_on: bool  # behind the end of this text


def single_rows(data: bytes, delimiter: str, first_line: int = 0) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, text and cells of each row that is not blank; no cells where they cannot be told apart.

    ``data`` is UTF-8, begins where a row does, and ends with a newline.
    """
    rules = grammar(delimiter)
    line_ends = find_line_ends(data)
    edges = [0, *line_ends.tolist()]
    line = 0
    while line < len(line_ends):
        start, limit = edges[line], edges[min(line + MAX_ROW_LINES, len(line_ends))]
        row = data[start : rules.record_end(data, start, limit) or edges[line + 1]]
        text = row.decode()
        if text.strip():
            cells = [] if rules.hides_a_row(row) else rules.cells(text)
            yield first_line + line, text.removesuffix("\n"), cells
        line += row.count(b"\n")


def find_line_ends(data: bytes) -> Positions:
    return np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _NEWLINE) + 1


def find_quoted_rows(
    data: bytes, line_ends: Positions, lines: Positions, delimiter: str
) -> Iterator[QuotedRow]:
    """The rows that start on these lines, in order, and apart from each other."""
    rules = grammar(delimiter)
    edges = [0, *line_ends.tolist()]
    count = len(line_ends)
    free = 0
    for line in lines.tolist():
        if line < free:
            continue
        start, limit = edges[line], edges[min(line + MAX_ROW_LINES, count)]
        end = rules.record_end(data, start, limit)
        may_go_on = end is None and line + MAX_ROW_LINES > count and rules.begins(data, start)
        end = edges[line + 1] if end is None else end
        free = line + data.count(b"\n", start, end)
        yield QuotedRow(line, start, end, may_go_on)


def find_quoted_lines(quotes: Quotes, line_ends: Positions) -> Positions:
    return np.unique(np.searchsorted(line_ends, quotes.positions, side="right"))


def find_unsure_lines(data: bytes, quotes: Quotes, line_ends: Positions, delimiter: str) -> Positions:
    """Those whose quotes are not pairs around cells; only on these a row of several lines can start."""
    if quotes.is_strict and not (np.searchsorted(quotes.positions, line_ends) % 2).any():
        return np.empty(0, dtype=np.int64)
    signs = np.frombuffer(data, dtype=np.uint8)
    lines = np.searchsorted(line_ends, quotes.positions, side="right")
    firsts = np.flatnonzero(np.diff(lines, prepend=-1))
    counts = np.diff(firsts, append=len(lines))
    is_opening = (np.arange(len(lines)) - np.repeat(firsts, counts)) % 2 == 0
    fits = np.where(
        is_opening,
        _begin_cells(signs, quotes.positions, delimiter),
        _end_cells(signs, quotes.positions, delimiter),
    )
    is_sure = np.logical_and.reduceat(fits, firsts) & (counts % 2 == 0)
    unsure: Positions = lines[firsts][~is_sure]
    return unsure


def find_unfinished_row(data: bytes, delimiter: str) -> int:
    """Where a row starts that more text may complete; the end of ``data``, a line's end, if there is none."""
    line_ends = find_line_ends(data)
    unsure = find_unsure_lines(data, Quotes.of(data, delimiter), line_ends, delimiter)
    rows = find_quoted_rows(data, line_ends, unsure, delimiter)
    return next((row.start for row in rows if row.may_go_on), len(data))


def most_lines(line_ends: Positions, row_ends: Positions) -> int:
    """Of any row; the lines behind the last row end are of none."""
    if len(row_ends) == len(line_ends):
        return 1
    return int(np.diff(np.searchsorted(line_ends, row_ends), prepend=-1).max(initial=0))
