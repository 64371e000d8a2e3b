"""Load: a result archive → typed rows of the dataset, the quarantine, and accounts that add up.

A stream of blocks from the archive to the Parquet writer, so that memory does not grow with the rows but for
six bytes a number. Nothing is published before the accounts of the whole batch hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl

from ekyc_tasks.errors import ArchiveError, LoadFailed
from ekyc_tasks.models import ArchiveLimits, LoadReport, Reconciliation
from ekyc_tasks.normalize import (
    Layout,
    Normalizer,
    Provenance,
    layout_drift,
    row_keys,
    set_apart,
    set_ragged_apart,
    value_drift,
)
from ekyc_tasks.phone.msisdns import NO_MSISDNS
from ekyc_tasks.results.reconcile import Codes, Reconciler, RowDisposition
from ekyc_tasks.results.table_choice import Read, Source, Tier
from ekyc_tasks.storage import dataset
from ekyc_tasks.storage.batch_files import keys_in
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import stage_file
from ekyc_tasks.support.prefetch import Prefetcher
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import count
from ekyc_tasks.tabular import Block, Int64Array, open_members
from ekyc_tasks.task_types import TaskType
from ekyc_tasks.task_types import task_type as task_type_named

DEFAULT_LIMITS = ArchiveLimits()

_OPEN_WORKBOOKS_ABOVE_MISSING_PERCENT = 10  # opening them is slow, and mostly they repeat the rest

_REASONS = pl.Series(  # by `RowDisposition`
    [None, "number cannot be read", "number was not sent", "number was answered before"]
)


def load_archive(
    archive: Path,
    stamp: Provenance,
    *,
    numbers: Path | None,
    task_type: str,
    folder: DataFolder,
    limits: ArchiveLimits = DEFAULT_LIMITS,
) -> LoadReport:
    """Loads one archive, whole or not at all; the same arguments give the same bytes at the same paths.

    ``numbers`` is the file as sent, one ``+E164`` a line; None means that every readable number of the
    archive counts as sent. Raises `ArchiveError` for bytes not safe to read, `LoadFailed` for tables that
    are no answer or accounts that do not add up; both name the batch.
    """
    batch = _Targets(
        task_type=task_type_named(task_type),
        stamp=stamp,
        rows_path=dataset.dataset_path(folder.warehouse, task_type, stamp.checked_at, stamp.batch_id),
        rows_staging=folder.warehouse_staging,
        quarantine_path=dataset.quarantine_path(folder.quarantine, task_type, stamp.batch_id),
        quarantine_staging=folder.staging,
    )
    try:
        _refuse_second_date(batch.rows_path)
        with open_members(archive, limits) as members:
            source = Source.of(members, batch.task_type, limits)
            with closing(
                Prefetcher(source.keys() if numbers is None else _read_submitted(numbers))
            ) as submitted:
                reconciler = Reconciler(submitted)
                if numbers is None:
                    reconciler.gather()  # now, because it reads the same archive
                return _load(source, reconciler, batch)
    except LoadFailed as error:
        raise type(error)(f"Batch {stamp.batch_id} cannot be loaded: {error}.") from None


@dataclass(frozen=True, slots=True)
class _Targets:
    task_type: TaskType
    stamp: Provenance
    rows_path: Path
    rows_staging: Path
    quarantine_path: Path
    quarantine_staging: Path


def _refuse_second_date(final: Path) -> None:
    """A batch stands in the dataset once: loading it under another date would double its rows."""
    others = (path for path in final.parent.parent.glob(f"checked_date=*/{final.name}") if path != final)
    if other := next(others, None):
        raise LoadFailed(
            f"it is already in the dataset under {other.parent.name}. Use that date, or remove that file"
        )


def numbers_in(archive: Path, *, task_type: str, limits: ArchiveLimits = DEFAULT_LIMITS) -> Int64Array:
    """The keys of all readable numbers of an archive, in any order; raises `LoadFailed` as loading does."""
    with open_members(archive, limits) as members:
        keys = Source.of(members, task_type_named(task_type), limits).keys()
        return np.concatenate([NO_MSISDNS, *keys])


def _read_submitted(numbers: Path) -> Generator[Int64Array, None, None]:
    """The keys of the file that was sent, part by part."""
    try:
        yield from keys_in(numbers)
    except ValueError:
        raise LoadFailed(
            f"{numbers.name}, the list of what was sent, has lines that are not E.164 numbers. Restore it "
            "from a backup"
        ) from None


# --- the stream -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sorted:
    """One block, sorted: what goes into the dataset, and what into the quarantine."""

    rows: pl.DataFrame
    set_apart: pl.DataFrame


@dataclass(slots=True)
class _Stream:
    """What becomes of blocks. Counts are of what was seen here, so that the accounts can contradict."""

    reconciler: Reconciler
    normalizer: Normalizer
    batch_id: str
    returned_rows: int = 0
    cell_issues: int = 0
    healed_lines: Counter[str] = field(default_factory=Counter)

    def sort(self, blocks: Generator[Read, None, None]) -> Generator[_Sorted, None, None]:
        with closing(Prefetcher(blocks)) as read_ahead:
            for block, layout in read_ahead:
                yield self._sort(block, layout)

    def _sort(self, block: Block, layout: Layout) -> _Sorted:
        self.healed_lines[block.legacy] += block.healed_lines
        keys = row_keys(block.frame, layout)
        fates = self.reconciler.sort(keys)
        self.reconciler.count_unreadable(len(block.ragged))
        self.returned_rows += block.returned_rows - int(np.count_nonzero(fates >= RowDisposition.KNOWN))
        is_accepted = fates == RowDisposition.ACCEPTED
        frame = block.frame if is_accepted.all() else block.frame.filter(is_accepted)
        normalized = self.normalizer.read(frame, block.lines[is_accepted], keys[is_accepted], layout)
        self.cell_issues += normalized.issues.height
        return _Sorted(normalized.rows, self._set_apart(_reject(block, fates, layout), normalized.issues))

    def _set_apart(self, rows: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
        kinds = [rows.with_columns(kind=pl.lit("row")), cells.with_columns(kind=pl.lit("cell"))]
        issues = pl.concat(kinds).sort("line", maintain_order=True)
        return issues.select(pl.lit(self.batch_id).alias("batch_id"), *dataset.QUARANTINE.names()[1:])


def _reject(block: Block, fates: Codes, layout: Layout) -> pl.DataFrame:
    places = np.flatnonzero((fates > RowDisposition.ACCEPTED) & (fates < RowDisposition.KNOWN))
    rejected = set_apart(block.frame, block.lines, places, layout, reason=_REASONS.gather(fates[places]))
    return pl.concat([set_ragged_apart(block.ragged), rejected]) if block.ragged else rejected


def _load(source: Source, reconciler: Reconciler, batch: _Targets) -> LoadReport:
    with stage_file(batch.rows_staging) as rows, stage_file(batch.quarantine_staging) as quarantine:
        stream = _Stream(reconciler, Normalizer(batch.task_type, batch.stamp), batch.stamp.batch_id)
        written = _write_all(source, stream, rows, quarantine)
        counts = _accounts(stream, written.rows)
        if written.set_apart:
            dataset.publish(quarantine, batch.quarantine_path)
        else:
            dataset.withdraw(batch.quarantine_path)  # of an earlier load that could read less
        dataset.publish(rows, batch.rows_path)
    return LoadReport(
        counts=counts,
        dataset_path=batch.rows_path,
        quarantine_path=batch.quarantine_path if written.set_apart else None,
        members_read=tuple(table.name for table, _ in source.tables),
        members_left_aside=tuple(source.left_aside),
        dialect=source.tables[0][1].dialect,
        drift=_drift(source, stream),
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """How many went into the two staged files, by their writers' own count."""

    rows: int
    set_apart: int


def _write_all(source: Source, stream: _Stream, rows: Path, quarantine: Path) -> _Written:
    """Reads the whole archive into the two staged files; reading, sorting and writing happen side by side."""
    task_type = source.task_type
    with (
        dataset.ParquetFile(rows, task_type.row_types, task_type.few_value_columns) as rows_file,
        dataset.ParquetFile(quarantine, dataset.QUARANTINE, dataset.QUARANTINE_FEW_VALUES) as quarantine_file,
    ):
        for tier in _select_tiers(source, stream.reconciler):
            with closing(Prefetcher(stream.sort(tier.blocks()))) as blocks:
                for block in blocks:
                    rows_file.add(block.rows)
                    quarantine_file.add(block.set_apart)
    return _Written(rows_file.rows, quarantine_file.rows)


def _select_tiers(source: Source, reconciler: Reconciler) -> Generator[Tier, None, None]:
    """The first tier; of the others those that answer numbers which all before them lack."""
    first, *others = source.tiers
    yield source.take(first)
    for tier in chain(others, _workbooks(source, reconciler)):
        if why := _why_not(tier, reconciler):
            source.leave(tier, why)
            continue
        reconciler.begin_tier()
        accepted, stray = reconciler.accepted, reconciler.stray
        yield source.take(tier)
        names = " and ".join(tier.names)
        source.notes.append(f"{count(reconciler.accepted - accepted, 'number')} came only in {names}.")
        if rows := reconciler.stray - stray:
            source.notes.append(f"Skipped: {count(rows, 'row')} of {names} with numbers that were not sent.")


def _workbooks(source: Source, reconciler: Reconciler) -> Generator[Tier, None, None]:
    """They cost five times what text does: none is opened for the few numbers that are missing as a rule."""
    if reconciler.missing * 100 > reconciler.submitted * _OPEN_WORKBOOKS_ABOVE_MISSING_PERCENT:
        yield from source.open_workbooks()
    source.left_aside += [
        (book.name, "probably the same rows again, not opened") for book in source.workbooks
    ]


def _why_not(tier: Tier, reconciler: Reconciler) -> str | None:
    """Why a tier need not be read, or cannot be. It is looked at to its end: later nothing can be undone."""
    try:
        if reconciler.missing and sum(map(reconciler.lacks, tier.keys())):
            return None
    except ArchiveError:
        return "cannot be read"
    return "adds no new answers"


def _accounts(stream: _Stream, accepted: int) -> Reconciliation:
    counts = stream.reconciler.accounts(
        returned=stream.returned_rows, accepted=accepted, cell_issues=stream.cell_issues
    )
    if contradiction := counts.contradiction():
        raise LoadFailed(f"its counts do not add up ({contradiction}). Upgrade, and load it again")
    if counts.is_foreign:
        raise LoadFailed(
            f"none of its {counts.returned:,} rows is about a number that was sent. It may be the result of "
            "another task, or its numbers cannot be read. Compare it with what was sent"
        )
    return counts


def _drift(source: Source, stream: _Stream) -> tuple[str, ...]:
    """Each sentence once, in the order in which it came up."""
    task_type = stream.normalizer.task_type
    found = [note for table, _ in source.tables for note in table.notes]
    found += layout_drift([layout for _, layout in source.tables], task_type)
    found += [*source.notes, *value_drift(stream.normalizer)]
    for legacy, lines in stream.healed_lines.items():
        if lines:
            found.append(f"{count(lines, 'line')} read as {legacy}, because the text is not all UTF-8.")
    return tuple(dict.fromkeys(map(without_numbers, found)))
