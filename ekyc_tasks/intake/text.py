"""Text of unknown encoding, line ends, delimiter and quoting → rows, in pieces of a few megabytes.

No line is ever lost to a quote: rows are found by counting quotes, and a quote that nothing closes is
taken for a plain character.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from typing import BinaryIO

import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.tabular.encodings import LegacyDecoder, as_utf8, encoding_by_mark

PIECE_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20
MAX_WHOLE_BYTES = 1 << 28  # of one JSON value
# A quoted cell may hold line breaks; beyond so many lines its opening quote is a stray one.
MAX_ROW_LINES = 100
_FAR_COLUMN = 32  # columns; beyond them a pattern or a struct for all in front takes more than the cells
NO_DELIMITER = "\x1f"  # in no text
DELIMITERS = ("\t", ";", "|", ",")

_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\f\v\x1a"))
_SOME_DIGITS = re.compile(rb"[0-9]{3}")  # where there are none, the digits are in another code
_MAJORITY = 0.5  # of lines
_HEAD_BYTES = 1 << 18  # of a piece: junk shows at once
_MOST_JUNK = 0.02  # of all bytes; random ones have more than a tenth


def pieces(file: BinaryIO, name: str, encoding: str | None = None) -> Iterator[str]:
    """The text in pieces of whole rows, lines ending in ``\\n`` alone (the last one too).

    Without ``encoding``, it is found: by a mark, else UTF-8, else what the lines look like that are not.

    Raises InputError when these bytes are not text, or not a list.
    """
    held = b""
    decoder, has_digits = LegacyDecoder(), False
    for data in _unix_lines(_utf8(file, encoding)):
        has_digits = has_digits or _SOME_DIGITS.search(data) is not None
        held += data
        end = _end_of_last_row(held)
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


def rows(piece: str, first_line: int, delimiter: str) -> pl.DataFrame:
    """The rows of one piece: ``line`` (Int64, where the row starts), ``row`` (String)."""
    lines = pl.Series("row", [piece.removesuffix("\n")]).str.split("\n").explode()
    table = pl.DataFrame([pl.int_range(first_line, first_line + len(lines), eager=True).alias("line"), lines])
    return _join(table, delimiter) if '"' in piece else table


def delimiter_of(sample: str) -> str:
    """What separates the cells in most rows of a sample; a character that is in no row when nothing does."""
    found = [
        (*_regularity(rows(sample, 1, delimiter)["row"], delimiter), delimiter) for delimiter in DELIMITERS
    ]
    share, _, delimiter = max(found, key=lambda each: each[:2])
    return delimiter if share > _MAJORITY else NO_DELIMITER


def cells_of(row: str, delimiter: str) -> list[str]:
    """All cells of one row."""
    try:
        return next(
            csv.reader(StringIO(row, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True), []
        )
    except csv.Error:
        return row.split(delimiter)


def column(rows: pl.Series, delimiter: str, index: int) -> pl.Series:
    """One cell of each row, without its quotes; null where a row is too short."""
    if delimiter == NO_DELIMITER:
        return rows
    plain = _plain_cells(rows, delimiter, index)
    is_quoted = rows.str.contains('"', literal=True)
    if not is_quoted.any():
        return plain
    at = is_quoted.arg_true()
    return plain.scatter(at, _find_quoted_cells(rows.gather(at), delimiter, index))


def wide_rows(rows: pl.Series, delimiter: str, width: int) -> dict[int, list[str]]:
    """The rows that have a filled cell behind the first ``width``, by position, with all their cells."""
    if delimiter == NO_DELIMITER:
        return {}
    candidates = (rows.str.count_matches(delimiter, literal=True) >= width).arg_true()
    ends = rows.gather(candidates).str.strip_chars_end(f"{delimiter} \n")
    bare = ends.str.replace_all('"[^"]*"', "")
    is_wide = bare.str.count_matches(delimiter, literal=True) >= width
    is_wide |= bare.str.contains('"', literal=True)  # a stray quote hides what is in front of it
    found = {place: cells_of(rows[place], delimiter) for place in candidates.filter(is_wide)}
    return {place: cells for place, cells in found.items() if any(cell.strip() for cell in cells[width:])}


def _plain_cells(rows: pl.Series, delimiter: str, index: int) -> pl.Series:
    if index < _FAR_COLUMN:
        return rows.str.splitn(delimiter, index + 2).struct.field(f"field_{index}")
    return rows.str.split(delimiter).list.get(index, null_on_oob=True)


def _find_quoted_cells(rows: pl.Series, delimiter: str, index: int) -> pl.Series:
    if index >= _FAR_COLUMN:
        all_cells = (cells_of(row, delimiter) for row in rows)
        return pl.Series(
            [cells[index] if index < len(cells) else None for cells in all_cells], dtype=pl.String
        )
    mark = rf"\{delimiter}" if delimiter == "|" else delimiter
    quoted = '"(?:[^"]|"")*"'
    before = rf"(?s)^(?:(?: *{quoted} *|[^{mark}]*){mark}){{{index}}}"
    cells = rows.str.extract(rf"{before}( *{quoted} *(?:{mark}|$)|[^{mark}]*)")
    bare = cells.str.strip_suffix(delimiter).str.strip_chars(" ")
    return bare.str.replace(r'(?s)^"(.*)"$', "${1}").str.replace_all('""', '"', literal=True)


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


def _end_of_last_row(data: bytes) -> int:
    """Behind the last newline outside quotes; behind the last of all where the quotes are astray."""
    last = end = data.rfind(b"\n") + 1
    if b'"' not in data:  # far faster to tell than how many
        return end
    is_quoted = data.count(b'"', 0, end) % 2
    for _ in range(MAX_ROW_LINES):
        if not is_quoted or not end:
            return end
        start = data.rfind(b"\n", 0, end - 1) + 1
        is_quoted ^= data.count(b'"', start, end) % 2
        end = start
    return last


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


def _join(table: pl.DataFrame, delimiter: str) -> pl.DataFrame:
    """Make one row of the lines that a quoted cell goes over. Only lines with an odd quote are looked at."""
    has_odd_quote = table["row"].str.count_matches('"', literal=True) % 2 == 1
    odd = has_odd_quote.arg_true().to_list()
    texts: dict[int, str] = {}
    swallowed: list[int] = []
    while len(odd) > 1:
        start, end = odd.pop(0), odd[0]
        row = "\n".join(table["row"][start : end + 1]) if end - start < MAX_ROW_LINES else ""
        if _is_whole_row(row, delimiter):
            texts[start] = row
            swallowed += range(start + 1, end + 1)
            odd.pop(0)
    rows = table["row"].scatter(list(texts), list(texts.values())) if texts else table["row"]
    is_row = pl.repeat(True, len(rows), eager=True).scatter(swallowed, False)
    return table.with_columns(rows).filter(is_row)


def _is_whole_row(text: str, delimiter: str) -> bool:
    """Whether its quotes open in front of cells and close behind them."""
    try:
        return sum(1 for _ in csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)) == 1
    except csv.Error:
        return False


def _regularity(rows: pl.Series, delimiter: str) -> tuple[float, int]:
    """The share of rows that have the commonest number of cells above one, and that number."""
    filled = [row for row in rows if row.strip()]
    widths = Counter(width for row in filled if (width := len(cells_of(row, delimiter))) > 1)
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return count / max(1, len(filled)), width
