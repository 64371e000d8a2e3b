"""What distinct texts are read as, so that each is read once and then looked up.

A column of a million rows may hold three texts. It comes as Categorical: a code for each row, and the texts
by code. The code is all that is looked at for a row; a text is read when its code is met first::

    rows     Male  female  Male  junk  female      codes   0  1  0  2  1
    read     Male → male, female → female, junk → junk and bad        (3 texts, not 5)

    _place_of           {Male: 0, female: 1, junk: 2}     all that was ever read, by first row
    _values             [male, female, junk]              by place
    _places_of_codes    [0, 1, 2]                         of this table's codes; null: not read yet
    _values_of_codes    [male, female, junk]              what rows are looked up in, by code

    next block of the same table, codes 1 3:  3 is the first unread one, so its text alone is read
    another table:  its codes mean other texts, so places are looked up anew; nothing is read twice
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from ekyc_tasks.tabular import Int64Array

IS_BAD = "__is_bad"
MAX_REMEMBERED = 10_000

ReadsTexts = Callable[[pl.Series], pl.DataFrame]
"""Texts → dataset columns, and `IS_BAD`: whether a text breaks the contract."""


@dataclass(frozen=True, slots=True)
class FieldValues:
    """``values`` are the dataset columns of a field; ``bad`` are the rows whose text breaks the contract."""

    values: Sequence[pl.Series]
    bad: Int64Array

    @classmethod
    def of(cls, read: pl.DataFrame) -> FieldValues:
        return cls(read.drop(IS_BAD).get_columns(), true_at(read.get_column(IS_BAD)))


def true_at(flags: pl.Series) -> Int64Array:
    return flags.arg_true().to_numpy().astype(np.int64)


class ValueCache:
    """Reads Categorical text once per distinct value: a twentieth of the work.

    Text columns that come of it are Categorical too, with categories in the order in which their first rows
    were read.
    """

    _place_of: dict[str, int]  # of each text that was read, in the order of their first rows
    _values: pl.DataFrame | None  # by place
    _read_as: pl.DataType | None  # of the table whose codes these are:
    _places_of_codes: pl.Series  # null where a text was not read yet
    _values_of_codes: pl.DataFrame
    _are_bad_codes: pl.Series
    _first_unread: int

    def __init__(self, reader: ReadsTexts) -> None:
        self._reader = reader
        self._forget()

    def _forget(self) -> None:
        self._words = pl.Categorical(pl.Categories.random())
        self._place_of, self._values, self._read_as = {}, None, None

    def look_up(self, text: pl.Series) -> FieldValues:
        if len(self._place_of) > MAX_REMEMBERED:
            self._forget()
        codes = text.to_physical()
        highest = cast("int | None", codes.max())
        if text.dtype != self._read_as or (highest is not None and highest >= self._first_unread):
            self._learn(text, codes, 0 if highest is None else highest + 1)
        values = [each.gather(codes) for each in self._values_of_codes]
        has_bad = self._are_bad_codes.any()
        bad = true_at(self._are_bad_codes.gather(codes)) if has_bad else np.empty(0, dtype=np.int64)
        return FieldValues(values, bad)

    def _learn(self, text: pl.Series, codes: pl.Series, count: int) -> None:
        """Read the texts that are new, in the order of their first rows. So many codes there are."""
        if text.dtype != self._read_as:  # another table, which has codes of its own
            self._read_as, self._places_of_codes = text.dtype, pl.Series([], dtype=pl.UInt32)
        missing = max(0, count - len(self._places_of_codes))
        known = self._places_of_codes.extend_constant(None, missing)
        rows = (known.gather(codes).is_null() & codes.is_not_null()).arg_true()
        firsts = rows.gather(codes.gather(rows).arg_unique().sort())
        texts = text.gather(firsts).cast(pl.String).to_list()
        values = self._remember([each for each in texts if each not in self._place_of])
        self._place(values, known.scatter(codes.gather(firsts), [self._place_of[each] for each in texts]))

    def _remember(self, new: list[str]) -> pl.DataFrame:
        """Of all texts that were read, these last."""
        if self._values is None or new:
            self._place_of |= {each: len(self._place_of) + at for at, each in enumerate(new)}
            read = self._reader(pl.Series("text", new, dtype=pl.String))
            encoded = read.cast({pl.String: self._words})
            self._values = encoded if self._values is None else pl.concat([self._values, encoded])
        return self._values

    def _place(self, values: pl.DataFrame, places: pl.Series) -> None:
        self._places_of_codes = places
        self._values_of_codes = values.select(pl.all().gather(places))
        self._are_bad_codes = self._values_of_codes.drop_in_place(IS_BAD)
        unread = places.is_null().arg_true()
        self._first_unread = unread[0] if len(unread) else len(places)
