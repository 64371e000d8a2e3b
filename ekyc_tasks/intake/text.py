"""Text of unknown encoding, line ends, delimiter and quoting → rows, in pieces of a few megabytes.

Rows are found and cut into cells as in archives, by `tabular.quoting`. No line is ever lost to a quote: one
that nothing closes is a plain character, where its line then has the cells of the table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.line_block import Lines
from ekyc_tasks.tabular.encodings import LegacyDecoder, as_utf8, encoding_by_mark
from ekyc_tasks.tabular.quoting import (
    Quotes,
    find_line_ends,
    find_quoted_rows,
    find_unsure_lines,
    grammar,
)

PIECE_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20
MAX_WHOLE_BYTES = 1 << 28  # of one JSON value
_FAR_COLUMN = 32  # columns; beyond them a pattern or a struct for all in front takes more than the cells
NO_DELIMITER = "\x1f"  # in no text
_ANY_DELIMITER = "\x1e"  # for one of several bytes
DELIMITERS = ("\t", ";", "|", ",")

_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\f\v\x1a"))
_SOME_DIGITS = re.compile(rb"[0-9]{3}")  # where there are none, the digits are in another code
_MAJORITY = 0.5  # of lines
_HEAD_BYTES = 1 << 18  # of a piece: junk shows at once
_MOST_JUNK = 0.02  # of all bytes; random ones have more than a tenth


def pieces(file: BinaryIO, name: str, encoding: str | None = None) -> Iterator[str]:
    """The text in pieces of whole lines, ending in ``\\n`` alone (the last one too).

    Without ``encoding``, it is found: by a mark, else UTF-8, else what the lines look like that are not.

    Raises InputError when these bytes are not text, or not a list.
    """
    held = b""
    decoder, has_digits = LegacyDecoder(), False
    for data in _unix_lines(_utf8(file, encoding)):
        has_digits = has_digits or _SOME_DIGITS.search(data) is not None
        held += data
        end = held.rfind(b"\n") + 1
        if end:
            yield _check(held[:end], name, decoder, has_digits)
            held = held[end:]
        if len(held) > PIECE_BYTES + MAX_LINE_BYTES:
            raise InputError(
                f"{name} has a line of more than a megabyte. Write one number per line, or use a table."
            )
    if held:
        yield _check(held if held.endswith(b"\n") else held + b"\n", name, decoder, has_digits)


def read_whole(file: BinaryIO, name: str, encoding: str | None = None) -> str:
    """All of it at once; otherwise as `pieces`."""
    parts: list[bytes] = []
    for data in _unix_lines(_utf8(file, encoding)):
        parts.append(data)
        if sum(map(len, parts)) > MAX_WHOLE_BYTES:
            raise InputError(
                f"{name} is too large to be read at once. Save it as JSON lines (.jsonl) or CSV."
            )
    whole = b"".join(parts)
    return _check(whole, name, LegacyDecoder(), _SOME_DIGITS.search(whole) is not None)


OddRows = list[tuple[int, str]]


def whole_rows(pieces: Iterable[str], delimiter: str) -> Iterator[tuple[str, OddRows]]:
    """The same in pieces that end where a row does; and the rows whose quotes are no pairs around cells of
    one line, by the line from 0.
    """
    held = ""
    for piece in pieces:
        held += _tighten(piece, delimiter)
        odd, end = _find_odd_rows(held, delimiter) if '"' in held else ([], len(held))
        if end:
            yield held[:end], odd
        held = held[end:]
    if held:
        yield held, _find_odd_rows(held, delimiter, is_last=True)[0]


@dataclass(frozen=True)
class TextRows:
    """Rows with the lines on which they start. ``odd``: the cells of those whose quotes are no pairs around
    cells of one line, by place; none where they cannot be told apart, or may hide a row."""

    lines: Lines
    texts: pl.Series
    delimiter: str
    odd: Mapping[int, list[str]]

    @classmethod
    def of(cls, piece: str, odd: OddRows, first_line: int, delimiter: str) -> TextRows:
        """``piece`` and ``odd`` as from `whole_rows`."""
        texts = pl.Series("row", [piece.removesuffix("\n")]).str.split("\n").explode()
        is_row = np.ones(len(texts), dtype=np.bool_)
        for line, row in odd:
            is_row[line + 1 : line + 1 + row.count("\n")] = False
        if not is_row.all():
            texts = texts.scatter([line for line, _ in odd], [row for _, row in odd]).filter(
                pl.Series(is_row)
            )
        places = np.cumsum(is_row) - 1
        cells = {int(places[line]): _tell_cells(row, delimiter) for line, row in odd}
        return cls(np.flatnonzero(is_row) + first_line, texts, delimiter, cells)

    @classmethod
    def of_sample(cls, sample: str, first_line: int, delimiter: str) -> TextRows:
        whole = _tighten(sample.removesuffix("\n") + "\n", delimiter)
        odd = _find_odd_rows(whole, delimiter, is_last=True)[0] if '"' in whole else []
        return cls.of(whole, odd, first_line, delimiter)

    def column(self, index: int) -> pl.Series:
        """One cell of each row, without its quotes; null where a row is too short."""
        if self.delimiter == NO_DELIMITER:
            return self.texts
        cells = _plain_cells(self.texts, self.delimiter, index)
        quoted = self.texts.str.contains('"', literal=True).arg_true()
        if len(quoted):
            cells = cells.scatter(
                quoted, _find_quoted_cells(self.texts.gather(quoted), self.delimiter, index)
            )
        odd = [each[index] if index < len(each) else None for each in self.odd.values()]
        return cells.scatter(list(self.odd), pl.Series(odd, dtype=pl.String)) if odd else cells

    def wide(self, width: int) -> dict[int, list[str]]:
        """The rows that have a filled cell behind the first ``width``, by place, with all their cells."""
        if self.delimiter == NO_DELIMITER:
            return {}
        candidates = (self.texts.str.count_matches(self.delimiter, literal=True) >= width).arg_true()
        ends = self.texts.gather(candidates).str.strip_chars_end(f"{self.delimiter} ")
        bare = ends.str.replace_all('"[^"]*"', "")
        is_wide = bare.str.count_matches(self.delimiter, literal=True) >= width
        sure = {place: cells_of(self.texts[place], self.delimiter) for place in candidates.filter(is_wide)}
        found = {**sure, **self.odd}
        return {place: cells for place, cells in found.items() if any(cell.strip() for cell in cells[width:])}


def delimiter_of(sample: str) -> str:
    """What separates the cells in most rows of a sample; a character that is in no row when nothing does."""
    found = [(*_regularity(TextRows.of_sample(sample, 1, each).texts, each), each) for each in DELIMITERS]
    share, _, delimiter = max(found, key=lambda each: each[:2])
    return delimiter if share > _MAJORITY else NO_DELIMITER


def cells_of(row: str, delimiter: str) -> list[str]:
    """All cells of one row; where its quotes do not tell them apart, they are characters like others."""
    return (_tell_cells(row, delimiter) if '"' in row else []) or row.split(delimiter)


def _find_odd_rows(piece: str, delimiter: str, *, is_last: bool = False) -> tuple[OddRows, int]:
    """These rows, and where one starts that may go on behind the piece, unless this is the last."""
    sign = delimiter if delimiter.isascii() else _ANY_DELIMITER  # of one byte
    data = piece.replace(delimiter, sign).encode()
    line_ends = find_line_ends(data)
    lines = find_unsure_lines(data, Quotes.of(data, sign), line_ends, sign)
    odd: OddRows = []
    for row in find_quoted_rows(data, line_ends, lines, sign):
        if row.may_go_on and not is_last:
            return odd, len(data[: row.start].decode())
        odd.append((row.line, data[row.start : row.end - 1].decode().replace(sign, delimiter)))
    return odd, len(piece)


def _tighten(piece: str, delimiter: str) -> str:
    """Some write spaces in front of quotes."""
    if '"' not in piece or ' "' not in piece:  # the first is far faster to tell
        return piece
    tight = piece.replace(f'{delimiter} "', f'{delimiter}"')
    if ' "' not in tight:
        return tight
    return re.sub(rf'(^|{re.escape(delimiter)}) +"', r'\1"', tight, flags=re.MULTILINE)


def _tell_cells(row: str, delimiter: str) -> list[str]:
    """None where a quoted cell may hide a row, or does not end."""
    rules = grammar(delimiter)
    cells = [] if rules.hides_a_row(row.encode()) else rules.cells(row)
    return cells if cells or "\n" in row else row.split(delimiter)


def _plain_cells(rows: pl.Series, delimiter: str, index: int) -> pl.Series:
    if index < _FAR_COLUMN:
        return rows.str.splitn(delimiter, index + 2).struct.field(f"field_{index}")
    return rows.str.split(delimiter).list.get(index, null_on_oob=True)


def _find_quoted_cells(rows: pl.Series, delimiter: str, index: int) -> pl.Series:
    """Of rows whose quotes are pairs around cells."""
    if index >= _FAR_COLUMN:
        all_cells = (cells_of(row, delimiter) for row in rows)
        return pl.Series(
            [cells[index] if index < len(cells) else None for cells in all_cells], dtype=pl.String
        )
    mark = re.escape(delimiter)
    cell = rf'"(?:[^"]|"")*"|[^"{mark}]*'
    cells = rows.str.extract(rf"^(?:(?:{cell}){mark}){{{index}}}({cell})")
    return cells.str.replace('^"(.*)"$', "${1}").str.replace_all('""', '"', literal=True)


def _utf8(file: BinaryIO, encoding: str | None) -> Iterator[bytes]:
    head = file.read(PIECE_BYTES)
    found, bom_bytes = encoding_by_mark(head)
    chunks = chain([head], iter(lambda: file.read(PIECE_BYTES), b""))
    return as_utf8(chunks, found if bom_bytes else encoding or found, bom_bytes)


def _unix_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        data = held + chunk
        held = b"\r" if data.endswith(b"\r") else b""  # the other half of CRLF may follow
        data = data.removesuffix(held)
        yield data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    if held:
        yield b"\n"


def _check(data: bytes, name: str, decoder: LegacyDecoder, has_digits: bool) -> str:
    head = data[:_HEAD_BYTES]
    junk = len(head) - len(head.translate(None, _CONTROLS)) + head.count("\ufffd".encode())
    if b"\0" in data or junk > _MOST_JUNK * len(head):
        raise InputError(
            f"{name} does not contain text. Save it again as text (.txt), CSV (.csv) or workbook (.xlsx)."
        )
    utf8, foreign = decoder.decode(data)
    if foreign and not has_digits:
        raise InputError(f"{name} is in an unknown text encoding. Save it as UTF-8.")
    return utf8.decode()


def _regularity(rows: pl.Series, delimiter: str) -> tuple[float, int]:
    """The share of rows that have the commonest number of cells above one, and that number."""
    filled = [row for row in rows if row.strip()]
    widths = Counter(width for row in filled if (width := len(cells_of(row, delimiter))) > 1)
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return count / max(1, len(filled)), width
