"""One column of the provider → typed columns of the dataset, held to the contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.task_types.base import Field

Codes = npt.NDArray[np.uint32]

IS_BAD = "__is_bad"
MAX_REMEMBERED = 10_000

# Documented and seen: they mean "not determined", which is not "no".
_NOT_DETERMINED = ("", "n/a", "unknown", "null", "-")
_EMPTY, _UNKNOWN = 0, 2**32 - 1


class FieldReader:
    """Reads one field, block by block.

    Categorical text is read once per distinct value: a twentieth of the work. Text columns that come of it
    are Categorical too, with categories in the order in which their first rows were read.
    """

    def __init__(self, each: Field, rules: Sequence[pl.Expr]) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._rules = rules
        self._forget()

    def read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns of this field, and `IS_BAD`: whether a text breaks the contract."""
        if isinstance(text.dtype, pl.Categorical):
            places = self._places(text)
            return self._values[places]
        values = self._read(text)
        self._watch(values)
        return values

    def _forget(self) -> None:
        self._words = pl.Categorical(pl.Categories.random())
        self._values = self._encoded(self._read(pl.Series("text", [""])))
        self._place_of = {"": _EMPTY}
        self._read_as: pl.DataType | None = None

    def _places(self, text: pl.Series) -> Codes:
        """Where in ``_values`` each text has its values; shape (rows,)."""
        if len(self._place_of) > MAX_REMEMBERED:
            self._forget()
        if text.dtype != self._read_as:  # another table, which has codes of its own
            self._read_as = text.dtype
            self._places_of_codes = np.array([_EMPTY], dtype=np.uint32)
        codes = (text.to_physical() + 1).fill_null(0).to_numpy()
        self._make_room(int(codes.max(initial=0)) + 1)
        places: Codes = self._places_of_codes[codes]
        if (places == _UNKNOWN).any():
            self._learn(text, codes, np.flatnonzero(places == _UNKNOWN))
            places = self._places_of_codes[codes]
        return places

    def _make_room(self, codes: int) -> None:
        more = max(0, codes - len(self._places_of_codes))
        self._places_of_codes = np.pad(self._places_of_codes, (0, more), constant_values=_UNKNOWN)

    def _learn(self, text: pl.Series, codes: Codes, rows: npt.NDArray[np.intp]) -> None:
        _, firsts = np.unique(codes[rows], return_index=True)
        rows = rows[np.sort(firsts)]
        texts = text[rows].cast(pl.String).to_list()
        new = [each for each in texts if each not in self._place_of]
        self._place_of |= {each: len(self._place_of) + at for at, each in enumerate(new)}
        values = self._read(pl.Series("text", new, dtype=pl.String))
        self._watch(values)
        self._values = pl.concat([self._values, self._encoded(values)])
        self._places_of_codes[codes[rows]] = [self._place_of[each] for each in texts]

    def _encoded(self, values: pl.DataFrame) -> pl.DataFrame:
        return values.cast({pl.String: self._words})

    def _watch(self, values: pl.DataFrame) -> None:
        if self.field.known and len(self.new_words) < MAX_REMEMBERED:
            self.new_words |= set(values.to_series().unique().drop_nulls()) - self.field.known

    def _read(self, text: pl.Series) -> pl.DataFrame:
        determined = self._determined(text)
        name = pl.col(determined.name)
        values = determined.to_frame().select(
            reads(name).alias(into) for into, reads in self.field.into.items()
        )
        if self._rules:
            is_kept = pl.all_horizontal(*self._rules).fill_null(True)
            values = values.select(pl.when(is_kept).then(pl.all()))
        is_nothing = values.select(pl.all_horizontal(pl.all().is_null())).to_series()
        return values.with_columns((is_nothing & determined.is_not_null()).alias(IS_BAD))

    def _determined(self, text: pl.Series) -> pl.Series:
        """Trimmed, and null where it says that nothing is known."""
        trimmed = text.str.strip_chars()
        tokens = [*_NOT_DETERMINED, *sorted(self.field.undetermined)]
        is_short = trimmed.str.len_bytes() <= max(map(len, tokens))  # few of many links are
        is_empty = trimmed.filter(is_short).str.to_lowercase().is_in(tokens)
        return trimmed.scatter(is_short.arg_true().filter(is_empty), None)
