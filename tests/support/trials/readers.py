"""A reader of the warehouse, in a process of its own: reads in a loop, and is never surprised."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

_PAUSE = 0.02  # seconds between two reads, or they would take all the time from the loads


def read(engine: str, tree: str, stop: str) -> dict[str, Any]:
    """Until the file ``stop`` is there: how many reads, rows by batch, and every surprise."""
    look = {"polars": _by_polars, "duckdb": _by_duckdb}[engine]
    reads, seen, violations = 0, {}, []
    is_last = False
    while not is_last:
        is_last = Path(stop).exists()  # before the last read, which then sees everything
        time.sleep(_PAUSE)
        if not any(Path(tree).rglob("*.parquet")):
            continue
        try:
            found = look(f"{tree}/**/*.parquet")
        except Exception as error:
            violations.append(f"{engine} met {type(error).__name__}: {error}")
            continue
        reads += 1
        if gone := seen.keys() - found.keys():
            violations.append(f"{engine} saw {len(gone)} batches disappear")
        if torn := [batch for batch in seen if found.get(batch, seen[batch]) != seen[batch]]:
            violations.append(f"{engine} saw {len(torn)} batches change")
        seen |= found
    return {"exit_code": 0, "sentences": [], "reads": reads, "seen": seen, "violations": violations}


def _by_polars(files: str) -> dict[str, int]:
    rows = pl.scan_parquet(files, hive_partitioning=True)
    return dict(rows.group_by("batch_id").len().collect().iter_rows())


def _by_duckdb(files: str) -> dict[str, int]:
    with duckdb.connect() as connection:
        query = f"SELECT batch_id, count(*) FROM read_parquet('{files}') GROUP BY batch_id"  # noqa: S608
        return dict(connection.execute(query).fetchall())
