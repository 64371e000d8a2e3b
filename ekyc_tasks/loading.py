"""Load: a result archive → typed rows of the dataset, the quarantine, and accounts that add up.

A stream of blocks from the archive to the Parquet writer, so that memory does not grow with the rows but for
nine bytes a number. Nothing is published before the accounts of the whole batch hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from ekyc_tasks import dataset
from ekyc_tasks.archive import Block, Int64Array, Member, Table, choose, open_members
from ekyc_tasks.disk import staged
from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.models import ArchiveLimits, LoadReport, Reconciliation
from ekyc_tasks.normalize import (
    UNREADABLE,
    Layout,
    Normalizer,
    Stamp,
    layout_drift,
    layout_of,
    number_keys,
    ragged_apart,
    row_keys,
    set_apart,
    value_drift,
    worth,
)
from ekyc_tasks.reconcile import Codes, Reconciler, RowFate
from ekyc_tasks.task_types import TaskType
from ekyc_tasks.task_types import task_type as task_type_named

NUMBERS_CHUNK = 4 << 20
DEFAULT_LIMITS = ArchiveLimits()

_REASONS = {
    RowFate.UNREADABLE: "number cannot be read",
    RowFate.UNEXPECTED: "number was not sent",
    RowFate.DUPLICATE: "number was answered before",
}


def load_archive(
    archive: Path,
    *,
    numbers: Path | None,
    task_type: str,
    batch_id: str,
    task_id: str,
    checked_at: datetime,
    warehouse: Path,
    quarantine: Path,
    staging: Path,
    warehouse_staging: Path,
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> LoadReport:
    """Loads one archive, whole or not at all; the same arguments give the same bytes at the same paths.

    ``numbers`` is the file as sent, one ``+E164`` a line; None means that every readable number of the
    archive counts as sent. ``checked_at`` is aware; each staging folder lies on the file system of what is
    published from it. Raises `ArchiveError` for bytes not safe to read,
    `LoadFailed` for tables that are no answer or accounts that do not add up; both name the batch.
    """
    batch = _Batch(
        task_type=task_type_named(task_type),
        stamp=Stamp(checked_at, batch_id, task_id),
        rows_path=dataset.dataset_path(warehouse, task_type, checked_at, batch_id),
        rows_staging=warehouse_staging,
        quarantine_path=dataset.quarantine_path(quarantine, task_type, batch_id),
        quarantine_staging=staging,
    )
    try:
        _refuse_second_date(batch.rows_path)
        with open_members(archive, limits) as members:
            source = _source(members, batch.task_type, limits)
            submitted = source.keys() if numbers is None else _submitted(numbers)
            return _load(source, submitted, batch)
    except LoadFailed as error:
        raise type(error)(
            f"Batch {batch_id} cannot be loaded: {error}. {archive.name} is kept as received; loading it "
            "again is free of charge."
        ) from None


@dataclass(frozen=True, slots=True)
class _Batch:
    task_type: TaskType
    stamp: Stamp
    rows_path: Path
    rows_staging: Path
    quarantine_path: Path
    quarantine_staging: Path


def _refuse_second_date(final: Path) -> None:
    """A batch stands in the dataset once: loading it under another date would double its rows."""
    others = (path for path in final.parent.parent.glob(f"checked_date=*/{final.name}") if path != final)
    if other := next(others, None):
        raise LoadFailed(
            f"it stands in the dataset under {other.parent.name} already; use that date, or remove that file"
        )


# --- what the archive holds -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """The tables that hold the rows, each with its layout, and the members that do not."""

    tables: tuple[tuple[Table, Layout], ...]
    left_aside: tuple[tuple[str, str], ...]

    def blocks(self) -> Iterator[tuple[Block, Layout]]:
        for table, layout in self.tables:
            for block in table.blocks(layout.has_header):
                yield block, layout

    def keys(self) -> Int64Array:
        """Every readable number; without a list of what was sent, the archive is read once more for that."""
        found = [row_keys(block.frame, layout) for block, layout in self.blocks()]
        keys: Int64Array = np.concatenate([np.empty(0, dtype=np.int64), *found])
        return np.extract(keys != UNREADABLE, keys)


def _source(members: Sequence[Member], task_type: TaskType, limits: ArchiveLimits) -> _Source:
    choice = choose(members, partial(worth, task_type=task_type), limits)
    tables = tuple((table, _layout(table, task_type)) for table in choice.tables)
    return _Source(tables, choice.left_aside)


def _layout(table: Table, task_type: TaskType) -> Layout:
    layout = layout_of(table.head, task_type, table.verdict)
    if layout is None or not layout.answers(task_type):
        needed = " and ".join(task_type.required)
        raise LoadFailed(f"{table.name} is no answer to {task_type.name}, which needs {needed}")
    return layout


def _submitted(numbers: Path) -> Int64Array:
    """The keys of the file that was sent; shape (numbers,)."""
    found = [np.empty(0, dtype=np.int64)]
    with numbers.open("rb") as file:
        while chunk := file.read(NUMBERS_CHUNK):
            lines = pl.Series("number", (chunk + file.readline()).decode("ascii", "replace").split())
            found.append(number_keys(lines).fill_null(UNREADABLE).to_numpy())
    keys = np.concatenate(found)
    if (keys == UNREADABLE).any():
        raise LoadFailed(f"{numbers.name}, the list of what was sent, holds lines that are no E.164 numbers")
    return keys


# --- the stream -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stream:
    """Where blocks go. Counts are of what was seen here, so that the accounts can contradict each other."""

    reconciler: Reconciler
    normalizer: Normalizer
    rows: dataset.ParquetFile
    quarantine: dataset.ParquetFile
    batch_id: str
    returned_rows: int = 0
    healed_lines: int = 0
    cell_issues: int = 0

    def take(self, block: Block, layout: Layout) -> None:
        self.returned_rows += block.returned_rows
        self.healed_lines += block.healed_lines
        keys = row_keys(block.frame, layout)
        fates = self.reconciler.sort(keys)
        self.reconciler.count_unreadable(len(block.ragged))
        is_accepted = fates == RowFate.ACCEPTED
        frame = block.frame if is_accepted.all() else block.frame.filter(is_accepted)
        normalized = self.normalizer.read(frame, block.lines[is_accepted], keys[is_accepted], layout)
        self.rows.add(normalized.rows)
        self.cell_issues += normalized.issues.height
        self._put_aside(_rejected(block, fates, layout), normalized.issues)

    def _put_aside(self, rows: pl.DataFrame, cells: pl.DataFrame) -> None:
        kinds = [rows.with_columns(kind=pl.lit("row")), cells.with_columns(kind=pl.lit("cell"))]
        issues = pl.concat(kinds).sort("line", maintain_order=True)
        self.quarantine.add(
            issues.select(pl.lit(self.batch_id).alias("batch_id"), *dataset.QUARANTINE.names()[1:])
        )


def _rejected(block: Block, fates: Codes, layout: Layout) -> pl.DataFrame:
    parts = [ragged_apart(block.ragged)]
    for fate, reason in _REASONS.items():
        is_meant = fates == fate
        if is_meant.any():
            parts.append(set_apart(block.frame, block.lines, is_meant, layout, reason=reason))
    return pl.concat(parts)


def _load(source: _Source, submitted: Int64Array, batch: _Batch) -> LoadReport:
    with staged(batch.rows_staging) as rows, staged(batch.quarantine_staging) as quarantine:
        stream = _streamed(source, submitted, batch, rows, quarantine)
        counts = _accounts(stream)
        if stream.quarantine.rows:
            dataset.publish(quarantine, batch.quarantine_path)
        else:
            dataset.withdraw(batch.quarantine_path)  # of an earlier load that could read less
        dataset.publish(rows, batch.rows_path)
    return LoadReport(
        counts=counts,
        dataset_path=batch.rows_path,
        quarantine_path=batch.quarantine_path if stream.quarantine.rows else None,
        members_read=tuple(table.name for table, _ in source.tables),
        members_left_aside=source.left_aside,
        dialect=source.tables[0][1].dialect,
        drift=_drift(source, stream),
    )


def _streamed(source: _Source, submitted: Int64Array, batch: _Batch, rows: Path, quarantine: Path) -> _Stream:
    """Reads the whole archive into the two staged files, which are complete afterwards."""
    task_type = batch.task_type
    with (
        dataset.ParquetFile(rows, task_type.row_types, task_type.few_value_columns) as rows_file,
        dataset.ParquetFile(quarantine, dataset.QUARANTINE, dataset.QUARANTINE_FEW_VALUES) as quarantine_file,
    ):
        stream = _Stream(
            reconciler=Reconciler(submitted),
            normalizer=Normalizer(task_type, batch.stamp),
            rows=rows_file,
            quarantine=quarantine_file,
            batch_id=batch.stamp.batch_id,
        )
        for block, layout in source.blocks():
            stream.take(block, layout)
    return stream


def _accounts(stream: _Stream) -> Reconciliation:
    counts = stream.reconciler.accounts(
        returned=stream.returned_rows, accepted=stream.rows.rows, cell_issues=stream.cell_issues
    )
    if contradiction := counts.contradiction():
        raise LoadFailed(f"its accounts do not add up ({contradiction})")
    return counts


def _drift(source: _Source, stream: _Stream) -> tuple[str, ...]:
    """Each sentence once, in the order in which it came up."""
    task_type = stream.normalizer.task_type
    found = [sentence for _, layout in source.tables for sentence in layout_drift(layout, task_type)]
    found += value_drift(stream.normalizer)
    if stream.healed_lines:
        found.append(f"{stream.healed_lines} lines are not UTF-8; they were read as Windows-1252.")
    return tuple(dict.fromkeys(found))
