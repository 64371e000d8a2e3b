"""What every candidate is given, does, and reports: so that all do the same work."""

from __future__ import annotations

import json
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from isal import isal_zlib

from benchmarks.memory import peak_mib

CHECKED_AT = datetime(2026, 1, 1, tzinfo=UTC)
BATCH_ID, TASK_ID = "batch-1", "d4g8o46p2jvh04o9uolg"
COLUMNS = ("number", "telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color")
NOT_DETERMINED = ("", "n/a", "unknown", "null", "-")

_LOCAL_HEADER = struct.Struct("<26xHH")


@dataclass(frozen=True, slots=True)
class Job:
    """``archive`` and ``numbers`` are given; ``rows`` and ``quarantine`` are Parquet files to be written."""

    archive: Path
    numbers: Path
    folder: Path

    @property
    def rows(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine.parquet"


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds and MiB of one run, without the imports; the memory is the whole process's."""

    wall: float
    cpu: float
    peak: float
    missing: int


def measured(load: Callable[[Job], int]) -> None:
    """Run one candidate, which returns how many numbers are missing, and print what it took."""
    taken = timed(load, Job(*map(Path, sys.argv[1:4])))
    sys.stdout.write(json.dumps(asdict(taken)) + "\n")


def timed(load: Callable[[Job], int], job: Job) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    missing = load(job)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(wall, cpu, peak_mib(), missing)


def unpacked(job: Job) -> Path:
    """The archive's table as a file, by the fastest inflate there is: half of what `zipfile` takes."""
    table = job.folder / "all.csv"
    with zipfile.ZipFile(job.archive) as archive, job.archive.open("rb") as packed, table.open("wb") as out:
        (entry,) = archive.infolist()
        packed.seek(entry.header_offset)
        name_bytes, extra_bytes = _LOCAL_HEADER.unpack(packed.read(_LOCAL_HEADER.size))
        packed.seek(name_bytes + extra_bytes, 1)
        engine, crc = isal_zlib.decompressobj(-15), 0
        while not engine.eof:
            data = engine.decompress(packed.read(1 << 20))
            crc = isal_zlib.crc32(data, crc)
            out.write(data)
    assert crc == entry.CRC
    return table
