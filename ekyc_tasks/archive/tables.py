"""What `text` and `sheets` have in common: a table, and the blocks that it is read in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one table.

    ``frame`` holds text columns ``c0 … cN``, never null (an empty cell is ""); ``lines`` the line of the
    member (or row of the sheet), from 1, on which each row starts. ``ragged`` are lines with more or fewer
    cells than the first one, as (line, text); they are not in ``frame``. ``healed_lines`` were not UTF-8.
    """

    frame: pl.DataFrame
    lines: Int64Array
    ragged: tuple[tuple[int, str], ...] = ()
    healed_lines: int = 0

    @property
    def returned_rows(self) -> int:
        return self.frame.height + len(self.ragged)


@dataclass(frozen=True, slots=True)
class Table:
    """A member that holds rows.

    ``head`` are the cells of its first row, header or not; ``verdict`` is what the member's name says about
    every row in it, or None. ``blocks(skip_head)`` reads it, in order, from the start each time.
    """

    name: str
    head: tuple[str, ...]
    verdict: bool | None
    blocks: Callable[[bool], Iterator[Block]]


def column_names(width: int) -> list[str]:
    return [f"c{position}" for position in range(width)]
