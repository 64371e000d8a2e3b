"""Landed file → its lines, a block at a time. A new format is one function, in `_READERS`."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import fastexcel
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ekyc_tasks.errors import InputError
from ekyc_tasks.landing import text
from ekyc_tasks.landing.columns import choose
from ekyc_tasks.landing.containers import opened, zip_parts
from ekyc_tasks.numbers import Texts

SAMPLE_LINES = 500  # enough to tell columns apart
FEWEST_LINES = 20
SAMPLE_CHARACTERS = 200_000
PARQUET_ROWS = 500_000
MAX_SHEET_BYTES = 2 << 30  # of its parts, unpacked
MAX_SHEET_CELLS = 50_000_000  # a sheet is a dense rectangle in memory: one cell far out costs gigabytes

_SCHEMA = {"line": pl.Int64, "text": pl.String, "is_header": pl.Boolean, "is_blank": pl.Boolean}
_NOT_BLANK = r"[^\s\u{200b}\u{2060}\u{feff}]"
_DIMENSION = re.compile(rb'<dimension ref="(?:[A-Z]+\d+:)?([A-Z]+)(\d+)"')
_SEPARATOR_HINT = re.compile(r'"?sep=(.)"? *(?:\n|$)', re.IGNORECASE)  # Excel's own first line


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines of a file, in their order.

    ``lines``: from 1, where the row starts in a text, the row of a sheet or of a Parquet file. ``texts``:
    the cells that hold the numbers, empty where a row has no such cell. ``headers``: which of these lines
    name the columns.
    """

    lines: npt.NDArray[np.int64]
    texts: Texts
    headers: npt.NDArray[np.intp]

    def frame(self) -> pl.DataFrame:
        texts = self.texts.gather(np.arange(len(self.texts)))
        is_header = np.zeros(len(texts), dtype=np.bool_)
        is_header[self.headers] = True
        return pl.DataFrame(
            {
                "line": self.lines,
                "text": texts,
                "is_header": is_header,
                "is_blank": is_blank(texts) & ~pl.Series(is_header),
            },
            schema=_SCHEMA,
        )


Blocks = Iterator[Block]


def read_lines(path: Path, *, name: str, column: str | None = None) -> pl.DataFrame:
    """All lines of a file at once; see `read_blocks`, which needs the memory of one block only.

    Columns: ``line`` (Int64) and ``text`` (String) as in `Block`, ``is_header`` and ``is_blank`` (Boolean;
    never both).
    """
    blocks = read_blocks(path, name=name, column=column)
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *(block.frame() for block in blocks)])


def read_blocks(path: Path, *, name: str, column: str | None = None) -> Blocks:
    """The lines of a file, in their order, in blocks of a few megabytes.

    ``path`` is where the bytes are; ``name`` is what to call them, and its ending says what they are.
    ``column`` names the column of the numbers; without it, it is found by its name or by its content.

    Raises InputError when the file cannot be read, is not what its name says, or has no such column.
    """
    with opened(path, name=name) as (file, ending):
        yield from _READERS[ending](file, name, column)


# --- formats --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text is laid out: what the first rows tell, and what holds for all."""

    delimiter: str
    index: int
    header_lines: frozenset[int]


_NONE = np.empty(0, dtype=np.intp)
_BLANK = _Layout(text.NO_DELIMITER, 0, frozenset())  # as long as no line says anything


def _text_blocks(file: BinaryIO, name: str, column: str | None) -> Blocks:
    layout: _Layout | None = None
    line = 1
    for piece in text.pieces(file, name):
        layout = layout or _layout_of(piece, line, name, column)
        form = layout or _BLANK
        if form.delimiter == text.NO_DELIMITER and '"' not in piece:
            texts = Texts.of_lines(piece.encode())
            lines = np.arange(line, line + len(texts))
        else:
            rows = text.rows(piece, line, form.delimiter)
            texts = Texts.of(text.column(rows["row"], form.delimiter, form.index))
            lines = rows["line"].to_numpy()
        yield _block(lines, texts, form.header_lines)
        line += len(lines) if '"' not in piece else piece.count("\n")


def _layout_of(piece: str, first_line: int, name: str, column: str | None) -> _Layout | None:
    """The layout by the first rows that are not blank, or None if all of these are."""
    head = _sample(piece)
    hint = _SEPARATOR_HINT.match(head.lstrip())
    delimiter = hint[1] if hint else text.delimiter_of(head)
    rows = text.rows(head, first_line, delimiter).filter(_is_filled("row"))
    hints, table = (rows.head(1), rows.slice(1)) if hint else (rows.head(0), rows)
    if table.is_empty():
        return None
    choice = choose([text.cells_of(row, delimiter) for row in table["row"]], column, name)
    headers = table.head(1) if choice.has_header else table.head(0)
    return _Layout(delimiter, choice.index, frozenset([*hints["line"], *headers["line"]]))


def _sample(piece: str) -> str:
    """Fewer lines where they are long: thousands of columns are as many cells."""
    head = "\n".join(piece.split("\n", SAMPLE_LINES)[:SAMPLE_LINES])
    if len(head) <= SAMPLE_CHARACTERS:
        return head
    few = "\n".join(head.split("\n", FEWEST_LINES)[:FEWEST_LINES])
    return max(few, head[: head.rfind("\n", 0, SAMPLE_CHARACTERS)], key=len)


def _sheet_blocks(file: BinaryIO, name: str, column: str | None) -> Blocks:
    data = file.read()
    try:
        _refuse_sprawling(data, name)
        workbook = fastexcel.read_excel(data)
        sheets = [_sheet(workbook, index) for index in range(len(workbook.sheet_names))]
    except (fastexcel.FastExcelError, zipfile.BadZipFile, ValueError):  # their texts may hold values
        raise InputError(
            f"{name} is no workbook that can be opened. Save it again as .xlsx or CSV."
        ) from None
    filled = [sheet for sheet in sheets if sheet.width and not sheet.is_empty()]
    if len(filled) > 1:
        raise InputError(f"{name} has several sheets with rows. Land each as a file of its own.")
    for sheet in filled:
        is_filled = pl.any_horizontal([_is_filled(each) for each in sheet.columns])
        sample = sheet.with_row_index("row", 1).filter(is_filled).head(SAMPLE_LINES)
        choice = choose([[cell or "" for cell in row[1:]] for row in sample.iter_rows()], column, name)
        header = frozenset(sample["row"].head(1 if choice.has_header else 0))
        yield _block(np.arange(1, sheet.height + 1), Texts.of(sheet.to_series(choice.index)), header)


def _sheet(workbook: fastexcel.ExcelReader, index: int) -> pl.DataFrame:
    # skip_rows=0 keeps blank rows at the top, so that positions are row numbers
    return workbook.load_sheet(index, header_row=None, skip_rows=0, dtypes="string").to_polars()


def _refuse_sprawling(data: bytes, name: str) -> None:
    with zip_parts(BytesIO(data)) as parts:
        if sum(part.file_size for part in parts.infolist()) > MAX_SHEET_BYTES:
            raise InputError(f"{name} is a workbook of gigabytes. Save the table alone, as CSV.")
        for part in parts.namelist():
            if part.startswith("xl/worksheets/") and part.endswith(".xml"):
                with parts.open(part) as sheet:
                    _refuse_dimension(_DIMENSION.search(sheet.read(4096)), name)


def _refuse_dimension(used: re.Match[bytes] | None, name: str) -> None:
    if used is None:
        return
    width = 0
    for letter in used[1]:
        width = 26 * width + letter - ord("A") + 1
    if width * int(used[2]) > MAX_SHEET_CELLS:
        raise InputError(f"{name} has a sheet with a cell far outside its table. Save the table alone.")


def _parquet_blocks(file: BinaryIO, name: str, column: str | None) -> Blocks:
    try:
        table = pq.ParquetFile(file)
        columns = [field.name for field in table.schema_arrow if _may_hold_numbers(field.type)]
        if not columns:
            raise InputError(f"{name} has no column of texts or whole numbers. Land one that has.")
        sample = _strings(next(table.iter_batches(SAMPLE_LINES, columns=columns), None), columns)
        choice = choose([columns, *([cell or "" for cell in row] for row in sample.rows())], column, name)
        line = 1
        for batch in table.iter_batches(PARQUET_ROWS, columns=[columns[choice.index]]):
            cells = _strings(batch, columns[choice.index : choice.index + 1]).to_series()
            yield _block(np.arange(line, line + len(cells)), Texts.of(cells), frozenset())
            line += len(cells)
    except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError):  # their texts may hold values
        raise InputError(f"{name} is no Parquet file that can be read. Write it again.") from None


def _may_hold_numbers(kind: pa.DataType) -> bool:
    kinds = pa.types
    return any(
        test(kind) for test in (kinds.is_integer, kinds.is_floating, kinds.is_string, kinds.is_large_string)
    )


def _strings(batch: pa.RecordBatch | None, columns: list[str]) -> pl.DataFrame:
    if batch is None:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    batch.validate(full=True)  # polars panics over texts that are none, and over such metadata
    arrays = zip(columns, batch.columns, strict=True)
    return pl.DataFrame([cast(pl.Series, pl.from_arrow(array)).alias(name) for name, array in arrays]).select(
        pl.all().cast(pl.String)
    )


def _block(lines: npt.NDArray[np.int64], texts: Texts, header_lines: Collection[int]) -> Block:
    return Block(lines, texts, np.flatnonzero(np.isin(lines, list(header_lines))) if header_lines else _NONE)


def is_blank(texts: pl.Series) -> pl.Series:
    return ~texts.str.contains(_NOT_BLANK).fill_null(False)


def _is_filled(column: str) -> pl.Expr:
    return pl.col(column).str.contains(_NOT_BLANK).fill_null(False)


_READERS: dict[str, Callable[[BinaryIO, str, str | None], Blocks]] = {
    ".csv": _text_blocks,
    ".parquet": _parquet_blocks,
    ".tsv": _text_blocks,
    ".txt": _text_blocks,
    ".xlsx": _sheet_blocks,
}
