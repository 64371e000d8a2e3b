"""What every reader of landed files hands on: some lines, and the cells of them that may hold numbers."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.intake.file_layout import LIST, FileLayout
from ekyc_tasks.phone import Texts

NOT_BLANK = r"[^\s\u{200b}\u{2060}\u{feff}]"

ABOVE_HEADER = "a number above the header of the table"

NO_COLUMN = -1  # of a cell that stands beside all columns

Lines = npt.NDArray[np.int64]
ColumnNumbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Some lines of a file, in their order: an entry for each cell that may hold numbers.

    ``lines``: from 1, where the row starts in a text, the row of a sheet or of a Parquet file. A line of
    several cells has several entries, one after another; a line without any has one entry, an empty text.
    ``texts``: the cells as they are written. ``headers``: which of these entries name the columns, or are
    titles above them. ``flaws``: which entries must not be read, and why. ``columns``: which of those in
    ``layout`` each entry is from, or `NO_COLUMN`; None: all are from the first. ``countries``: what the row
    of each entry says of its country (see `phone.countries`), where columns do, which are called
    ``country_titles``.
    """

    lines: Lines
    texts: Texts
    headers: npt.NDArray[np.intp]
    flaws: Mapping[int, str] = field(default_factory=dict)
    columns: ColumnNumbers | None = None
    layout: FileLayout = LIST
    countries: pl.Series | None = None
    country_titles: tuple[str, ...] = ()

    @property
    def line_count(self) -> int:
        """How many lines these entries are of."""
        return int(np.count_nonzero(np.diff(self.lines))) + bool(len(self.lines))


Blocks = Generator[LineBlock, None, None]


def make_block(
    lines: Lines, texts: Texts, header_lines: Collection[int] = (), layout: FileLayout = LIST
) -> LineBlock:
    headers = np.flatnonzero(np.isin(lines, list(header_lines))) if header_lines else _NONE
    return LineBlock(lines, texts, headers, layout=layout)


class Cell(NamedTuple):
    """A text, why it must not be read, and which of the columns that are read it is from."""

    text: str
    reason: str | None = None
    column: int = NO_COLUMN


def make_block_of_cells(
    lines: Lines,
    columns: Sequence[pl.Series],
    header_lines: Collection[int] = (),
    instead: Mapping[int, Sequence[Cell]] | None = None,
    *,
    sources: Sequence[int] | None = None,
    layout: FileLayout = LIST,
) -> LineBlock:
    """A block of some columns of a table; ``instead`` has other cells for some of its rows. ``sources``:
    which column of ``layout`` each is, where they are not the same, one by one."""
    if len(columns) == 1 and not instead:
        return make_block(lines, Texts.of(columns[0]), header_lines, layout)
    rows = np.arange(len(lines))
    cells = [
        pl.DataFrame({"row": rows, "text": column, "reason": None, "column": source}, schema=_CELLS)
        for source, column in zip(sources or range(len(columns)), columns, strict=True)
    ]
    odd = [(row, *cell) for row, others in (instead or {}).items() for cell in others]
    kept = pl.concat(cells).filter(~is_blank(pl.concat(columns)))
    if instead:
        kept = kept.filter(~pl.col("row").is_in(list(instead)))
    filled = pl.concat([kept, pl.DataFrame(odd, schema=_CELLS, orient="row")])
    empty = pl.DataFrame({"row": rows, "text": "", "reason": None, "column": NO_COLUMN}, schema=_CELLS)
    empty = empty.filter(~pl.Series(np.isin(rows, filled["row"].to_numpy())))
    table = pl.concat([filled, empty]).sort("row", maintain_order=True)
    is_again = table.with_columns(
        again=pl.col("row").is_in(np.flatnonzero(np.isin(lines, list(header_lines))))
        & ~pl.col("row").is_first_distinct()
    )
    table = is_again.filter(~pl.col("again"))  # a header counts once, however many columns are read
    reasons = table["reason"]
    flaws = {index: reasons[index] for index in reasons.is_not_null().arg_true()}
    block = make_block(lines[table["row"].to_numpy()], Texts.of(table["text"]), header_lines, layout)
    return replace(block, flaws=flaws, columns=table["column"].to_numpy())


_CELLS = pl.Schema({"row": pl.Int64, "text": pl.String, "reason": pl.String, "column": pl.Int32})


def is_blank(texts: pl.Series) -> pl.Series:
    return ~texts.str.contains(NOT_BLANK).fill_null(False)


_NONE = np.empty(0, dtype=np.intp)
