"""Rows and cells that are not right, as data: where, why, and what came."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ekyc_tasks.normalize.column_mapping import Layout
from ekyc_tasks.tabular import Int64Array

ISSUES = pl.Schema({"line": pl.Int64, "reason": pl.String, "column": pl.String, "raw": pl.String})


def set_apart(
    frame: pl.DataFrame,
    lines: Int64Array,
    places: Int64Array,
    layout: Layout,
    *,
    reason: str | pl.Series,
    column: str | None = None,
) -> pl.DataFrame:
    """Rows for the quarantine, as `ISSUES`: ``raw`` is JSON of the row's own cells by the header's names.

    ``reason`` is that of all of them, or one for each.
    """
    texts = zip(frame.columns, layout.names, strict=True)
    cells = pl.struct(pl.col(old).cast(pl.String).fill_null("").alias(new) for old, new in texts)
    return frame[places].select(
        pl.Series("line", lines[places], dtype=pl.Int64),
        (pl.lit(reason) if isinstance(reason, str) else reason).alias("reason"),
        pl.lit(column, pl.String).alias("column"),
        cells.struct.json_encode().alias("raw"),
    )


def set_ragged_apart(ragged: Sequence[tuple[int, str]]) -> pl.DataFrame:
    """The same for lines whose cells cannot be told apart: ``raw`` is the line."""
    frame = pl.DataFrame(ragged, schema={"line": pl.Int64, "raw": pl.String}, orient="row")
    return frame.select(
        "line",
        pl.lit("more or fewer cells than the header, or quotes astray").alias("reason"),
        pl.lit(None, pl.String).alias("column"),
        "raw",
    )
