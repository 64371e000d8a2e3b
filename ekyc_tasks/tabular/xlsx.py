"""XLSX → blocks of raw rows, by calamine in a process of its own (see `workbook`).

A workbook costs about five times a CSV's CPU and its sheet is held in memory whole (at most 1,048,576 rows),
so it is read only where no text holds the same rows. Seen in the field: numbers as floats and in scientific
notation; calamine gives both as plain digits.
"""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular import xlsx_worker
from ekyc_tasks.tabular.containers import Member, is_zip, printable_name, zip_members
from ekyc_tasks.tabular.member_names import verdict_of
from ekyc_tasks.tabular.table import MAX_COLUMNS, ROWS_TRIED, Block, Blocks, ColumnTypes, Table

MAX_WORKBOOK_BYTES = 256 << 20
MAX_WORKBOOKS = 16  # each costs the start of a process
MAX_SHEETS = 64
MAX_ROWS = 1 << 20


@dataclass(frozen=True, slots=True)
class _Costs:
    """What a workbook may take: at least, for a byte or MiB of the file, and for one of its parts."""

    memory_bytes: int
    memory_per_byte: int
    memory_per_unpacked_byte: int
    cpu_milliseconds: int
    cpu_per_mib: int
    cpu_per_unpacked_mib: int
    written_bytes: int


# What calamine takes for honest tables of up to 8,000,000 cells, as XlsxWriter packs them: 14 to 45 bytes of
# memory for a byte of the file, 1.5 to 1.9 for a byte of its parts, and 0.06 to 0.19 s of CPU for a MiB.
_COSTS = _Costs(64 << 20, 64, 4, 500, 600, 0, 16 << 20)
# Cells that show nothing of what they are take a second look at all parts; and old workbooks are dense.
_COSTS_WITH_FLAWS = _Costs(192 << 20, 128, 8, 2_000, 1_200, 120, 64 << 20)
_UNPACKED_PER_BYTE_OF_OLD = 4
# Honest cells take no more than their XML, unless it is a long text that many have in common.
_WRITTEN_PER_UNPACKED_BYTE = 4
# By the clock nothing is expected to take so long; it is for what waits without working.
_PATIENCE_SECONDS, _PATIENCE_PER_CPU = 30, 10

_ASK_AGAIN = "Ask the provider for it again"
# What Python needs to find its libraries. Keys and passwords are no business of what reads a stranger's file.
_ENVIRONMENT = (
    "HOME", "PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sheet:
    """``stream`` is mapped from a file, not held in memory."""

    name: str
    width: int
    rows: int
    stream: pa.Buffer

    def frames(self) -> Iterator[pl.DataFrame]:
        """All its rows, blank ones too, in order; all columns are text, null where a cell is empty."""
        for batch in pa.ipc.open_stream(self.stream):
            frame = cast(pl.DataFrame, pl.from_arrow(batch))
            yield frame.select(pl.when(pl.all() != "").then(pl.all()))  # some writers fill blank cells

    def rows_with_values(self) -> Iterator[tuple[str | None, ...]]:
        for frame in self.frames():
            yield from frame.filter(_is_filled(frame)).iter_rows()


def sheet_tables(books: Sequence[Member], limits: ArchiveLimits) -> list[Table]:
    """Each sheet that holds a row, in the workbooks' order. Raises `ArchiveError`."""
    if len(books) > MAX_WORKBOOKS:
        raise ArchiveError(f"it has more than {MAX_WORKBOOKS} workbooks. Ask the provider for one table")
    return [table for member in books for table in _tables(member, limits)]


def _tables(member: Member, limits: ArchiveLimits) -> Iterator[Table]:
    sheets = _sheets(member, limits)
    for sheet in sheets:
        name = member.name if len(sheets) == 1 else f"{member.name}: {printable_name(sheet.name)}"
        told = (verdict_of(each) for each in (sheet.name, member.name))
        verdict = next((each for each in told if each is not None), None)
        if table := _table(name, sheet, verdict):
            yield table


def _sheets(member: Member, limits: ArchiveLimits) -> list[_Sheet]:
    return [
        _Sheet(schema.metadata[xlsx_worker.NAME].decode(), len(schema), rows, stream)
        for schema, rows, stream in read_workbook(member, limits)
    ]


def read_workbook(
    member: Member, limits: ArchiveLimits, *, columns: int = MAX_COLUMNS, with_flaws: bool = False
) -> list[tuple[pa.Schema, int, pa.Buffer]]:
    """Schema, number of rows and Arrow stream of each sheet, as `xlsx_worker` writes them. ArchiveError."""
    with TemporaryFile() as packed, TemporaryFile() as streams:
        _copy(member, packed, limits)
        allowance = _allowance(packed, member.label, limits, with_flaws)
        _raise_outcome(run_worker(packed, streams, allowance._replace(columns=columns)), member.label)
        return list(_read_streams(streams, member.label))


def _copy(member: Member, packed: IO[bytes], limits: ArchiveLimits) -> None:
    most_bytes = min(limits.max_member_bytes, MAX_WORKBOOK_BYTES)
    copied_bytes = 0
    for chunk in member.chunks():
        copied_bytes += len(chunk)
        if copied_bytes > most_bytes:
            raise ArchiveError(
                f"{member.label} is a workbook of more than {most_bytes:,} bytes. "
                "Ask the provider for the table as CSV"
            )
        packed.write(chunk)
    packed.flush()


def _allowance(
    packed: IO[bytes], label: str, limits: ArchiveLimits, with_flaws: bool
) -> xlsx_worker.Allowance:
    """In proportion to the file: a small one is refused while it is small."""
    packed_bytes = packed.seek(0, os.SEEK_END)
    packed.seek(0)
    unpacked_bytes = _UNPACKED_PER_BYTE_OF_OLD * packed_bytes
    if is_zip(packed.read(4)):
        parts = zip_members(cast(BinaryIO, packed), label, limits)
        # read to the end, so that limits, lengths and checksums hold
        unpacked_bytes = sum(len(chunk) for part in parts for chunk in part.chunks())
    costs = _COSTS_WITH_FLAWS if with_flaws else _COSTS
    memory_bytes = min(costs.memory_per_byte * packed_bytes, costs.memory_per_unpacked_byte * unpacked_bytes)
    work = costs.cpu_per_mib * packed_bytes + costs.cpu_per_unpacked_mib * unpacked_bytes
    return xlsx_worker.Allowance(
        memory_bytes=costs.memory_bytes + memory_bytes,
        cpu_milliseconds=costs.cpu_milliseconds + (work >> 20),
        written_bytes=costs.written_bytes + _WRITTEN_PER_UNPACKED_BYTE * unpacked_bytes,
        sheets=MAX_SHEETS,
        columns=MAX_COLUMNS,
        with_flaws=int(with_flaws),
    )


def run_worker(packed: IO[bytes], streams: IO[bytes], allowance: xlsx_worker.Allowance) -> int:
    """Write the sheets of ``packed`` to ``streams``; the exit code of the process, negative for a signal."""
    packed.seek(0)  # some systems hand the position on, too
    # -P: the script's folder has modules named like those of the standard library
    command = [sys.executable, "-P", str(Path(xlsx_worker.__file__)), *map(str, allowance)]
    try:
        return subprocess.run(
            command,
            stdin=packed,
            stdout=streams,
            stderr=subprocess.DEVNULL,  # may hold values
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it
            timeout=_PATIENCE_SECONDS + _PATIENCE_PER_CPU * allowance.cpu_milliseconds / 1_000,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return xlsx_worker.UNREADABLE


def _raise_outcome(code: int, label: str) -> None:
    match code:
        case 0:
            return
        case xlsx_worker.TOO_MANY_SHEETS:
            raise ArchiveError(
                f"{label} has more than {MAX_SHEETS} sheets, so it is not a table. {_ASK_AGAIN}"
            )
        case xlsx_worker.TOO_WIDE:
            raise ArchiveError(
                f"{label} has a sheet of more than {MAX_COLUMNS} columns, so it is not a table. {_ASK_AGAIN}"
            )
        case xlsx_worker.DISK_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case 1 | 2:  # Python's own: it ended before it came to the workbook
            raise RuntimeError("The process that reads workbooks cannot start")
    raise ArchiveError(
        f"{label} is damaged, or needs more memory or time than a workbook of its size may take. {_ASK_AGAIN}"
    )


def _read_streams(streams: IO[bytes], label: str) -> Iterator[tuple[pa.Schema, int, pa.Buffer]]:
    if not os.fstat(streams.fileno()).st_size:
        raise ArchiveError(f"{label} is a workbook without a sheet. {_ASK_AGAIN}")
    # the mapping outlives the file object, and lasts as long as somebody has a sheet
    written = pa.py_buffer(mmap.mmap(streams.fileno(), 0, access=mmap.ACCESS_READ))
    source = pa.BufferReader(written)
    while (start := source.tell()) < written.size:
        reader = pa.ipc.open_stream(source)
        rows = sum(batch.num_rows for batch in reader)
        yield reader.schema, rows, written.slice(start, source.tell() - start)


def _table(name: str, sheet: _Sheet, verdict: bool | None) -> Table | None:
    if not sheet.width:
        return None
    rows = [tuple(cell or "" for cell in row) for row in islice(sheet.rows_with_values(), ROWS_TRIED)]
    if not rows:
        return None
    is_cut = sheet.rows >= MAX_ROWS
    notes = (f"Sheet {name} is full: rows after row {MAX_ROWS:,} are missing.",) if is_cut else ()
    tables = [
        Table(name, row, verdict, partial(_blocks, sheet, at == 0), notes, sample=tuple(rows[at + 1 :]))
        for at, row in enumerate(rows)
    ]
    return replace(tables[0], alternatives=lambda: iter(tables[1:]))


def _blocks(sheet: _Sheet, is_head_first: bool, skip_head: bool, few: Collection[int]) -> Blocks:
    types = ColumnTypes(sheet.width, few)
    skip_head = skip_head and is_head_first
    first_line = 1
    for frame in sheet.frames():
        is_filled = _is_filled(frame)
        skipped = 1 if skip_head and is_filled.any() else 0
        rows = frame.filter(is_filled).slice(skipped)
        lines = (np.flatnonzero(is_filled) + first_line)[skipped:]
        first_line += frame.height
        skip_head = skip_head and not skipped
        if rows.height:
            part = types.of(rows)
            types.learn(part)
            yield Block(part, lines)


def _is_filled(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
