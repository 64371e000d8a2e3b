"""One column of the provider → typed columns of the dataset, held to the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from ekyc_tasks.archive import Int64Array
from ekyc_tasks.task_types.base import NOT_DETERMINED, Field, as_it_is

MAX_REMEMBERED = 10_000

_IS_BAD = "__is_bad"


@dataclass(frozen=True, slots=True)
class Reading:
    """``values`` are the dataset columns of a field; ``bad`` are the rows whose text breaks the contract."""

    values: pl.DataFrame
    bad: Int64Array

    @classmethod
    def of(cls, read: pl.DataFrame) -> Reading:
        return cls(read.drop(_IS_BAD), _true_at(read.get_column(_IS_BAD)))


class FieldReader:
    """Reads one field, block by block.

    Categorical text is read once per distinct value: a twentieth of the work. Text columns that come of it
    are Categorical too, with categories in the order in which their first rows were read.
    """

    def __init__(self, each: Field, rules: Sequence[pl.Expr]) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._rules = rules
        self._is_plain = self._tells_by_rules_alone()
        self._forget()

    def read(self, text: pl.Series) -> Reading:
        """The dataset columns of this field, and where a text breaks the contract."""
        if isinstance(text.dtype, pl.Categorical):
            return self._read_by_code(text)
        reading = self._read_others(text) if self._is_plain else Reading.of(self._read(text))
        self._watch(reading.values)
        return reading

    def _tells_by_rules_alone(self) -> bool:
        """Whether a text that keeps the rules is a value as it came, such as a link."""
        if not self._rules or tuple(self.field.into.values()) != (as_it_is,):
            return False
        return not self._keeps_rules(pl.Series("text", self._tokens())).any()

    def _keeps_rules(self, text: pl.Series) -> pl.Series:
        (into,) = self.field.into
        return text.alias(into).to_frame().select(pl.all_horizontal(*self._rules)).to_series()

    def _read_others(self, text: pl.Series) -> Reading:
        """Leaves the texts that keep the rules as they came, which most do, and reads the others."""
        others = _true_at(~self._keeps_rules(text))
        read = Reading.of(self._read(text.gather(others)))
        (into,) = self.field.into
        kept = text.alias(into).scatter(others, read.values.get_column(into))
        return Reading(kept.to_frame(), others[read.bad])

    # --- by code: which text has which values -------------------------------------------------------------

    _place_of: dict[str, int]  # of each text that was read, in the order of their first rows
    _values: pl.DataFrame | None  # by place
    _read_as: pl.DataType | None  # of the table whose codes these are:
    _places_of_codes: pl.Series  # null where a text was not read yet
    _values_of_codes: pl.DataFrame
    _are_bad_codes: pl.Series
    _first_unread: int

    def _forget(self) -> None:
        self._words = pl.Categorical(pl.Categories.random())
        self._place_of, self._values, self._read_as = {}, None, None

    def _read_by_code(self, text: pl.Series) -> Reading:
        if len(self._place_of) > MAX_REMEMBERED:
            self._forget()
        codes = text.to_physical()
        highest = cast("int | None", codes.max())
        if text.dtype != self._read_as or (highest is not None and highest >= self._first_unread):
            self._learn(text, codes, 0 if highest is None else highest + 1)
        values = self._values_of_codes.select(pl.all().gather(codes))
        has_bad = self._are_bad_codes.any()
        bad = _true_at(self._are_bad_codes.gather(codes)) if has_bad else np.empty(0, dtype=np.int64)
        return Reading(values, bad)

    def _learn(self, text: pl.Series, codes: pl.Series, count: int) -> None:
        """Read the texts that are new, in the order of their first rows. So many codes there are."""
        if text.dtype != self._read_as:  # another table, which has codes of its own
            self._read_as, self._places_of_codes = text.dtype, pl.Series([], dtype=pl.UInt32)
        missing = max(0, count - len(self._places_of_codes))
        known = self._places_of_codes.extend_constant(None, missing)
        rows = (known.gather(codes).is_null() & codes.is_not_null()).arg_true()
        firsts = rows.gather(codes.gather(rows).arg_unique().sort())
        texts = text.gather(firsts).cast(pl.String).to_list()
        values = self._remembered([each for each in texts if each not in self._place_of])
        self._place(values, known.scatter(codes.gather(firsts), [self._place_of[each] for each in texts]))

    def _remembered(self, new: list[str]) -> pl.DataFrame:
        """Of all texts that were read, these last."""
        if self._values is None or new:
            self._place_of |= {each: len(self._place_of) + at for at, each in enumerate(new)}
            read = self._read(pl.Series("text", new, dtype=pl.String))
            self._watch(read)
            encoded = read.cast({pl.String: self._words})
            self._values = encoded if self._values is None else pl.concat([self._values, encoded])
        return self._values

    def _place(self, values: pl.DataFrame, places: pl.Series) -> None:
        self._places_of_codes = places
        self._values_of_codes = values.select(pl.all().gather(places))
        self._are_bad_codes = self._values_of_codes.drop_in_place(_IS_BAD)
        unread = places.is_null().arg_true()
        self._first_unread = unread[0] if len(unread) else len(places)

    def _watch(self, values: pl.DataFrame) -> None:
        if self.field.known and len(self.new_words) < MAX_REMEMBERED:
            self.new_words |= set(values.to_series().unique().drop_nulls()) - self.field.known

    def _read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns, and `_IS_BAD`: whether a text says something, and nothing that fits."""
        trimmed = pl.col("text").str.strip_chars()
        is_said = ~trimmed.str.to_lowercase().is_in(self._tokens())
        said = text.alias("text").to_frame().select(pl.when(is_said).then(trimmed))
        values = said.select(reads(pl.col("text")).alias(into) for into, reads in self.field.into.items())
        if self._rules:
            is_kept = pl.all_horizontal(*self._rules).fill_null(True)
            values = values.select(pl.when(is_kept).then(pl.all()))
        is_nothing = pl.all_horizontal(pl.all().is_null())
        return values.with_columns((is_nothing & said.to_series().is_not_null()).alias(_IS_BAD))

    def _tokens(self) -> list[str]:
        return [*NOT_DETERMINED, *sorted(self.field.undetermined)]


def _true_at(flags: pl.Series) -> Int64Array:
    return flags.arg_true().to_numpy().astype(np.int64)
