"""Turn landed files into batches.

Planning is exclusive. It works on private copies, commits files and batches in one transaction, and
only then removes what landed. Killed anywhere, a file is planned once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl

from ekyc_tasks import fates
from ekyc_tasks.clock import Clock
from ekyc_tasks.disk import discard, locked, private_dir, publish, staged, written
from ekyc_tasks.errors import InputError
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.landing import Arrival, read_blocks, read_lines, take_copy
from ekyc_tasks.ledger import Batch, LandedFile, Ledger, Link, NewBatch
from ekyc_tasks.ledger.plans import BLOCKING
from ekyc_tasks.models import BatchState, Fate
from ekyc_tasks.numbers import normalise
from ekyc_tasks.packing import pack

log = logging.getLogger(__name__)

_BATCH_CHUNK = 1_000_000  # numbers turned into text at a time
_REJECTED_SCHEMA = {"line": pl.Int64, "reason": pl.String, "raw": pl.String}


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How numbers become batches. ``first`` bounds the first batch (a careful first run)."""

    task_type: str
    batch_size: int
    min_batch: int = 1
    max_hold_back: timedelta = timedelta(hours=1)
    fresh_for: timedelta = timedelta(days=30)
    default_region: str | None = None
    number_column: str | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one planning did; ``unreadable`` holds a sentence for each file that stays where it was."""

    files: tuple[LandedFile, ...] = ()
    new_batches: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def numberless(self) -> tuple[str, ...]:
        """A sentence for each file in which no line is a number."""
        return tuple(
            f"{file.name} holds no number: {file.rejected:,} lines rejected; `quarantine/landing` has them."
            if file.rejected
            else f"{file.name} is empty; nothing was sent for it."
            for file in self.files
            if file.lines - file.blank - file.header == file.rejected
        )


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file whose bytes are ours: its lines are counted, its numbers are keys, each once."""

    file: LandedFile
    keys: pl.Series
    rejected: pl.DataFrame  # line, reason, raw
    arrival: Arrival | None = None  # None: planned again from inputs/


class Planner:
    """One planning; `run` does it whole."""

    def __init__(
        self, *, run_id: str, ledger: Ledger, folder: DataFolder, policy: PlanPolicy, clock: Clock
    ) -> None:
        self._run_id = run_id
        self._ledger = ledger
        self._folder = folder
        self._policy = policy
        self._now = clock.now()
        # Ids sort by time, then by place in the plan.
        self._stem = f"{self._now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def run(self, arrivals: Sequence[Arrival]) -> Plan:
        with locked(self._folder.root / ".planning.lock"):
            self._sweep()
            self._take_apart()
            unreadable: list[str] = []
            taken = [*self._taken_again(unreadable), *self._taken_new(arrivals, unreadable)]
            if not taken:
                return Plan(unreadable=tuple(unreadable))
            return replace(self._planned(taken), unreadable=tuple(unreadable))

    def _sweep(self) -> None:
        """Batch files that a killed planning left before its commit belong to nobody."""
        known = self._ledger.plans.batch_ids()
        for path in self._folder.batches.glob("*.txt"):
            if path.stem not in known:
                discard(path)

    def _take_apart(self) -> None:
        """With a limit, our planned batches above it are packed again: nothing of them was charged."""
        if self._policy.first is None:
            return
        large = [
            batch.batch_id
            for batch in self._ledger.history.batches(states=[BatchState.PLANNED], owner=self._run_id)
            if batch.numbers > self._policy.first
        ]
        if large:
            why = f"packed again for a limit of {self._policy.first:,} numbers"
            self._ledger.plans.released(large, why=why, run_id=self._run_id)

    def _taken_new(self, arrivals: Sequence[Arrival], unreadable: list[str]) -> Iterator[_Taken]:
        for index, arrival in enumerate(arrivals, start=1):
            if arrival.has_landed and self._ledger.plans.planned_before(str(arrival.path), arrival.identity):
                self._remove(arrival)
                continue
            try:
                yield self._taken(arrival, file_id=f"{self._stem}-f{index:03}")
            except InputError as error:
                unreadable.append(str(error))

    def _taken(self, arrival: Arrival, *, file_id: str) -> _Taken:
        with staged(self._folder.staging) as copy:
            digest = take_copy(arrival, copy)
            file = LandedFile(
                file_id=file_id,
                name=arrival.name,
                sha256=digest,
                size=arrival.size,
                path=str(arrival.path),
                identity=arrival.identity,
                task_type=self._policy.task_type,
                planned_at=self._now,
                run_id=self._run_id,
                replan=0,
            )
            taken = self._counted(file, copy, arrival)
            if not self._folder.input_file(digest).exists():
                copy.chmod(0o400)
                publish(copy, self._folder.input_file(digest))
        return taken

    def _taken_again(self, unreadable: list[str]) -> Iterator[_Taken]:
        """Files some of whose numbers wait for company or were released."""
        for file in self._ledger.plans.to_plan_again(self._policy.task_type):
            try:
                yield self._counted(file, self._folder.input_file(file.sha256), None)
            except InputError as error:
                unreadable.append(str(error))

    def _counted(self, file: LandedFile, path: Path, arrival: Arrival | None) -> _Taken:
        tally: Counter[str] = Counter()
        keys = [pl.Series("key", [], dtype=pl.Int64)]
        rejected = [pl.DataFrame(schema=_REJECTED_SCHEMA)]
        for block in read_blocks(path, name=file.name, column=self._policy.number_column):
            cells, number, reason = self._normal(block)
            tally["lines"] += block.height
            tally["blank"] += int(block["is_blank"].sum())
            tally["header"] += int(block["is_header"].sum())
            keys.append(fates.keys_of(number))
            # Cloned through Arrow: a filtered frame would keep the strings of its whole block alive.
            bad = cells.with_columns(reason).filter(number.is_null()).select("line", "reason", raw="text")
            rejected.append(pl.DataFrame(bad.to_arrow()))
        found, left_out = pl.concat(keys).unique(maintain_order=True), pl.concat(rejected)
        repeats = tally["lines"] - tally["blank"] - tally["header"] - left_out.height - found.len()
        counted = replace(
            file,
            lines=tally["lines"],
            blank=tally["blank"],
            header=tally["header"],
            rejected=left_out.height,
            duplicate=repeats,
        )
        return _Taken(counted, found, left_out, arrival)

    def _normal(self, block: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
        """The lines of a block that should hold a number, and each line's number or reason."""
        cells = block.filter(~pl.col("is_blank") & ~pl.col("is_header"))
        normal = normalise(cells["text"], default_region=self._policy.default_region)
        return cells, normal["number"], normal["reason"]

    def _planned(self, taken: Sequence[_Taken]) -> Plan:
        asked = self._asked()
        numbers = self._numbers_of(asked)
        own = self._ledger.plans.own_batches([each.file.file_id for each in taken])
        do_not_send = self._do_not_send()
        sorted_out = [
            fates.sort_out(
                each.keys,
                self._with_answers_for(each.file, asked, numbers),
                do_not_send=do_not_send,
                own_batches=own.get(each.file.file_id, ()),
            )
            for each in taken
        ]
        packed = self._packed(fates.to_pack(sorted_out), taken)
        settled = fates.settle(sorted_out, packed)
        new_batches = self._write_batches(packed)
        files = [_with_fates(each.file, frame) for each, frame in zip(taken, settled, strict=True)]
        links = [
            link for file, frame in zip(files, settled, strict=True) for link in _links(file.file_id, frame)
        ]
        for each in taken:
            self._write_rejected(each)
        self._ledger.plans.planned(
            landed=files,
            new_batches=new_batches,
            links=links,
            task_type=self._policy.task_type,
            run_id=self._run_id,
        )
        for each in taken:
            if each.arrival is not None and each.arrival.has_landed:
                self._remove(each.arrival)
        return Plan(files=tuple(files), new_batches=tuple(batch.batch_id for batch in new_batches))

    def _asked(self) -> list[Batch]:
        """The batches whose numbers no file may buy again."""
        fresh_for = self._policy.fresh_for
        since = self._now - fresh_for if fresh_for else None
        return self._ledger.plans.asked(self._policy.task_type, since=since)

    def _with_answers_for(
        self, file: LandedFile, asked: Sequence[Batch], numbers: pl.DataFrame
    ) -> pl.DataFrame:
        """A file that is planned again buys nothing twice, be its answers fresh or not."""
        listed = {batch.batch_id for batch in asked}
        more = [
            batch for batch in self._ledger.plans.answered_for(file.file_id) if batch.batch_id not in listed
        ]
        return pl.concat([numbers, self._numbers_of(more)]) if more else numbers

    def _numbers_of(self, batches: Sequence[Batch]) -> pl.DataFrame:
        """`fates.ASKED_SCHEMA`, from what was *sent*, not from the dataset: a number that was paid for
        and never answered is not in there, and a batch that loads meanwhile stays a file of numbers.
        """
        frames = [
            pl.DataFrame({"key": self._sent(batch)}).with_columns(
                pl.lit(batch.batch_id).alias("batch_id"), pl.lit(batch.state in BLOCKING).alias("blocks")
            )
            for batch in batches
        ]
        return pl.concat([pl.DataFrame(schema=fates.ASKED_SCHEMA), *frames])

    def _sent(self, batch: Batch) -> pl.Series:
        path = self._folder.batch_file(batch.batch_id)
        try:
            frame = pl.read_csv(path, has_header=False, new_columns=["key"], schema={"key": pl.Int64})
        except (OSError, pl.exceptions.PolarsError):
            raise InputError(
                f"Nothing was planned: {path}, the numbers of batch {batch.batch_id}, cannot be read; "
                "restore it from a backup, or numbers might be bought twice."
            ) from None
        return frame["key"]

    def _do_not_send(self) -> pl.Series:
        """The numbers nobody may be asked about; a line that is none would let somebody through."""
        path = self._folder.do_not_send
        empty = pl.Series("key", [], dtype=pl.Int64)
        if not path.exists():
            return empty
        cells, number, _ = self._normal(read_lines(path, name=path.name))
        unclear = cells.filter(number.is_null() & ~cells["text"].str.starts_with("#"))
        if not unclear.is_empty():
            raise InputError(
                f"Nothing was planned: line {unclear['line'][0]} of {path} is no number; correct it "
                "(with its calling code), or put a # before it."
            )
        return pl.concat([empty, fates.keys_of(number)])

    def _packed(self, keys: pl.Series, taken: Sequence[_Taken]) -> pl.DataFrame:
        """``key, batch_id`` for the numbers that go now; too few of them wait for company, for a while."""
        waiting_since = min(each.file.planned_at for each in taken)
        is_patient = self._now - waiting_since < self._policy.max_hold_back
        parts = pack(
            keys,
            batch_size=self._policy.batch_size,
            minimum=self._policy.min_batch if is_patient else 1,
            first=self._policy.first,
        )
        frames = [
            pl.DataFrame({"key": part}).with_columns(pl.lit(f"{self._stem}-{index:03}").alias("batch_id"))
            for index, part in enumerate(parts, start=1)
        ]
        return pl.concat([pl.DataFrame(schema={"key": pl.Int64, "batch_id": pl.String}), *frames])

    def _write_batches(self, packed: pl.DataFrame) -> list[NewBatch]:
        return [
            self._write_batch(str(batch_id), frame["key"])
            for (batch_id,), frame in packed.group_by("batch_id", maintain_order=True)
        ]

    def _write_batch(self, batch_id: str, keys: pl.Series) -> NewBatch:
        digest = sha256()
        with written(self._folder.batch_file(batch_id), staging=self._folder.staging) as file:
            for start in range(0, keys.len(), _BATCH_CHUNK):
                numbers = fates.numbers_of(keys.slice(start, _BATCH_CHUNK))
                text = ("\n".join(numbers.to_list()) + "\n").encode()
                digest.update(text)
                file.write(text)
        return NewBatch(batch_id, keys.len(), digest.hexdigest())

    def _write_rejected(self, taken: _Taken) -> None:
        """Every rejected line is kept with its reason: `quarantine/landing/SHA-256.parquet`."""
        if taken.rejected.is_empty():
            return
        path = self._folder.quarantine / "landing" / f"{taken.file.sha256}.parquet"
        with written(path, staging=self._folder.staging) as file:
            taken.rejected.write_parquet(file)

    def _remove(self, arrival: Arrival) -> None:
        """What lies there now may be a new arrival of the same name: then it stays."""
        if not arrival.is_unchanged():
            return
        try:
            arrival.path.unlink()
        except OSError as error:
            log.warning(
                "%s was planned and cannot be removed from the landing folder (%s); it is not planned again.",
                arrival.name,
                error.strerror,
            )


async def plan(
    arrivals: Sequence[Arrival],
    *,
    run_id: str,
    ledger: Ledger,
    folder: DataFolder,
    policy: PlanPolicy,
    clock: Clock,
) -> Plan:
    """Plan what landed, and again what waits; raises InputError when what was sent cannot be read."""
    private_dir(folder.root)
    planner = Planner(run_id=run_id, ledger=ledger, folder=folder, policy=policy, clock=clock)
    return await asyncio.to_thread(planner.run, arrivals)


def _with_fates(file: LandedFile, settled: pl.DataFrame) -> LandedFile:
    counts = Counter(dict(settled["fate"].value_counts().iter_rows()))
    waiting = counts[Fate.WAITING.value]
    return replace(
        file,
        do_not_send=counts[Fate.DO_NOT_SEND.value],
        known=counts[Fate.KNOWN.value],
        in_flight=counts[Fate.IN_FLIGHT.value],
        waiting=waiting,
        batched=counts[Fate.BATCHED.value],
        replan=1 if waiting else 0,
    )


def _links(file_id: str, settled: pl.DataFrame) -> list[Link]:
    in_batches = settled.filter(pl.col("fate").is_in([Fate.BATCHED.value, Fate.IN_FLIGHT.value]))
    counts = in_batches.group_by("batch_id", "fate").len().sort("batch_id", "fate")
    return [Link(file_id, batch_id, Fate(fate), count) for batch_id, fate, count in counts.iter_rows()]
