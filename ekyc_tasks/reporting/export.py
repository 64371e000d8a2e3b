"""The answers for the numbers of one landed file or batch, whichever batch has them.

A stream: nothing but the keys, their lines and a flag each stays in memory, whatever the answers weigh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.intake.do_not_send import keys_of_do_not_send
from ekyc_tasks.intake.file_layout import LIST, FileLayout
from ekyc_tasks.intake.line_block import ColumnNumbers
from ekyc_tasks.intake.read_numbers import origins_of_numbers
from ekyc_tasks.intake.rules import ReadingPolicy
from ekyc_tasks.ledger import Batch, LandedFile, Ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.phone import calling_code
from ekyc_tasks.phone.msisdns import Msisdns, places_in
from ekyc_tasks.reporting.writers import WRITERS
from ekyc_tasks.storage.batch_files import keys_of_batch
from ekyc_tasks.storage.dataset import dataset_path, read_rows
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import publish, sha256_of, stage_file
from ekyc_tasks.task_types import task_type as task_type_named

ANSWERED, UNDETERMINED, MISSING = "answered", "undetermined", "missing"
DO_NOT_SEND, WAITING, NOT_ASKED = "do_not_send", "waiting", "not_asked"
IN_ORDER = 1_000_000  # so many rows are sorted by line; more go batch by batch
_CHUNK_ROWS = 250_000

Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Export:
    """Where it is, and how many numbers are in which state."""

    path: Path
    name: str
    states: dict[str, int] = field(default_factory=dict)


def export(
    what: str, *, ledger: Ledger, folder: DataFolder, reading: ReadingPolicy, kind: str, out: Path | None
) -> Export:
    """``what``: a landed file (its name, path, id or SHA-256) or a batch. Whole or not at all.

    Raises ConfigurationError when nothing is called that, or there is no such ``kind`` of file.
    """
    if kind not in WRITERS:
        raise ConfigurationError(f"The format {kind} is not supported. Use {', '.join(WRITERS)}.")
    subject = _subject(what, ledger=ledger, folder=folder, reading=reading)
    path = out or folder.exports / f"{Path(subject.name).name}.{subject.task_type}.{kind}"
    answers = _Answers(subject, ledger=ledger, folder=folder, reading=reading)
    with stage_file(path.absolute().parent) as staging:
        WRITERS[kind](staging, answers.frames(), answers.schema)
        publish(staging, path.absolute())
    return Export(path, subject.name, dict(answers.states))


@dataclass(frozen=True, slots=True)
class _Subject:
    """Sorted keys; ``lines`` where each stands first in its file, and in which of the ``columns``."""

    name: str
    task_type: str
    keys: Msisdns
    lines: npt.NDArray[np.int64]
    left_over: str  # the state of numbers that no batch has
    columns: ColumnNumbers
    titles: pl.Series  # of columns by their number; null for one without a name, and behind the last


def _subject(what: str, *, ledger: Ledger, folder: DataFolder, reading: ReadingPolicy) -> _Subject:
    file = _newest_landed(what, ledger)
    if file is not None:
        as_then = reading.rules_again(file.reading)
        path = folder.input_file(file.sha256)
        found = origins_of_numbers(path, name=file.name, reading=as_then)
        return _Subject(
            file.name,
            file.task_type,
            found.keys,
            found.lines,
            WAITING if file.counts.waiting else NOT_ASKED,
            found.columns,
            _list_titles(found.layout),
        )
    batch = next((batch for batch in ledger.history.batches() if batch.batch_id == what), None)
    if batch is None:
        raise ConfigurationError(
            f"No landed file and no batch has the name {what}. `ekyc status` lists them all."
        )
    sent = keys_of_batch(folder, batch.batch_id, numbers=batch.numbers)
    lines = np.arange(1, len(sent) + 1)
    columns = np.zeros(len(sent), dtype=np.int32)
    return _Subject(what, batch.task_type, sent, lines, NOT_ASKED, columns, _list_titles(LIST))


def _list_titles(layout: FileLayout) -> pl.Series:
    """As the file has them, whatever they are: this is the file's own answer to whoever has the file."""
    titles = [column.title.strip() or None for column in layout.columns]
    return pl.Series([*titles, None], dtype=pl.String)


def _newest_landed(what: str, ledger: Ledger) -> LandedFile | None:
    """The newest that is meant."""
    path = Path(what)
    sha256 = sha256_of(path) if path.is_file() else what.lower()
    for file in reversed(ledger.history.files()):
        if what in {file.file_id, file.name} or sha256 == file.sha256:
            return file
    return None


class _Answers:
    """Rows of answers, and of what has none yet: each key of the subject once."""

    def __init__(
        self, subject: _Subject, *, ledger: Ledger, folder: DataFolder, reading: ReadingPolicy
    ) -> None:
        self.states: Counter[str] = Counter()
        self._subject = subject
        self._folder = folder
        self._is_open = np.ones(len(subject.keys), dtype=np.bool_)
        self._type = task_type_named(subject.task_type)
        self._refused = keys_of_do_not_send(folder.do_not_send, region=reading.settings.region)
        batches = [batch for batch in ledger.history.batches() if batch.task_type == subject.task_type]
        loaded = [batch for batch in batches if batch.state is BatchState.LOADED]
        self._loaded = sorted(loaded, key=lambda batch: str(batch.checked_at), reverse=True)
        self._on_their_way = [batch for batch in batches if batch.state.blocks]

    @property
    def schema(self) -> pl.Schema:
        answers = dict(self._type.row_types)
        first: dict[str, pl.DataType] = {
            "number": answers.pop("number"),
            "line": pl.Int64(),
            "state": pl.String(),
        }
        return pl.Schema({**first, **answers, "column": pl.String()})

    def frames(self) -> Iterator[pl.DataFrame]:
        frames = self._as_found()
        if len(self._subject.keys) > IN_ORDER:
            yield from frames
            return
        yield pl.concat([pl.DataFrame(schema=self.schema), *frames]).sort("line")

    def _as_found(self) -> Iterator[pl.DataFrame]:
        """The newest answer that says something, else the batch that may bring one, else "not known"."""
        for batch in self._loaded:
            yield from self._answers(batch, is_determined=True)
        for batch in self._on_their_way:
            yield from self._without(
                self._open_places(self._read_sent(batch)), batch.state.value, batch.batch_id
            )
        for batch in self._loaded:
            yield from self._answers(batch, is_determined=False)
            yield from self._without(self._open_places(self._read_sent(batch)), MISSING, batch.batch_id)
        yield from self._without(self._open_places(self._refused), DO_NOT_SEND, None)
        yield from self._without(np.flatnonzero(self._is_open), self._subject.left_over, None)

    def _answers(self, batch: Batch, *, is_determined: bool) -> Iterator[pl.DataFrame]:
        if not len(self._open_places(self._read_sent(batch))):
            return
        verdict = pl.col(self._type.verdict_column)
        for rows in self._rows(batch):
            wanted = rows.filter(verdict.is_not_null() if is_determined else verdict.is_null())
            found = wanted["number"].cast(pl.Int64).to_numpy()
            places = np.searchsorted(self._subject.keys, found).clip(max=len(self._subject.keys) - 1)
            is_ours = (self._subject.keys[places] == found) & self._is_open[places]
            state = ANSWERED if is_determined else UNDETERMINED
            yield self._close(wanted.filter(is_ours), places[is_ours], state)

    def _rows(self, batch: Batch) -> Iterator[pl.DataFrame]:
        if batch.checked_at is None:
            return
        path = dataset_path(self._folder.warehouse, batch.task_type, batch.checked_at, batch.batch_id)
        yield from read_rows(path)

    def _without(self, places: Places, state: str, batch_id: str | None) -> Iterator[pl.DataFrame]:
        """Rows that say no more than how a number stands."""
        for start in range(0, len(places), _CHUNK_ROWS):
            chunk = places[start : start + _CHUNK_ROWS]
            keys = pl.DataFrame({"key": self._subject.keys[chunk]})
            rows = keys.select(number="+" + pl.col("key").cast(pl.String)).with_columns(
                calling_code=calling_code(pl.col("number")), batch_id=pl.lit(batch_id, dtype=pl.String)
            )
            missing = [
                pl.lit(None, dtype=kind).alias(name)
                for name, kind in self._type.row_types.items()
                if name not in rows.columns
            ]
            yield self._close(rows.with_columns(missing), chunk, state)

    def _close(self, rows: pl.DataFrame, places: Places, state: str) -> pl.DataFrame:
        self._is_open[places] = False
        self.states[state] += rows.height
        lines = pl.Series("line", self._subject.lines[places])
        titles = self._subject.titles
        columns = titles.gather(self._subject.columns[places] % len(titles)).alias("column")
        return rows.with_columns(lines, columns, pl.lit(state).alias("state")).select(
            pl.col(name).cast(kind) for name, kind in self.schema.items()
        )

    def _read_sent(self, batch: Batch) -> Msisdns:
        return keys_of_batch(self._folder, batch.batch_id, numbers=batch.numbers)

    def _open_places(self, others: Msisdns) -> Places:
        places = places_in(self._subject.keys, others)
        return places[self._is_open[places]]
