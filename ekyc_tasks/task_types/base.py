"""What a task type is made of: the provider's columns, how their text is read, the contract of the rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import dataframely as dy
import polars as pl

from ekyc_tasks.support import vocabulary

NUMBER = "number"
NUMBER_ALIASES = ("number", "phone", "phonenumber", "mobile", "msisdn", "tel")
# Of what a reader gets besides the provider's columns, in this order after them.
EXTRA, CHECKED_AT, BATCH_ID, TASK_ID = "extra", "checked_at", "batch_id", "task_id"

# Documented and seen: they mean "not determined", which is not "no".
NOT_DETERMINED = ("", "n/a", "unknown", "null", "-")

# Few distinct values: cheap as a dictionary, and parsed once per value instead of once per row.
FEW_VALUES = {"few_values": True}

Reads = Callable[[pl.Expr], pl.Expr]
"""From text, trimmed and never a token of "not determined", to a value; null means that it is none."""
Glances = Callable[[pl.Series], pl.Series]
"""From texts to flags, true for what is surely a value just as it came; all else gets a closer look."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the provider and what becomes of it.

    ``aliases`` are other names seen for it, ``translations`` names that count where a header has none of
    these; ``into`` are the dataset columns that are read from it. ``expects`` completes the sentence
    "not …". ``undetermined`` are texts, in lower case, that say neither yes nor no; ``known`` values are an
    open vocabulary, of which a new one is reported (empty: not watched).
    ``at_a_glance`` spares most texts of a field with many distinct values the work.
    """

    name: str
    into: Mapping[str, Reads]
    expects: str
    aliases: tuple[str, ...] = ()
    translations: tuple[str, ...] = ()
    undetermined: frozenset[str] = frozenset()
    known: frozenset[str] = field(default=frozenset())
    has_few_values: bool = True
    at_a_glance: Glances | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TaskType:
    """A check that the provider offers.

    ``fields`` are its columns besides the number, in the documented order. The name of a rule of ``schema``
    over several dataset columns is the name of the field that they are read from.
    """

    name: str
    fields: tuple[Field, ...]
    schema: type[dy.Schema]
    verdict_column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The dataset's columns, in order."""
        return tuple(self.schema.column_names())

    @property
    def row_types(self) -> pl.Schema:
        return pl.Schema({name: column.dtype for name, column in self.schema.columns().items()})

    @property
    def few_value_columns(self) -> tuple[str, ...]:
        """The dataset columns worth a dictionary."""
        columns = self.schema.columns().items()
        return tuple(name for name, column in columns if (column.metadata or {}).get("few_values"))

    def rules(self, each: Field) -> list[pl.Expr]:
        """What the contract demands of the columns that are read from a field; true where it holds."""
        owned = {each.name, *each.into}
        return [rule for name, rule in _rules_of(self.schema).items() if name.partition("|")[0] in owned]

    @property
    def verdict(self) -> Field:
        return next(each for each in self.fields if self.verdict_column in each.into)

    @property
    def required(self) -> tuple[str, str]:
        """The provider's columns without which a load fails."""
        return NUMBER, self.verdict.name

    @property
    def has_yes_no_verdict(self) -> bool:
        """Whether a list of numbers under ``activated`` or ``unregistered`` answers this check."""
        return isinstance(self.schema.columns()[self.verdict_column], dy.Bool)


@cache
def _rules_of(schema: type[dy.Schema]) -> dict[str, pl.Expr]:
    """Named ``avatar|regex``, or after the field whose columns a rule is about."""
    # not public (see tests/unit/test_private_apis.py), and the only way to hold a column to its rules
    # without the whole row
    return {name: rule.expr for name, rule in schema._validation_rules(with_cast=False).items()}


# --- columns that every contract has ----------------------------------------------------------------------


def number_column() -> dy.String:
    return dy.String(nullable=False, regex=r"^\+[1-9][0-9]{5,14}$")


def calling_code_column() -> dy.Int32:
    return dy.Int32(nullable=True, min=1, max=999, metadata=FEW_VALUES)


def extra_column() -> dy.String:
    """JSON of what the contract does not know."""
    return dy.String(nullable=True)


def checked_at_column() -> dy.Datetime:
    return dy.Datetime(nullable=False, time_unit="us", time_zone="UTC", metadata=FEW_VALUES)


def provenance_column() -> dy.String:
    return dy.String(nullable=False, metadata=FEW_VALUES)


# --- how text is read -------------------------------------------------------------------------------------


_GAPS = r"[_\s-]+"
_VERDICTS = {
    re.sub(_GAPS, " ", vocabulary.fold(word)): verdict
    for verdict, words in ((True, vocabulary.YES), (False, vocabulary.NO))
    for word in words
}


def yes_or_no(text: pl.Expr) -> pl.Expr:
    """Documented: ``yes``, ``no``. Seen: ``true``, ``false``, ``registered``, ``Invalid``. Accepted: ``1``,
    ``0``, and what says the same in other languages."""
    tidy = _fold(text).str.replace_all(_GAPS, " ").str.strip_chars()
    return tidy.replace_strict(_VERDICTS, default=None, return_dtype=pl.Boolean)


def words(text: pl.Expr) -> pl.Expr:
    """Lower case, with single spaces where underscores have been seen. ``_`` and ``unknown_`` say nothing."""
    tidy = text.str.to_lowercase().str.replace_all(r"[_\s]+", " ").str.strip_chars()
    return pl.when(~tidy.is_in(NOT_DETERMINED)).then(tidy)


def one_word_of(meanings: Mapping[str, tuple[str, ...]]) -> Reads:
    """Words, of which those in other languages become the one that they mean."""
    known = {vocabulary.fold(word): meant for meant, words in meanings.items() for word in words}
    return lambda text: words(_fold(text)).replace(known)


def _fold(text: pl.Expr) -> pl.Expr:
    """As `vocabulary.fold`, for all letters that a word has there."""
    lower = text.str.normalize("NFKC").str.to_lowercase()
    return lower.str.replace_all(vocabulary.DOT_ABOVE, "", literal=True)


def as_it_is(text: pl.Expr) -> pl.Expr:
    return text


def whole_number(text: pl.Expr) -> pl.Expr:
    return text.str.extract(r"^([0-9]{1,9})(?:[.,]0+)?$").cast(pl.Int32)


_AGE = r"^([0-9]{1,3})(?:[.,]0+)?(?:\s*[-~–]\s*([0-9]{1,3}))?$"


def lower_age(text: pl.Expr) -> pl.Expr:
    """Documented: ``25``. Seen in the field: ``30-35``, ``25~34``."""
    return text.str.extract(_AGE, 1).cast(pl.Int32)


def upper_age(text: pl.Expr) -> pl.Expr:
    return pl.coalesce(text.str.extract(_AGE, 2), text.str.extract(_AGE, 1)).cast(pl.Int32)


BANNED = frozenset({"ban", "banned"})
"""Seen in place of a verdict: the account is closed to the check, which is neither yes nor no."""
NO_VERDICT = BANNED | {vocabulary.fold(word) for word in vocabulary.UNKNOWN}


def verdict_field(name: str) -> Field:
    """The yes or no of a check."""
    return Field(
        name,
        into={name: yes_or_no},
        expects="yes or no",
        aliases=("activated", "registered"),
        translations=vocabulary.VERDICTS,
        undetermined=NO_VERDICT,
    )
