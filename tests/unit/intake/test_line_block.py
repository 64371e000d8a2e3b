"""Entries of lines: several cells of one, and one without any."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from support.landed_lines import frame_of

from ekyc_tasks.intake.line_block import NO_COLUMN, Cell, make_block_of_cells

CELLS = st.one_of(st.none(), st.sampled_from(["", " ", "1", "2"]))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=20), st.data())
def test_each_filled_cell_is_an_entry_and_each_line_has_one(rows, data):
    flawed = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    instead = {row: [Cell("a", column=1), Cell("b", "why")] for row in flawed}
    columns = [pl.Series([row[at] for row in rows], dtype=pl.String) for at in range(3)]
    block = make_block_of_cells(np.arange(5, 5 + len(rows)), columns, {5}, instead)
    expected = []
    for at, row in enumerate(rows):
        filled = [(cell, column) for column, cell in enumerate(row) if cell and cell.strip()]
        cells = [("a", 1), ("b", NO_COLUMN)] if at in flawed else filled or [("", NO_COLUMN)]
        expected += [(at + 5, *cell) for cell in (cells[:1] if at == 0 else cells)]  # a header counts once
    columns = pl.Series("column", block.columns)
    assert frame_of(block).select("line", "text", columns).rows() == expected
    assert block.line_count == len(rows)
    assert block.headers.tolist() == [0]
    reasons = [
        text for (_, text, _), at in zip(expected, range(len(expected)), strict=True) if at in block.flaws
    ]
    assert set(reasons) <= {"b"}
    assert set(block.flaws.values()) <= {"why"}
