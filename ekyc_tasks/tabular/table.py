"""What `delimited` and `xlsx` have in common: a table, and the blocks that it is read in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

Int64Array = npt.NDArray[np.int64]

MAX_COLUMNS = 256
ROWS_TRIED = 20  # to see what the first ones mean
MAX_FEW_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one table.

    ``frame`` holds text columns ``c0 … cN`` (see `ColumnTypes`), null where a cell is empty; ``lines`` the
    line of the member (or row of the sheet), from 1, on which each row starts. ``ragged`` are lines with
    more or fewer cells than the first one, as (line, text); they are not in ``frame``. ``healed_lines`` were
    not UTF-8 and read as ``legacy``, the name of an encoding.
    """

    frame: pl.DataFrame
    lines: Int64Array
    ragged: tuple[tuple[int, str], ...] = ()
    healed_lines: int = 0
    legacy: str = ""

    @property
    def returned_rows(self) -> int:
        return self.frame.height + len(self.ragged)


Blocks = Generator[Block, None, None]


def _none() -> Iterator[Table]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Table:
    """A member that holds rows.

    ``head`` are the cells of its first row, header or not, and ``sample`` some rows after it; ``header`` is
    that of another part, where this one has none. ``verdict`` is what the member's name says about every row
    in it, or None. ``blocks(skip_head, few)`` reads it, in order, from the start each time; ``few`` are the
    positions of columns that are expected to have few distinct values. ``notes`` are for the report.
    ``alternatives`` are the same with another of the first rows as ``head``, by any delimiter.
    """

    name: str
    head: tuple[str, ...]
    verdict: bool | None
    blocks: Callable[[bool, Collection[int]], Blocks]
    notes: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    sample: tuple[tuple[str, ...], ...] = ()
    alternatives: Callable[[], Iterator[Table]] = _none


class ColumnTypes:
    """The type in which each text column is read: Categorical for few distinct values, else String.

    A text becomes a code where it is parsed, which costs nothing there and saves all work per row later.
    """

    def __init__(self, width: int, few: Collection[int]) -> None:
        names = [f"c{position}" for position in range(width)]
        self.types: pl.Schema = pl.Schema(dict.fromkeys(names, pl.String()))
        self.types.update({names[at]: pl.Categorical(pl.Categories.random()) for at in few})
        # categories last as long as a series that uses them
        self._alive = pl.DataFrame(schema=self.types)

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame of texts, in these types."""
        named = frame.rename(dict(zip(frame.columns, self.types, strict=True)))
        return named.select(pl.when(pl.all() != "").then(pl.all())).cast(self.types)

    def learn(self, frame: pl.DataFrame) -> None:
        """A column that turns out to have many values is read as String from the next block on."""
        for name, kind in self.types.items():
            if isinstance(kind, pl.Categorical) and _codes(frame.get_column(name)) > MAX_FEW_VALUES:
                self.types[name] = pl.String()


def _codes(column: pl.Series) -> int:
    """How many codes there are up to the highest that is used here."""
    highest = cast("int | None", column.to_physical().max())
    return 0 if highest is None else highest + 1
