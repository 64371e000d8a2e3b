"""Accepted raw rows → rows of the dataset, and the cells of them that became null."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from ekyc_tasks.normalize.column_mapping import Extra, Layout
from ekyc_tasks.normalize.quarantine import ISSUES, set_apart
from ekyc_tasks.normalize.received import e164
from ekyc_tasks.normalize.values import Reader
from ekyc_tasks.phone import calling_codes, digit_counts
from ekyc_tasks.tabular import Int64Array
from ekyc_tasks.task_types import base
from ekyc_tasks.task_types.base import Field, TaskType


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and when the rows of a batch come from; ``checked_at`` is aware."""

    checked_at: datetime
    batch_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Normalized:
    """``rows`` keep the task type's contract, in the order given; ``issues`` are cells that became null.

    Texts of few distinct values are Categorical where they were so when they came.
    """

    rows: pl.DataFrame
    issues: pl.DataFrame


class Normalizer:
    """Reads the accepted rows of one batch, block by block, and remembers what was new about them."""

    def __init__(self, task_type: TaskType, stamp: Provenance) -> None:
        self.task_type = task_type
        self.bad_cells: Counter[str] = Counter()
        self._reader = Reader(task_type)
        self._expects = {each.name: each.expects for each in task_type.fields}
        moment = pl.Series([stamp.checked_at.astimezone(UTC)], dtype=pl.Datetime("us", "UTC"))
        self._stamps = pl.DataFrame(
            [
                moment.alias(base.CHECKED_AT),
                _word(base.BATCH_ID, stamp.batch_id),
                _word(base.TASK_ID, stamp.task_id),
            ]
        )

    def read(self, frame: pl.DataFrame, lines: Int64Array, keys: Int64Array, layout: Layout) -> Normalized:
        """Accepted raw rows → typed rows; ``keys`` are their numbers, all readable."""
        digits = digit_counts(keys)
        columns = [
            e164(frame.to_series(layout.numbers[0]), keys, digits),
            calling_codes(keys, digits).alias("calling_code"),
            *self._stamp(frame.height),
        ]
        texts = {each.name: self._text(each, frame, layout) for each in self.task_type.fields}
        readings = self._reader.read(texts)
        for reading in readings.values():
            columns += reading.values
        bad = {name: reading.bad for name, reading in readings.items()}
        rows = pl.DataFrame(columns).with_columns(_extra(frame, layout)).select(self.task_type.columns)
        return Normalized(rows, self._issues(bad, frame, lines, layout))

    def _stamp(self, rows: int) -> Sequence[pl.Series]:
        """The stamp for so many rows; the longest so far is kept, because a part of it costs nothing."""
        if rows > self._stamps.height:
            stamps = [each.new_from_index(0, rows) for each in self._stamps]
            self._stamps = pl.DataFrame(stamps)
        return self._stamps.head(rows).get_columns()

    def new_words(self) -> dict[str, set[str]]:
        """Values of open vocabularies that were not seen before, by the provider's column."""
        return self._reader.new_words()

    def _text(self, each: Field, frame: pl.DataFrame, layout: Layout) -> pl.Series:
        position = layout.fields.get(each.name)
        if position is not None:
            return frame.to_series(position)
        is_named = each is self.task_type.verdict and layout.verdict is not None
        text = ("yes" if layout.verdict else "no") if is_named else ""
        return _word("text", text).new_from_index(0, frame.height)

    def _issues(
        self, bad: Mapping[str, Int64Array], frame: pl.DataFrame, lines: Int64Array, layout: Layout
    ) -> pl.DataFrame:
        found = [pl.DataFrame(schema=ISSUES)]
        for name, places in bad.items():
            if len(places):
                self.bad_cells[name] += len(places)
                reason = f"not {self._expects[name]}"
                found.append(set_apart(frame, lines, places, layout, reason=reason, column=name))
        return pl.concat(found)


def _word(name: str, text: str) -> pl.Series:
    """One text that will stand in every row."""
    return pl.Series(name, [text], dtype=pl.Categorical(pl.Categories.random()))


def _extra(frame: pl.DataFrame, layout: Layout) -> pl.Expr | pl.Series:
    """JSON of the cells that the contract does not know, as they came; null where all are empty."""
    if not layout.extras:
        return pl.lit(None, pl.String).alias(base.EXTRA)
    pairs = [_pair(frame, extra) for extra in layout.extras]
    joined = pl.concat_str(pairs, separator=",", ignore_nulls=True)
    return frame.select(
        pl.when(joined != "").then(pl.lit("{") + joined + pl.lit("}")).alias(base.EXTRA)
    ).to_series()


def _pair(frame: pl.DataFrame, extra: Extra) -> pl.Expr:
    """``"key":"text"``, or null where the cell is empty or says again what the repeated column says."""
    text = pl.col(frame.columns[extra.position])
    is_news = text.str.strip_chars() != ""
    if extra.repeats is not None:
        first = pl.col(frame.columns[extra.repeats]).cast(pl.String).fill_null("")
        is_news &= text.str.strip_chars_start("+") != first.str.strip_chars_start("+")
    encoded = pl.struct(text.alias(extra.key)).struct.json_encode()
    return pl.when(is_news).then(encoded.str.slice(1, encoded.str.len_chars() - 2))
