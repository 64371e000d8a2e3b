"""Answers as one file for people: CSV that is safe in a spreadsheet, Parquet, or a workbook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.storage.dataset import ParquetFile
from ekyc_tasks.support.atomic_files import open_private

SHEET_ROWS = 1_048_576  # with the header
# What a spreadsheet takes for the beginning of a formula; separators of other countries begin cells too.
_FORMULA = r"(^|[;\t\r\n])([ \u{a0}]*[=+\-@＝＋－＠])"

Frames = Iterable[pl.DataFrame]


def write_csv(path: Path, frames: Frames, schema: pl.Schema) -> None:
    """With a mark of its encoding. Cells that would be formulas begin with ``'``: numbers stay text."""
    texts = [name for name, kind in schema.items() if kind == pl.String]
    with open_private(path) as file:
        pl.DataFrame(schema=schema).write_csv(file, include_bom=True)
        for frame in frames:
            safe = frame.with_columns(pl.col(texts).str.replace_all(_FORMULA, "${1}'${2}"))
            safe.write_csv(file, include_header=False, quote_style="non_numeric")


def write_parquet(path: Path, frames: Frames, schema: pl.Schema) -> None:
    with ParquetFile(path, schema, ("state",)) as file:
        for frame in frames:
            file.add(frame)


def write_xlsx(path: Path, frames: Frames, schema: pl.Schema) -> None:
    """Row by row, so that no sheet is ever in memory; texts are never read as formulas, links or numbers."""
    open_private(path).close()
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with closing(xlsxwriter.Workbook(str(path), options)) as workbook:
        sheet = workbook.add_worksheet("answers")
        writers = [_cell_writer(sheet, kind) for kind in schema.dtypes()]
        for column, name in enumerate(schema.names()):
            sheet.write_string(0, column, name)
        for index, row in enumerate(_rows(frames), start=1):
            if index == SHEET_ROWS:
                raise ConfigurationError("Too many rows for an XLSX sheet. Use --format csv or parquet.")
            for column, (write, value) in enumerate(zip(writers, row, strict=True)):
                if value is not None:
                    write(index, column, value)


WRITERS: dict[str, Callable[[Path, Frames, pl.Schema], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "xlsx": write_xlsx,
}


def _rows(frames: Frames) -> Iterator[tuple[Any, ...]]:
    for frame in frames:
        yield from frame.iter_rows()


def _cell_writer(sheet: Any, kind: pl.DataType) -> Callable[[int, int, Any], object]:
    if kind == pl.String:
        return sheet.write_string  # type: ignore[no-any-return]
    if kind == pl.Boolean:
        return sheet.write_boolean  # type: ignore[no-any-return]
    if isinstance(kind, pl.Datetime):
        return lambda row, column, value: sheet.write_datetime(row, column, _naive(value))
    return sheet.write_number  # type: ignore[no-any-return]


def _naive(moment: datetime) -> datetime:
    """Sheets know no zones: UTC, as everywhere."""
    return moment.replace(tzinfo=None)
