"""A workbook (.xlsx, .xls, .ods) → the cells of its columns of numbers, opened as those in archives are."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ekyc_tasks.errors import ArchiveError, ConfigurationError, InputError
from ekyc_tasks.intake.column_names import comparable
from ekyc_tasks.intake.columns import choose, raise_watched
from ekyc_tasks.intake.file_layout import FileLayout, columns_at
from ekyc_tasks.intake.line_block import ABOVE_HEADER, NOT_BLANK, Blocks, Cell, is_blank, make_block_of_cells
from ekyc_tasks.intake.number_shapes import holds_number
from ekyc_tasks.intake.rules import ReadingRules
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular import Member, xlsx_worker
from ekyc_tasks.tabular.containers import CHUNK_BYTES
from ekyc_tasks.tabular.xlsx import MAX_SHEETS, read_workbook

MAX_COLUMNS = 1 << 14  # all that a sheet can have; memory has a limit of its own

ERROR_CELL = "the cell of the workbook shows an error"
NOT_CALCULATED = "the cell of the workbook has a formula that was never calculated"

_SHOWN = {ERROR_CELL: "(error)", NOT_CALCULATED: "(formula)"}  # in place of the cell
_REASONS = {xlsx_worker.ERROR: ERROR_CELL, xlsx_worker.NOT_CALCULATED: NOT_CALCULATED}
_SAMPLE_ROWS = 500
_SHEETS_NAMED = 4  # in one sentence


@dataclass(frozen=True, slots=True)
class _LandedSheet:
    """``flaws``: why a cell that shows nothing must be rejected, by row and column from 0."""

    name: str
    is_hidden: bool
    columns_before: int
    flaws: dict[tuple[int, int], str]
    stream: pa.Buffer

    def frame(self) -> pl.DataFrame:
        """All its rows, as texts; as far as there are values or flaws."""
        table = cast(pl.DataFrame, pl.from_arrow(pa.ipc.open_stream(self.stream).read_all()))
        rows = max([table.height, *(row + 1 for row, _ in self.flaws)])
        width = max([table.width + self.columns_before, *(column + 1 for _, column in self.flaws)])
        values = [pl.Series(dtype=pl.String)] * self.columns_before + table.get_columns()
        values += [pl.Series(dtype=pl.String)] * (width - len(values))
        return pl.DataFrame(
            [
                column.extend_constant(None, rows - len(column)).alias(f"{at}")
                for at, column in enumerate(values)
            ]
        )


def read_sheet_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    """The visible sheet that holds numbers. Raises InputError when there are several, or none can be read."""
    for sheet in _choose_sheet(_read_sheets(file, name), rules, name):
        table = sheet.frame()
        if not table.is_empty():
            yield from _blocks(table, sheet, rules, name)


def _blocks(table: pl.DataFrame, sheet: _LandedSheet, rules: ReadingRules, name: str) -> Blocks:
    is_filled = table.select(pl.any_horizontal(pl.all().str.contains(NOT_BLANK).fill_null(False)))
    numbered = table.with_row_index("row", 1)
    sample = numbered.filter(is_filled.to_series()).head(_SAMPLE_ROWS)
    flawed_rows = {row for row, _ in sheet.flaws}
    if sample.is_empty():
        sample = numbered.head(1)
    rows = [[cell or "" for cell in row[1:]] for row in sample.iter_rows()]
    choice = choose(_without_empty_ends(rows), rules, name)
    lines = sample["row"].to_list()
    doubtful = {lines[index] - 1 for index in choice.above}
    headers = set(lines[: 0 if choice.header is None else choice.header + 1]) - {row + 1 for row in doubtful}
    for index in choice.watched:
        cells = table.to_series(index)
        if any(map(holds_number, cells.filter(~is_blank(cells)))):
            raise_watched(rows[choice.header or 0][index], name)
    instead: dict[int, list[Cell]] = {row: [Cell(_join(table.row(row)), ABOVE_HEADER)] for row in doubtful}
    for row in flawed_rows - doubtful:
        instead[row] = _cells_of(row, table, choice.indexes, sheet)
    columns = [table.to_series(index) for index in choice.indexes]
    layout = FileLayout(
        columns_at([] if choice.header is None else rows[choice.header], choice.indexes),
        choice.why,
        header=None if choice.header is None else lines[choice.header],
        titles=max(0, len(headers) - 1),
        sheet=sheet.name,
    )
    row_lines = np.arange(1, table.height + 1)
    block = make_block_of_cells(row_lines, columns, headers, instead, layout=layout)
    yield choice.countries.tell(
        block, row_lines, lambda index: _show_flaws(table.to_series(index), index, sheet)
    )


def _show_flaws(column: pl.Series, index: int, sheet: _LandedSheet) -> pl.Series:
    """A cell that shows an error is not empty."""
    flaws = {row: _SHOWN[reason] for (row, at), reason in sheet.flaws.items() if at == index}
    return column.fill_null("").scatter(list(flaws), list(flaws.values())) if flaws else column


def _cells_of(row: int, table: pl.DataFrame, indexes: Sequence[int], sheet: _LandedSheet) -> list[Cell]:
    """The filled cells of a row, and those that show nothing of what they are."""
    cells: list[Cell] = []
    for at, index in enumerate(indexes):
        text, reason = table[row, index] or "", sheet.flaws.get((row, index))
        if text.strip() or reason:
            cells.append(Cell(text, None, at) if text.strip() else Cell(_SHOWN[reason or ""], reason, at))
    return cells


def _join(row: Sequence[str | None]) -> str:
    return " | ".join(cell for cell in row if cell)


def _without_empty_ends(rows: list[list[str]]) -> list[list[str]]:
    """A sheet is a rectangle: rows end with their last filled cell, but none before the others do."""
    width = max([1, *(index + 1 for row in rows for index, cell in enumerate(row) if cell.strip())])
    return [row[:width] for row in rows]


# --- sheets ---------------------------------------------------------------------------------------------


def _choose_sheet(sheets: list[_LandedSheet], rules: ReadingRules, name: str) -> Iterator[_LandedSheet]:
    if rules.sheet is not None:
        yield _find_named_sheet(sheets, rules.sheet, name)
        return
    visible = [sheet for sheet in sheets if not sheet.is_hidden]
    found = [sheet for sheet in visible if _has_numbers(sheet)]
    if len(found) > 1:
        raise InputError(
            f"{name} has data on {len(found)} sheets ({_list_names(found)}). Save each sheet as its own file."
        )
    if not found and any(_has_numbers(sheet) for sheet in sheets):
        raise InputError(
            f"{name} has numbers on hidden sheets only. Show the sheet that is to be read, and save it again."
        )
    found = (
        found
        or [sheet for sheet in visible if sheet.flaws]
        or [sheet for sheet in visible if not sheet.frame().is_empty()]
    )
    yield from found[:1]


def _find_named_sheet(sheets: list[_LandedSheet], wanted: str, name: str) -> _LandedSheet:
    for sheet in sheets:
        if sheet.name == wanted or comparable(sheet.name) == comparable(wanted) != "":
            return sheet
    raise InputError(f"{name} has no sheet “{wanted}”. It has: {_list_names(sheets)}. Correct the name.")


def _list_names(sheets: list[_LandedSheet]) -> str:
    shown = [f"“{sheet.name}”" for sheet in sheets if not holds_number(sheet.name)][:_SHEETS_NAMED]
    return ", ".join([*shown, *(["…"] if len(shown) < len(sheets) else [])])


def _has_numbers(sheet: _LandedSheet) -> bool:
    return any(
        any(map(holds_number, cells.filter(cells.str.contains(_DIGITS).fill_null(False))))
        for cells in sheet.frame().get_columns()
    )


_DIGITS = r"\d(?:.?.?.?\d){5}"


def _read_sheets(file: BinaryIO, name: str) -> list[_LandedSheet]:
    member = Member(name, name, lambda: iter(partial(file.read, CHUNK_BYTES), b""))
    try:
        written = read_workbook(member, ArchiveLimits(), columns=MAX_COLUMNS, with_flaws=True)
    except ArchiveError:
        raise InputError(
            f"{name} cannot be opened as a workbook: it is damaged, far too large, has a cell far outside "
            f"its table, or more than {MAX_SHEETS} sheets. Save the table alone, as .xlsx or CSV."
        ) from None
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ConfigurationError(
                f"There is no space to read {name}. Free some space, and run again."
            ) from None
        raise
    return list(map(_parse_sheet, written))


def _parse_sheet(written: tuple[pa.Schema, int, pa.Buffer]) -> _LandedSheet:
    schema, _, stream = written
    told = schema.metadata
    flaws = np.frombuffer(told[xlsx_worker.FLAWS], dtype=np.uint32).reshape(-1, 3).tolist()
    return _LandedSheet(
        told[xlsx_worker.NAME].decode(),
        bool(told[xlsx_worker.HIDDEN]),
        int(told[xlsx_worker.COLUMNS_BEFORE]),
        {(row, column): _REASONS[kind] for row, column, kind in flaws},
        stream,
    )
