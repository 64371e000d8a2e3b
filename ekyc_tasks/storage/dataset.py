"""The partitioned Parquet dataset and the quarantine beside it.

A file is written in staging, on the same file system, and appears under its final name whole or not at all
(`atomic_files`). The same rows give the same bytes: row groups are cut by rows, whatever the blocks that they
arrive in, but for rows of half a kilobyte and more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ekyc_tasks.errors import InputError
from ekyc_tasks.support.atomic_files import fsync, open_private, publish

__all__ = [
    "QUARANTINE",
    "ParquetFile",
    "dataset_path",
    "publish",
    "quarantine_path",
    "read_rows",
    "reasons",
    "withdraw",
]

# What fills a row group first: rows of many columns that the contract does not know can be large.
ROW_GROUP_ROWS, ROW_GROUP_BYTES = 250_000, 64 << 20
_MANY_ROWS = ROW_GROUP_ROWS // 8  # worth keeping the whole block whose texts they are: eight wait at most

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


def arrow_schema(schema: pl.Schema, few_values: Collection[str]) -> pa.Schema:
    """Types that every warehouse takes. A dictionary is how texts are written; readers see plain strings."""
    empty = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.schema(
        (field.name, _name_of_write(field.type, has_few_values=field.name in few_values))
        for field in empty.schema
    )


def _name_of_write(kind: pa.DataType, *, has_few_values: bool) -> pa.DataType:
    if not pa.types.is_large_string(kind):
        return kind
    return pa.dictionary(pa.int32(), pa.string()) if has_few_values else pa.string_view()


class ParquetFile:
    """One Parquet file, written in the order of `add`; a context manager. ``rows`` counts what went in."""

    def __init__(self, path: Path, schema: pl.Schema, few_values: tuple[str, ...]) -> None:
        self.path = path
        self.rows = 0
        self._schema = arrow_schema(schema, few_values)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._file = open_private(path)  # not by its name, which pyarrow takes for a URI and for UTF-8
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=list(few_values),
            # of texts they would cost a quarter of the time and exclude no row group: rows come in any order
            write_statistics=[field.name for field in self._schema if pa.types.is_primitive(field.type)],
            version="2.6",
            store_schema=False,
        )

    def add(self, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        arrays = [_array(series) for series in frame.select(self._schema.names)]
        self._waiting.append(pa.Table.from_arrays(arrays, names=self._schema.names))
        self._waiting_rows += frame.height
        self._waiting_bytes += self._waiting[-1].nbytes
        self.rows += frame.height
        while self._waiting_rows >= ROW_GROUP_ROWS:
            self._write(ROW_GROUP_ROWS)
        if self._waiting_bytes >= ROW_GROUP_BYTES:
            self._write(self._waiting_rows)

    def _write(self, rows: int) -> None:
        """One row group of the rows that have waited longest."""
        group: list[pa.Table] = []
        while rows:
            table = self._waiting.pop(0)
            group.append(table.slice(0, rows))
            if table.num_rows > rows:
                self._waiting.insert(0, table.slice(rows))
            rows -= group[-1].num_rows
            self._waiting_rows -= group[-1].num_rows
        self._waiting_bytes = sum(table.nbytes for table in self._waiting)
        columns = [
            _column([chunk for table in group for chunk in table.column(at).chunks], field.type)
            for at, field in enumerate(self._schema)
        ]
        written = pa.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(written, row_group_size=written.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file, self._writer:
            if kind is None and self._waiting_rows:
                self._write(self._waiting_rows)


def _array(series: pl.Series) -> pa.Array:
    """In Arrow; a Categorical keeps its codes and is not copied.

    Texts are copied where the rows are few: views of them would keep all texts of their block in memory.
    """
    if isinstance(series.dtype, pl.Categorical):
        places = series.to_physical().rechunk().to_arrow().view(pa.int32())
        words = _array(pl.Series(list(series.dtype.categories), dtype=pl.String))  # pa.array imports pandas
        plain = words.cast(pa.string())
        return pa.DictionaryArray.from_arrays(places, plain, safe=False)  # safe: every place is looked at
    if len(series) >= _MANY_ROWS:
        return series.to_arrow(compat_level=pl.CompatLevel.newest())
    copied = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    return copied.cast(pa.string()) if pa.types.is_large_string(copied.type) else copied


def _column(chunks: list[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(kind):
        return pa.chunked_array([_with_one_dictionary(chunks, kind)])
    return pa.chunked_array([_plain(chunk).cast(kind) for chunk in chunks])


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _with_one_dictionary(chunks: list[pa.Array], kind: pa.DataType) -> pa.Array:
    """The chunks as one, with the words up to the last one that is used.

    Words come in the order of their first rows, so a later chunk's dictionary begins with an earlier one's.
    """
    words = chunks[-1].dictionary if pa.types.is_dictionary(chunks[-1].type) else None
    if words is None or not all(_begins_with(words, chunk) for chunk in chunks):
        texts = pa.chunked_array([chunk.cast(kind.value_type) for chunk in chunks])
        return texts.combine_chunks().dictionary_encode()
    places = pa.concat_arrays([chunk.indices for chunk in chunks])
    used = cast("int | None", pl.Series(places).max())  # ten times as fast as `pyarrow.compute.max`
    return pa.DictionaryArray.from_arrays(places, words[: 0 if used is None else used + 1], safe=False)


def _begins_with(words: pa.Array, chunk: pa.Array) -> bool:
    if not pa.types.is_dictionary(chunk.type):
        return False
    return bool(words.slice(0, len(chunk.dictionary)).equals(chunk.dictionary))


def read_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """The rows of one batch, a row group at a time; none when somebody has moved them away.

    Raises InputError when the file is not what was written there.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for rows in pq.ParquetFile(file).iter_batches(ROW_GROUP_ROWS, columns=columns):
                yield cast(pl.DataFrame, pl.from_arrow(rows))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's, not a page's
            raise
        raise InputError(
            f"The rows of batch {path.stem} cannot be read, because {path} is damaged. "
            f"`ekyc replay {path.stem}` writes it again."
        ) from None


def withdraw(final: Path) -> None:
    """Removes a published file, lastingly; nothing happens if there is none."""
    if final.exists():
        final.unlink()
        fsync(final.parent)


def reasons(quarantine: Path) -> dict[str, int]:
    """How many rows and cells of one batch's quarantine have which reason."""
    cell = pl.format("{} {}", pl.col("kind"), pl.col("column").fill_null("")).str.strip_chars()
    counted = (
        pl.scan_parquet(quarantine).group_by(pl.format("{}: {}", cell, pl.col("reason"))).len().collect()
    )
    return dict(counted.sort("len", descending=True).iter_rows())
