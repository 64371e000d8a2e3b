"""One column of the provider → typed columns of the dataset, held to the contract."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ekyc_tasks.normalize.lexicon import IS_BAD, MAX_REMEMBERED, Lexicon, Reading, true_at
from ekyc_tasks.task_types.base import NOT_DETERMINED, Field, as_it_is

MANY_ROWS = 2_000  # worth a lexicon


class FieldReader:
    """Reads one field, block by block."""

    def __init__(self, each: Field, rules: Sequence[pl.Expr]) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._rules = rules
        self._is_plain = self._tells_by_rules_alone()
        self._lexicon = Lexicon(self._read_watched)

    def read(self, text: pl.Series) -> Reading:
        """The dataset columns of this field, and where a text breaks the contract."""
        if isinstance(text.dtype, pl.Categorical):
            if len(text) >= MANY_ROWS:
                return self._lexicon.look_up(text)
            text = text.cast(pl.String)
        return self._read_others(text) if self._is_plain else Reading.of(self._read_watched(text))

    def _tells_by_rules_alone(self) -> bool:
        """Whether a text that keeps the rules is a value as it came, such as a link."""
        if not self._rules or self.field.known or tuple(self.field.into.values()) != (as_it_is,):
            return False
        return not self._keeps_rules(pl.Series("text", self._tokens())).any()

    def _keeps_rules(self, text: pl.Series) -> pl.Series:
        (into,) = self.field.into
        return text.alias(into).to_frame().select(pl.all_horizontal(*self._rules)).to_series()

    def _read_others(self, text: pl.Series) -> Reading:
        """Leaves the texts that keep the rules as they came, which most do, and reads the others."""
        others = true_at(~self._keeps_rules(text))
        read = Reading.of(self._read(text.gather(others)))
        (into,) = self.field.into
        kept = text.alias(into).scatter(others, read.values.get_column(into))
        return Reading(kept.to_frame(), others[read.bad])

    def _read_watched(self, text: pl.Series) -> pl.DataFrame:
        values = self._read(text)
        if self.field.known and len(self.new_words) < MAX_REMEMBERED:
            self.new_words |= set(values.to_series().unique().drop_nulls()) - self.field.known
        return values

    def _read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns, and `IS_BAD`: whether a text says something, and nothing that fits."""
        trimmed = pl.col("text").str.strip_chars()
        is_said = ~trimmed.str.to_lowercase().is_in(self._tokens())
        said = text.alias("text").to_frame().select(pl.when(is_said).then(trimmed))
        values = said.select(reads(pl.col("text")).alias(into) for into, reads in self.field.into.items())
        if self._rules:
            is_kept = pl.all_horizontal(*self._rules).fill_null(True)
            values = values.select(pl.when(is_kept).then(pl.all()))
        is_nothing = pl.all_horizontal(pl.all().is_null())
        return values.with_columns((is_nothing & said.to_series().is_not_null()).alias(IS_BAD))

    def _tokens(self) -> list[str]:
        return [*NOT_DETERMINED, *sorted(self.field.undetermined)]
