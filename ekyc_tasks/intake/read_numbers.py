"""Landed file → its numbers as sorted keys, its lines counted, its rejected lines put aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import Arrival, LineBlock, is_blank, read_blocks
from ekyc_tasks.intake.file_layout import LIST, FileLayout
from ekyc_tasks.intake.line_block import ColumnNumbers, Lines
from ekyc_tasks.intake.rules import ReadingRules, as_text
from ekyc_tasks.ledger import LandedFile
from ekyc_tasks.models import LineCounts
from ekyc_tasks.phone import NATIONAL, NO_MSISDN, BareDigits, Readings, read_by_country, read_msisdns
from ekyc_tasks.phone.msisdns import MsisdnBuffer, Msisdns
from ekyc_tasks.phone.reasons import COMMENT, COUNTRIES_DIFFER
from ekyc_tasks.storage.dataset import ParquetFile
from ekyc_tasks.support.prefetch import Prefetcher
from ekyc_tasks.support.wording import count

_REJECTED = pl.Schema({"line": pl.Int64, "reason": pl.String, "raw": pl.String})
_MOST_KEPT = 100  # columns: a JSON whose keys are the numbers would have as many
_LINES_NAMED = 3  # of the rejected ones, in a sentence
_MAJORITY = 0.5  # of all lines with a number: so many national ones, and a region is asked for
_AGREEMENT = 0.8  # of bare digits that have to be valid abroad. Of US numbers, one in ten is.
_NEARLY_ALL = 0.9  # of bare digits that can be meant in one way only


class Observer(Protocol):
    """Looks on while a file is read, for whoever has to explain it."""

    def see(self, block: LineBlock, readings: Readings, rejected: pl.DataFrame) -> None:
        """``rejected``: as of `readings_of_block`."""

    def refuse(self, error: InputError) -> None:
        """The file stays where it is."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read whole. ``reasons`` counts its rejected lines, ``first_rejected`` numbers some."""

    file: LandedFile
    keys: Msisdns
    reasons: Mapping[str, int] = field(default_factory=dict)
    arrival: Arrival | None = None  # None: planned again from inputs/
    first_rejected: tuple[int, ...] = ()

    @property
    def is_again(self) -> bool:
        return self.arrival is None


@dataclass(frozen=True, slots=True)
class ReadList:
    """A file's numbers as sorted keys; ``numbers`` counts repeats too.

    Each line is blank, a header, rejected, or has numbers. ``reasons`` counts what was rejected, parts of
    lines that have numbers included. ``is_abroad``: what may be national or international is the latter.
    """

    keys: Msisdns
    lines: int
    headers: int
    blank: int
    rejected: int
    numbers: int
    reasons: Mapping[str, int]
    is_abroad: bool
    first_rejected: tuple[int, ...] = ()
    layout: FileLayout = LIST


def read_file(
    file: LandedFile,
    path: Path,
    *,
    reading: ReadingRules,
    arrival: Arrival | None = None,
    rejects: Path | None = None,
    observer: Observer | None = None,
) -> ReadFile:
    """Read all lines of ``path``; those that are no numbers go to a Parquet file at ``rejects``.

    Raises InputError when it cannot be read, or holds next to nothing but national numbers of no region.
    """
    found = read_named_list(path, name=file.name, reading=reading, rejects=rejects, observer=observer)
    counts = LineCounts(
        lines=found.lines,
        blank=found.blank,
        header=found.headers,
        rejected=found.rejected,
        duplicate=found.numbers - len(found.keys),
    )
    if arrival is not None:
        file = replace(file, reading=as_text(keep_decisions(reading, found)))
    return ReadFile(replace(file, counts=counts), found.keys, found.reasons, arrival, found.first_rejected)


def keep_decisions(reading: ReadingRules, found: ReadList) -> ReadingRules:
    """With all that the reader found out, so that no later reader finds out another thing."""
    layout = found.layout
    columns = tuple((column.place, column.title) for column in layout.columns)
    return replace(
        reading,
        sheet=layout.sheet or reading.sheet,
        delimiter=layout.delimiter or reading.delimiter,
        chosen=columns if len(columns) <= _MOST_KEPT else (),
        is_abroad=found.is_abroad,
    )


def read_named_list(
    path: Path,
    *,
    name: str,
    reading: ReadingRules,
    rejects: Path | None = None,
    observer: Observer | None = None,
) -> ReadList:
    """All lines of the file that is called ``name``; errors as of `read_file`."""
    numbers = _Numbers()
    with _rejects_file(rejects) as rejected_file:
        for block in _blocks(path, name, reading):
            readings, rejected = readings_of_block(block, reading=reading)
            if observer is not None:
                observer.see(block, readings, rejected)
            numbers.add(block, readings, rejected)
            if rejected_file is not None:
                rejected_file.add(rejected)
    return numbers.finish(name, reading)


@dataclass(frozen=True, slots=True)
class Origins:
    """Sorted keys, and for each the line and the column of ``layout`` where it stands first."""

    keys: Msisdns
    lines: Lines
    columns: ColumnNumbers
    layout: FileLayout


def origins_of_numbers(path: Path, *, name: str, reading: ReadingRules) -> Origins:
    """Where the numbers of a file are from."""
    found = read_named_list(path, name=name, reading=reading)
    first = np.zeros(len(found.keys), dtype=np.int64)
    columns = np.zeros(len(found.keys), dtype=np.int32)
    layout = LIST
    for block in _blocks(path, name, reading):
        layout = block.layout
        readings, _ = readings_of_block(block, reading=reading)
        if found.is_abroad:
            readings.keys[readings.doubt_places] = readings.doubt_keys
        keys = np.concatenate([readings.keys, readings.more_keys])
        entries = np.concatenate([np.arange(len(block.lines)), readings.more_places])
        if len(readings.more_keys):
            order = np.argsort(entries, kind="stable")
            keys, entries = keys[order], entries[order]
        is_number = keys != NO_MSISDN
        places = np.searchsorted(found.keys, keys[is_number])[::-1]  # of repeats the first is written last
        is_new = first[places] == 0
        places, entries = places[is_new], entries[is_number][::-1][is_new]
        first[places] = block.lines[entries]
        if block.columns is not None:
            columns[places] = block.columns[entries]
    return Origins(found.keys, first, columns, layout)


def _blocks(path: Path, name: str, reading: ReadingRules) -> Iterator[LineBlock]:
    following = Prefetcher(read_blocks(path, name=name, rules=reading), depth=1)
    with closing(following) as blocks:
        yield from blocks


class _Numbers:
    """The numbers and the lines of one file while it is read."""

    def __init__(self) -> None:
        self._buffer = MsisdnBuffer()
        self._layout = LIST
        self._lines: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._first_rejected: list[int] = []
        self._bare = BareDigits()
        self._national: list[Msisdns] = []  # bare digits that are a number here
        self._country_titles: tuple[str, ...] = ()
        self._abroad: list[Msisdns] = []  # and these are the numbers abroad that they are as well

    def add(self, block: LineBlock, readings: Readings, rejected: pl.DataFrame) -> None:
        """The arrays of ``readings`` are ours from then on."""
        self._layout = block.layout
        self._count_lines(block, readings, rejected)
        self._country_titles = block.country_titles
        self._bare += readings.bare
        self._national.append(readings.keys[readings.doubt_places])
        self._abroad.append(readings.doubt_keys)
        readings.keys[readings.doubt_places] = NO_MSISDN
        self._buffer.add(readings.keys[readings.keys != NO_MSISDN])
        self._buffer.add(readings.more_keys)
        self._lines["numbers"] += int(np.count_nonzero(readings.keys)) + len(readings.more_keys)

    def finish(self, name: str, reading: ReadingRules) -> ReadList:
        numbers = self._lines["numbers"] + sum(map(len, self._national))
        is_abroad = reading.is_abroad
        if is_abroad is None:
            home = "the country beside them" if self._country_titles else reading.region
            _refuse_two_countries(name, self._reasons, self._country_titles)
            _refuse_nationals(name, numbers, self._reasons)
            is_abroad = are_abroad(name, self._bare, home)
        for keys in self._abroad if is_abroad else self._national:
            self._buffer.add(keys)
        return ReadList(
            keys=self._buffer.sort_keys(),
            lines=self._lines["all"],
            headers=self._lines["header"],
            blank=self._lines["blank"],
            rejected=self._lines["rejected"],
            numbers=numbers,
            reasons=self._reasons,
            is_abroad=is_abroad,
            first_rejected=tuple(self._first_rejected[:_LINES_NAMED]),
            layout=self._layout,
        )

    def _count_lines(self, block: LineBlock, readings: Readings, rejected: pl.DataFrame) -> None:
        """A line may have several cells, and a cell several numbers; without any, a line is rejected."""
        all_lines = _distinct(block.lines)
        with_numbers = _distinct(block.lines[readings.keys != NO_MSISDN])
        headers = _distinct(block.lines[block.headers])
        without = _distinct(rejected["line"].to_numpy())
        without = without[~_are_among(without, with_numbers)]
        self._lines["all"] += len(all_lines)
        self._lines["header"] += len(headers)
        self._lines["rejected"] += len(without)
        self._lines["blank"] += len(all_lines) - len(headers) - len(with_numbers) - len(without)
        self._reasons.update(dict(rejected["reason"].value_counts().iter_rows()))
        if len(self._first_rejected) < _LINES_NAMED:
            unexpected = rejected.filter(pl.col("reason") != COMMENT)
            self._first_rejected += unexpected["line"].head(_LINES_NAMED).to_list()


def _distinct(lines: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cells of one line stand beside each other."""
    is_first = np.diff(lines, prepend=0) != 0
    return lines if is_first.all() else lines[is_first]


def _are_among(few: npt.NDArray[np.int64], many: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Both ascend; `np.isin` would sort the many."""
    if not len(many):
        return np.zeros(len(few), dtype=np.bool_)
    found: npt.NDArray[np.bool_] = many[np.searchsorted(many, few).clip(max=len(many) - 1)] == few
    return found


def readings_of_block(block: LineBlock, *, reading: ReadingRules) -> tuple[Readings, pl.DataFrame]:
    """What the cells say, and ``line, reason, raw`` of those that should hold a number: headers and blank
    lines need none, and cells with a flaw have none."""
    if block.countries is None:
        readings = read_msisdns(block.texts, default_region=reading.region)
    else:
        readings = read_by_country(block.texts, block.countries, default_region=reading.region)
    if len(block.headers) or block.flaws:
        readings = _without(readings, [*block.headers.tolist(), *block.flaws])
    flaws = {"index": list(block.flaws), "reason": list(block.flaws.values())}
    rejected = pl.concat([readings.rejected, pl.DataFrame(flaws, schema=readings.rejected.schema)])
    rejected = rejected.sort("index", maintain_order=True)
    places = rejected["index"].to_numpy()
    raw = block.texts.gather(places)
    lines = {"line": block.lines[places], "reason": rejected["reason"], "raw": raw}
    needs_none = is_blank(raw) & ~rejected["index"].is_in(list(block.flaws))
    return readings, pl.DataFrame(lines, schema=_REJECTED).filter(~needs_none)


def _without(readings: Readings, cells: list[int]) -> Readings:
    """As if nothing were written in these cells."""
    readings.keys[cells] = NO_MSISDN
    is_more, is_doubt = (~np.isin(places, cells) for places in (readings.more_places, readings.doubt_places))
    return replace(
        readings,
        more_places=readings.more_places[is_more],
        more_keys=readings.more_keys[is_more],
        rejected=readings.rejected.filter(~pl.col("index").is_in(cells)),
        doubt_places=readings.doubt_places[is_doubt],
        doubt_keys=readings.doubt_keys[is_doubt],
    )


def _rejects_file(path: Path | None) -> AbstractContextManager[ParquetFile | None]:
    return nullcontext() if path is None else ParquetFile(path, _REJECTED, ("reason",))


def _refuse_two_countries(name: str, reasons: Mapping[str, int], titles: tuple[str, ...]) -> None:
    if differing := reasons.get(COUNTRIES_DIFFER, 0):
        shown = ", ".join(f"“{title.strip()}”" for title in titles)
        raise InputError(
            f"{name} has {count(differing, 'national number')} on lines that name two countries, in {shown}. "
            "Name the column to go by as country_column in landing.toml, or write + and the calling code in "
            "front of these numbers."
        )


def _refuse_nationals(name: str, numbers: int, reasons: Mapping[str, int]) -> None:
    national = reasons.get(NATIONAL, 0)
    if national > _MAJORITY * (numbers + sum(reasons.values())):
        raise InputError(
            f"{name} has numbers without a calling code ({national:,} lines). Set EKYC_DEFAULT_REGION to "
            "their country, such as CH, and run again."
        )


def are_abroad(name: str, bare: BareDigits, home: str | None) -> bool:
    """Whether bare digits that are a number at home and one abroad are meant as the latter.

    Raises InputError where the column does not say how its bare digits are meant.
    """
    if home is None:
        total = bare.abroad + bare.neither
        if bare.abroad < _AGREEMENT * total:
            raise InputError(
                f"{name} has numbers without a calling code: {bare.abroad:,} of {total:,} would be valid as "
                "international ones. Set EKYC_DEFAULT_REGION to their country, such as CH, and run again; or "
                "write a + in front of international numbers."
            )
        return False
    national = bare.national + bare.at_odds
    doubtful = bare.both + bare.at_odds
    most = max(national, bare.abroad)
    if doubtful and most < max(bare.both, _NEARLY_ALL * (national + bare.abroad), 1):
        raise InputError(
            f"{name} has {doubtful:,} numbers that may be meant for {home} or as international ones. "
            "Write a + in front of international numbers, or their trunk prefix in front of national ones."
        )
    return bare.abroad > national
