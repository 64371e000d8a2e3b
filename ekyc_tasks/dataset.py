"""The partitioned Parquet dataset and the quarantine beside it.

A file is written in staging, on the same file system, and appears under its final name whole or not at all
(`ekyc_tasks.disk`). The same rows give the same bytes: row groups are cut by rows, whatever the blocks that
they arrive in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ekyc_tasks.disk import fsync_dir, open_private, private_dir, publish

__all__ = [
    "QUARANTINE",
    "ParquetFile",
    "dataset_path",
    "fsync_dir",
    "private_dir",
    "publish",
    "quarantine_path",
    "withdraw",
]

ROW_GROUP_ROWS = 250_000

QUARANTINE = pl.Schema(
    {
        "batch_id": pl.String,
        "line": pl.Int64,
        "kind": pl.String,
        "reason": pl.String,
        "column": pl.String,
        "raw": pl.String,
    }
)
QUARANTINE_FEW_VALUES = ("batch_id", "kind", "reason", "column")


def dataset_path(warehouse: Path, task_type: str, checked_at: datetime, batch_id: str) -> Path:
    """The place of a batch, by the UTC date of ``checked_at``. Unique names: warehouses load each once."""
    checked_date = checked_at.astimezone(UTC).date().isoformat()
    return warehouse / task_type / f"checked_date={checked_date}" / f"{batch_id}.parquet"


def quarantine_path(quarantine: Path, task_type: str, batch_id: str) -> Path:
    return quarantine / task_type / f"{batch_id}.parquet"


def arrow_schema(schema: pl.Schema) -> pa.Schema:
    """Types that every warehouse takes: plain strings, no views, no dictionaries."""
    empty = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.schema(
        [(name, _plain(kind)) for name, kind in zip(empty.schema.names, empty.schema.types, strict=True)]
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind


class ParquetFile:
    """One Parquet file, written in the order of `add`; a context manager. ``rows`` counts what went in."""

    def __init__(self, path: Path, schema: pl.Schema, few_values: tuple[str, ...]) -> None:
        self.path = path
        self.rows = 0
        self._schema = arrow_schema(schema)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._file = open_private(path)  # not by its name, which pyarrow takes for a URI and for UTF-8
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=list(few_values),
            version="2.6",
            store_schema=False,
        )

    def add(self, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        # a copy: views would keep the whole block of a few rows in memory
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema)
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self.rows += table.num_rows
        while self._waiting_rows >= ROW_GROUP_ROWS:
            self._write(ROW_GROUP_ROWS)

    def _write(self, rows: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        self._writer.write_table(waiting.slice(0, rows), row_group_size=rows)
        rest = waiting.slice(rows)
        self._waiting, self._waiting_rows = [rest], rest.num_rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None and self._waiting_rows:
                self._write(self._waiting_rows)
            self._writer.close()


def withdraw(final: Path) -> None:
    """Removes a published file, lastingly; nothing happens if there is none."""
    if final.exists():
        final.unlink()
        fsync_dir(final.parent)
