"""Texts of the provider → typed columns of the dataset, held to the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from ekyc_tasks.normalize.value_cache import IS_BAD, MAX_REMEMBERED, FieldValues, ValueCache, true_at
from ekyc_tasks.task_types.base import NOT_DETERMINED, Field, TaskType

MANY_ROWS = 2_000  # worth a lexicon, and a look at each field by itself


class Reader:
    """Reads all fields of a task type, block by block."""

    def __init__(self, task_type: TaskType) -> None:
        self._readers = {each.name: FieldReader(each, task_type.rules(each)) for each in task_type.fields}

    def read(self, texts: Mapping[str, pl.Series]) -> dict[str, FieldValues]:
        """By field; ``texts`` are by field too, and of one length."""
        if len(next(iter(texts.values()))) < MANY_ROWS:
            return self._together(texts)
        return {name: self._readers[name].read(text) for name, text in texts.items()}

    def _together(self, texts: Mapping[str, pl.Series]) -> dict[str, FieldValues]:
        """All at once, because polars costs more per call than per row."""
        readers = [self._readers[name] for name in texts]
        plain = pl.DataFrame([text.alias(name) for name, text in texts.items()]).cast(pl.String)
        values, bad = _read(readers, plain)
        found = {}
        for each in readers:
            columns = [values.get_column(into) for into in each.field.into]
            each.watch(columns[0])
            found[each.field.name] = FieldValues(columns, true_at(bad.get_column(each.field.name)))
        return found

    def new_words(self) -> dict[str, set[str]]:
        """Values of open vocabularies that were not seen before, by field."""
        return {name: each.new_words for name, each in self._readers.items() if each.new_words}


class FieldReader:
    """Reads one field."""

    def __init__(self, each: Field, rules: Sequence[pl.Expr]) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._rules = rules
        self._lexicon = ValueCache(self._read)

    def read(self, text: pl.Series) -> FieldValues:
        if isinstance(text.dtype, pl.Categorical):
            return self._lexicon.look_up(text)
        if self.field.at_a_glance is not None:
            return self._read_others(text, self.field.at_a_glance(text))
        return FieldValues.of(self._read(text))

    def watch(self, values: pl.Series) -> None:
        """Notes words that are not known of an open vocabulary."""
        if self.field.known and len(self.new_words) < MAX_REMEMBERED:
            self.new_words |= set(values.to_list()) - self.field.known - {None}

    def text(self) -> pl.Expr:
        """The text of a column with the field's name; null where it says nothing."""
        trimmed = pl.col(self.field.name).str.strip_chars()
        is_said = ~trimmed.str.to_lowercase().is_in(self._tokens())
        return pl.when(is_said).then(trimmed).alias(self.field.name)

    def values(self) -> list[pl.Expr]:
        """What was said, read as dataset columns."""
        return [reads(pl.col(self.field.name)).alias(into) for into, reads in self.field.into.items()]

    def valid(self) -> pl.Expr:
        """Of these what keeps the rules."""
        keeps = pl.all_horizontal(*self._rules).fill_null(True) if self._rules else pl.lit(True)
        return pl.when(keeps).then(pl.col([*self.field.into]))

    def is_bad(self) -> pl.Expr:
        """Something was said, and nothing was kept."""
        is_nothing = pl.all_horizontal(pl.col([*self.field.into]).is_null())
        return (is_nothing & pl.col(f"said {self.field.name}").is_not_null()).alias(self.field.name)

    def _read_others(self, text: pl.Series, is_value: pl.Series) -> FieldValues:
        """Leaves the texts that are values as they came, which most do, and reads the others."""
        others = true_at(~is_value)
        read = FieldValues.of(self._read(text.gather(others)))
        (into,) = self.field.into
        return FieldValues([text.alias(into).scatter(others, read.values[0])], others[read.bad])

    def _read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns, and `IS_BAD`."""
        values, bad = _read([self], text.alias(self.field.name).to_frame())
        self.watch(values.to_series().unique())
        return values.with_columns(bad.to_series().alias(IS_BAD))

    def _tokens(self) -> list[str]:
        return [*NOT_DETERMINED, *sorted(self.field.undetermined)]


def _read(readers: Sequence[FieldReader], texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The dataset columns; and, by field as ``texts`` are, whether a text breaks the contract."""
    said = texts.select(each.text() for each in readers)
    values = said.select(value for each in readers for value in each.values())
    kept = values.select(each.valid() for each in readers)
    both = pl.concat([kept, said.rename("said {}".format)], how="horizontal")
    return kept, both.select(each.is_bad() for each in readers)
