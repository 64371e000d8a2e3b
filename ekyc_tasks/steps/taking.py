"""Landed file → its numbers as sorted keys, its lines counted, its rejected lines put aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from ekyc_tasks.dataset import ParquetFile
from ekyc_tasks.errors import InputError
from ekyc_tasks.keys import KeyBuffer, Keys, distinct
from ekyc_tasks.landing import Arrival, read_blocks, read_lines
from ekyc_tasks.ledger import LandedFile
from ekyc_tasks.numbers import NATIONAL, NO_KEY, read_keys

_REJECTED = pl.Schema({"line": pl.Int64, "reason": pl.String, "raw": pl.String})
_MOST = 0.5


class Reading(Protocol):
    """How lines are read: a part of `PlanPolicy`."""

    @property
    def default_region(self) -> str | None: ...
    @property
    def number_column(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read whole. ``reasons`` counts its rejected lines."""

    file: LandedFile
    keys: Keys
    reasons: Mapping[str, int] = field(default_factory=dict)
    arrival: Arrival | None = None  # None: planned again from inputs/

    @property
    def is_again(self) -> bool:
        return self.arrival is None


def counted(
    file: LandedFile,
    path: Path,
    *,
    reading: Reading,
    arrival: Arrival | None = None,
    rejects: Path | None = None,
) -> Taken:
    """Read all lines of ``path``; those that are no numbers go to a Parquet file at ``rejects``.

    Raises InputError when it cannot be read, or holds next to nothing but national numbers of no region.
    """
    buffer = KeyBuffer()
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with _rejects_file(rejects) as rejected_file:
        for block in _ahead(read_blocks(path, name=file.name, column=reading.number_column)):
            cells = cells_of(block)
            keys, rejected = read_keys(cells["text"], default_region=reading.default_region)
            tally["lines"] += block.height
            tally["blank"] += int(block["is_blank"].sum())
            tally["header"] += int(block["is_header"].sum())
            tally["numbers"] += len(keys) - rejected.height
            buffer.add(keys if rejected.is_empty() else keys[keys != NO_KEY])
            reasons.update(dict(rejected["reason"].value_counts().iter_rows()))
            if rejected_file is not None and not rejected.is_empty():
                rejected_file.add(_rejected_lines(cells, rejected))
    _refuse_nationals(file.name, tally["numbers"], reasons)
    found = buffer.sorted()
    counted_file = replace(
        file,
        lines=tally["lines"],
        blank=tally["blank"],
        header=tally["header"],
        rejected=reasons.total(),
        duplicate=tally["numbers"] - len(found),
    )
    return Taken(counted_file, found, reasons, arrival)


def _ahead(blocks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The next block is read while somebody works on this one."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, blocks, None)
        while (block := following.result()) is not None:
            following = reader.submit(next, blocks, None)
            yield block


def keys_of_list(path: Path, *, reading: Reading) -> Keys:
    """The numbers of a list of ours, such as do-not-send; a line that is none would let somebody through."""
    if not path.exists():
        return np.empty(0, dtype=np.int64)
    cells = cells_of(read_lines(path, name=path.name))
    keys, rejected = read_keys(cells["text"], default_region=reading.default_region)
    unclear = _rejected_lines(cells, rejected).filter(~pl.col("raw").str.starts_with("#"))
    if not unclear.is_empty():
        raise InputError(
            f"Nothing was planned: line {unclear['line'][0]} of {path} is no number; correct it "
            "(with its calling code), or put a # before it."
        )
    return distinct(keys[keys != NO_KEY])


def cells_of(block: pl.DataFrame) -> pl.DataFrame:
    """The lines that should hold a number."""
    is_none = block["is_blank"] | block["is_header"]
    return block.filter(~is_none) if is_none.any() else block


def _rejected_lines(cells: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    lines = cells[rejected["index"]]
    return pl.DataFrame({"line": lines["line"], "reason": rejected["reason"], "raw": lines["text"]})


def _rejects_file(path: Path | None) -> AbstractContextManager[ParquetFile | None]:
    return nullcontext() if path is None else ParquetFile(path, _REJECTED, ("reason",))


def _refuse_nationals(name: str, numbers: int, reasons: Mapping[str, int]) -> None:
    national = reasons.get(NATIONAL, 0)
    if national > _MOST * (numbers + sum(reasons.values())):
        raise InputError(
            f"{name} holds numbers without their calling code ({national:,} lines). Say of which country "
            "with EKYC_DEFAULT_REGION, such as CH, and run again."
        )
