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
from ekyc_tasks.keys import KeyBuffer, Keys
from ekyc_tasks.landing import Arrival, Block, is_blank, read_blocks
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


@dataclass(frozen=True, slots=True)
class ReadList:
    """A file's numbers as sorted keys. ``numbers`` counts repeats too, ``reasons`` its rejected lines."""

    keys: Keys
    lines: int
    headers: int
    numbers: int
    reasons: Mapping[str, int]

    @property
    def rejected(self) -> int:
        return sum(self.reasons.values())


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
    found = read_list(path, name=file.name, reading=reading, rejects=rejects)
    counted_file = replace(
        file,
        lines=found.lines,
        blank=found.lines - found.headers - found.numbers - found.rejected,
        header=found.headers,
        rejected=found.rejected,
        duplicate=found.numbers - len(found.keys),
    )
    return Taken(counted_file, found.keys, found.reasons, arrival)


def read_list(path: Path, *, name: str, reading: Reading, rejects: Path | None = None) -> ReadList:
    """All lines of the file that is called ``name``; errors as of `counted`."""
    buffer = KeyBuffer()
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with _rejects_file(rejects) as rejected_file:
        for block in _ahead(read_blocks(path, name=name, column=reading.number_column)):
            keys, rejected = keys_of_block(block, reading=reading)
            keys = keys[keys != NO_KEY]
            tally["lines"] += len(block.lines)
            tally["headers"] += len(block.headers)
            tally["numbers"] += len(keys)
            buffer.add(keys)
            reasons.update(dict(rejected["reason"].value_counts().iter_rows()))
            if rejected_file is not None:
                rejected_file.add(rejected)
    _refuse_nationals(name, tally["numbers"], reasons)
    return ReadList(buffer.sorted(), tally["lines"], tally["headers"], tally["numbers"], reasons)


def _ahead(blocks: Iterator[Block]) -> Iterator[Block]:
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
    buffer = KeyBuffer()
    unclear = pl.DataFrame(schema=_REJECTED)
    for block in read_blocks(path, name=path.name):
        keys, rejected = keys_of_block(block, reading=reading)
        buffer.add(keys[keys != NO_KEY])
        unclear.extend(rejected.filter(~pl.col("raw").str.starts_with("#")))
    if not unclear.is_empty():
        raise InputError(
            f"Nothing was planned: line {unclear['line'][0]} of {path} is no number; correct it "
            "(with its calling code), or put a # before it."
        )
    return buffer.sorted()


def keys_of_block(block: Block, *, reading: Reading) -> tuple[Keys, pl.DataFrame]:
    """The key of each line (`NO_KEY` where there is none), and ``line, reason, raw`` of those that should
    have one: headers and blank lines need none."""
    keys, rejected = read_keys(block.texts, default_region=reading.default_region)
    keys[block.headers] = NO_KEY
    places = rejected["index"].to_numpy()
    raw = block.texts.gather(places)
    needs_none = is_blank(raw) | pl.Series(np.isin(places, block.headers))
    lines = {"line": block.lines[places], "reason": rejected["reason"], "raw": raw}
    return keys, pl.DataFrame(lines, schema=_REJECTED).filter(~needs_none)


def _rejects_file(path: Path | None) -> AbstractContextManager[ParquetFile | None]:
    return nullcontext() if path is None else ParquetFile(path, _REJECTED, ("reason",))


def _refuse_nationals(name: str, numbers: int, reasons: Mapping[str, int]) -> None:
    national = reasons.get(NATIONAL, 0)
    if national > _MOST * (numbers + sum(reasons.values())):
        raise InputError(
            f"{name} holds numbers without their calling code ({national:,} lines). Say of which country "
            "with EKYC_DEFAULT_REGION, such as CH, and run again."
        )
