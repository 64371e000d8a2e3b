"""XLSX → blocks of raw rows, by calamine.

A workbook costs about five times a CSV's CPU and its sheet is held in memory whole (at most 1,048,576 rows),
so it is read only where no text holds the same rows. Seen in the field: numbers as floats and in scientific
notation; calamine gives both as plain digits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO

import fastexcel
import numpy as np
import polars as pl

from ekyc_tasks.archive.containers import Member, zip_members
from ekyc_tasks.archive.tables import MAX_COLUMNS, Block, Blocks, ColumnTypes, Table
from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits

BLOCK_ROWS = 50_000
# A sheet becomes a dense rectangle in memory: one cell far out would cost gigabytes.
MAX_EMPTY_CELLS = 50_000_000
COLUMNS_TO_Z = 26
MAX_ROWS = 1 << 20
_ASK_AGAIN = "ask the provider for it again"

_OVERLAP = 256
_ROW = re.compile(rb"""<(?:\w+:)?row\b[^>]*?\br=["'](\d+)""")
_BEYOND_Z = re.compile(rb"""\br=["'][A-Z]{2,}\d""")
_BEYOND_LIMIT = re.compile(rb"""\br=["'](?:[A-Z]{3,}|[J-Z][A-Z]|I[W-Z])\d""")


def sheet_tables(member: Member, verdict: bool | None, limits: ArchiveLimits) -> list[Table]:
    """Each sheet that holds a row, in the workbook's order. Raises `ArchiveError`."""
    data = member.read()
    for part in zip_members(BytesIO(data), member.label, limits):
        _refuse_sprawling(part, member.label)
    with _translated(member):
        workbook = fastexcel.read_excel(data)
        sheets = [(name, _texts(workbook, name)) for name in workbook.sheet_names]
    names = [member.name if len(sheets) == 1 else f"{member.name}: {name}" for name, _ in sheets]
    tables = (_table(name, frame, verdict) for name, (_, frame) in zip(names, sheets, strict=True))
    return [table for table in tables if table is not None]


@contextmanager
def _translated(member: Member) -> Iterator[None]:
    """Errors and panics of the reader as ours; their text may hold values."""
    try:
        yield
    except BaseException as error:
        # a panic is no Exception, and each library in Rust has a class of its own for it
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise _damaged(member) from None


def _damaged(member: Member) -> ArchiveError:
    return ArchiveError(f"{member.label} is damaged: its sheets cannot be read; {_ASK_AGAIN}")


def _refuse_sprawling(part: Member, name: str) -> None:
    """Reads a part to its end, so that its length and checksum are verified too."""
    rows = cells = 0
    columns = COLUMNS_TO_Z
    seam = b""
    for chunk in part.chunks():
        seen = seam + chunk
        rows = max(rows, *map(int, _ROW.findall(seen)), 0)
        cells += chunk.count(b"<c")
        columns = MAX_COLUMNS if _BEYOND_Z.search(seen) else columns
        if _BEYOND_LIMIT.search(seen):
            raise ArchiveError(
                f"{name} has a sheet of more than {MAX_COLUMNS} columns: it is no table; {_ASK_AGAIN}"
            )
        seam = chunk[-_OVERLAP:]
    if rows * columns > max(MAX_EMPTY_CELLS, 20 * cells):
        raise ArchiveError(f"{name} has a sheet that is nearly empty and far too large to open; {_ASK_AGAIN}")


def _texts(workbook: fastexcel.ExcelReader, sheet: str) -> pl.DataFrame:
    # skip_rows=0 keeps blank rows above the header, so that positions are row numbers
    loaded = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
    frame: pl.DataFrame = loaded.to_polars()
    return frame.select(pl.when(pl.all() != "").then(pl.all()))  # some writers fill blank cells with nothing


def _table(name: str, frame: pl.DataFrame, verdict: bool | None) -> Table | None:
    filled = (row for row in frame.iter_rows() if any(cell is not None for cell in row))
    head = next(filled, None)
    if head is None:
        return None
    is_cut = frame.height >= MAX_ROWS
    notes = (f"Sheet {name} is full: rows beyond {MAX_ROWS:,} are not in it.",) if is_cut else ()
    return Table(name, tuple(cell or "" for cell in head), verdict, partial(_blocks, frame), notes)


def _blocks(frame: pl.DataFrame, skip_head: bool, few: Collection[int]) -> Blocks:
    types = ColumnTypes(frame.width, few)
    is_blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    lines = np.flatnonzero(~is_blank) + 1
    rows = frame.filter(~is_blank)
    for start in range(1 if skip_head else 0, rows.height, BLOCK_ROWS):
        part = types.of(rows.slice(start, BLOCK_ROWS))
        types.learn(part)
        yield Block(part, lines[start : start + part.height])
