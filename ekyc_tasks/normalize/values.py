"""One column of the provider → typed columns of the dataset, held to the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import polars as pl

from ekyc_tasks.task_types.base import NOT_DETERMINED, Field, as_it_is

IS_BAD = "__is_bad"
MAX_REMEMBERED = 10_000

_UNKNOWN = 2**32 - 1


class FieldReader:
    """Reads one field, block by block.

    Categorical text is read once per distinct value: a twentieth of the work. Text columns that come of it
    are Categorical too, with categories in the order in which their first rows were read.
    """

    _values: pl.DataFrame  # by place: what the text there is read as

    def __init__(self, each: Field, rules: Sequence[pl.Expr]) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._rules = rules
        self._is_plain = self._tells_by_rules_alone()
        self._forget()

    def read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns of this field, and `IS_BAD`: whether a text breaks the contract."""
        if isinstance(text.dtype, pl.Categorical):
            places = self._places(text)
            if self._values.width == 0:  # nothing but empty cells so far
                self._values = self._encoded(self._read(pl.Series("text", [], dtype=pl.String)))
            values = self._values.select(pl.all().gather(places))
            return values.with_columns(pl.col(IS_BAD).fill_null(False))
        values = self._read_others(text) if self._is_plain else self._read(text)
        self._watch(values)
        return values

    def _tells_by_rules_alone(self) -> bool:
        """Whether a text that keeps the rules is a value as it came, such as a link."""
        if not self._rules or tuple(self.field.into.values()) != (as_it_is,):
            return False
        return not self._keeps_rules(pl.Series("text", self._tokens())).any()

    def _keeps_rules(self, text: pl.Series) -> pl.Series:
        (into,) = self.field.into
        return text.alias(into).to_frame().select(pl.all_horizontal(*self._rules)).to_series()

    def _read_others(self, text: pl.Series) -> pl.DataFrame:
        """Leaves the texts that keep the rules as they came, which most do, and reads the others."""
        others = (~self._keeps_rules(text)).fill_null(False)
        values = self._read(text.filter(others))
        (into,) = self.field.into
        places = others.arg_true()
        kept = text.alias(into).scatter(places, values.get_column(into))
        is_bad = pl.repeat(False, len(text), eager=True).scatter(places, values.get_column(IS_BAD))
        return pl.DataFrame([kept, is_bad.alias(IS_BAD)])

    def _forget(self) -> None:
        self._words = pl.Categorical(pl.Categories.random())
        self._values = pl.DataFrame()
        self._place_of: dict[str, int] = {}
        self._read_as: pl.DataType | None = None

    def _places(self, text: pl.Series) -> pl.Series:
        """Where in ``_values`` each text has its values; null for an empty cell, which has none."""
        if len(self._place_of) > MAX_REMEMBERED:
            self._forget()
        if text.dtype != self._read_as:  # another table, which has codes of its own
            self._read_as = text.dtype
            self._places_of_codes = pl.Series([], dtype=pl.UInt32)
        codes = text.to_physical()
        self._make_room(codes)
        places = self._places_of_codes.gather(codes)
        if places.max() == _UNKNOWN:
            self._learn(text, codes, (places == _UNKNOWN).arg_true())
            places = self._places_of_codes.gather(codes)
        return places

    def _make_room(self, codes: pl.Series) -> None:
        highest = cast("int | None", codes.max())
        missing = 0 if highest is None else highest + 1 - len(self._places_of_codes)
        if missing > 0:
            self._places_of_codes = self._places_of_codes.extend_constant(_UNKNOWN, missing)

    def _learn(self, text: pl.Series, codes: pl.Series, rows: pl.Series) -> None:
        """Read the texts that are new in these rows, in their order."""
        firsts = rows.gather(codes.gather(rows).arg_unique().sort())
        texts = text.gather(firsts).cast(pl.String).to_list()
        new = [each for each in texts if each not in self._place_of]
        self._place_of |= {each: len(self._place_of) + at for at, each in enumerate(new)}
        values = self._read(pl.Series("text", new, dtype=pl.String))
        self._watch(values)
        known = [self._values] if self._values.width else []
        self._values = pl.concat([*known, self._encoded(values)])
        self._places_of_codes.scatter(codes.gather(firsts), [self._place_of[each] for each in texts])

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
        trimmed, tokens = text.str.strip_chars(), self._tokens()
        is_short = trimmed.str.len_bytes() <= max(map(len, tokens))  # few of many links are
        is_empty = trimmed.filter(is_short).str.to_lowercase().is_in(tokens)
        return trimmed.scatter(is_short.arg_true().filter(is_empty), None)

    def _tokens(self) -> list[str]:
        return [*NOT_DETERMINED, *sorted(self.field.undetermined)]
