"""Blocks of raw text → typed rows, and what could not be read as data with reasons.

Headers and values vary (some are documented by the provider, some seen in the field); a `Layout` is what a
first row turned out to mean, a `Normalizer` reads blocks by it. Polars expressions throughout, no I/O. No
sentence made here holds the value of a cell, but for new words of an open vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.archive import Int64Array
from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.numbers import calling_code
from ekyc_tasks.task_types import base
from ekyc_tasks.task_types.base import NUMBER, Field, TaskType

Flags = npt.NDArray[np.bool_]

UNREADABLE = 0
"""The key of a row whose number cannot be read."""

ISSUES = pl.Schema({"line": pl.Int64, "reason": pl.String, "column": pl.String, "raw": pl.String})

# Documented and seen: they mean "not determined", which is not "no".
_NOT_DETERMINED = ("", "n/a", "unknown", "null", "-")
# The shortest and longest E.164 numbers in use have 6 and 15 digits.
_MIN_DIGITS, _MAX_DIGITS = 6, 15
_SMALLEST_KEY, _KEY_LIMIT = 10 ** (_MIN_DIGITS - 1), 10**_MAX_DIGITS
_FULL_DECIMALS = 8
_IS_BAD = "__is_bad"
_MAX_REMEMBERED = 10_000
_MAX_NAMED, _MAX_WORD = 10, 40


# --- what a first row means -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extra:
    """A column that the contract does not know, or one that repeats the column at ``repeats``."""

    position: int
    key: str
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table keeps what; positions count from 0.

    ``names`` are the columns' names, each once; ``numbers`` where a number stands, ``fields`` where the
    contract's other columns do. ``verdict`` is what the member's name says about all its rows.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    fields: Mapping[str, int]
    extras: tuple[Extra, ...]
    has_header: bool
    dialect: str
    verdict: bool | None = None

    def answers(self, task_type: TaskType) -> bool:
        """Whether it says a verdict, in a column or by the member's name."""
        by_name = self.verdict is not None and task_type.has_yes_no_verdict
        return by_name or task_type.verdict.name in self.fields


def layout_of(head: Sequence[str], task_type: TaskType, verdict: bool | None = None) -> Layout | None:
    """The layout behind a first row, header or not; None if it has no number.

    Without a header the documented order of columns is taken.
    """
    owners = [_owner(cell, task_type) for cell in head]
    if NUMBER in owners:
        return _layout([_snake(cell) for cell in head], owners, _dialect(head, task_type), True, verdict)
    if not head or not _is_number(head[0]):
        return None
    documented = (NUMBER, *(each.name for each in task_type.fields))
    owners = [*documented, *[None] * len(head)][: len(head)]
    names = [owner or f"column_{position}" for position, owner in enumerate(owners, start=1)]
    return _layout(names, owners, "no header", False, verdict)


def worth(head: Sequence[str], task_type: TaskType) -> int:
    """How many columns of the contract a first row offers; 0 if it has no number."""
    layout = layout_of(head, task_type)
    return 0 if layout is None else 1 + len(layout.fields)


def _layout(
    names: list[str], owners: Sequence[str | None], dialect: str, has_header: bool, verdict: bool | None
) -> Layout:
    first: dict[str | None, int] = {}
    for position, owner in enumerate(owners):
        # of several columns for one thing, the one with the documented name counts
        if owner and (owner not in first or (names[position] == owner != names[first[owner]])):
            first[owner] = position
    unique = _each_once(names)
    return Layout(
        names=unique,
        numbers=(
            first[NUMBER],
            *(at for at, owner in enumerate(owners) if owner == NUMBER and at != first[NUMBER]),
        ),
        fields={owner: at for owner, at in first.items() if owner and owner != NUMBER},
        extras=tuple(
            Extra(at, unique[at], first.get(owner))
            for at, owner in enumerate(owners)
            if at not in first.values()
        ),
        has_header=has_header,
        dialect="number list" if len(names) == 1 else dialect,
        verdict=verdict,
    )


def _owner(cell: str, task_type: TaskType) -> str | None:
    """The contract's name for a header cell. Case, spaces, hyphens and underscores do not matter."""
    seen = _squashed(cell)
    if seen in map(_squashed, base.NUMBER_ALIASES):
        return NUMBER
    for each in task_type.fields:
        if seen in map(_squashed, (each.name, *each.aliases)):
            return each.name
    return None


def _squashed(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _snake(name: str) -> str:
    """``Last Online Time`` → ``last_online_time``; a byte order mark goes the same way."""
    words = "".join(sign if sign.isalnum() else " " for sign in name.casefold()).split()
    return "_".join(words)[:_MAX_WORD] or "unnamed"


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    """A repeated name gets a number: seen in the field is a header that holds ``number`` twice."""
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return tuple(unique)


def _dialect(head: Sequence[str], task_type: TaskType) -> str:
    """Which of the known headers it is: the documented one, or one named after what sets it apart."""
    names = {_squashed(cell) for cell in head}
    if names & {"uid", "username"}:
        return "profile"
    if _squashed(task_type.verdict.name) in names:
        return "documented"
    return next((alias for alias in task_type.verdict.aliases if _squashed(alias) in names), "no verdict")


# --- numbers ----------------------------------------------------------------------------------------------


def row_keys(frame: pl.DataFrame, layout: Layout) -> Int64Array:
    """The digits of each row's number as an integer, `UNREADABLE` where there is none; shape (rows,)."""
    keys = number_keys(frame.to_series(layout.numbers[0]))
    for position in layout.numbers[1:]:
        if not keys.has_nulls():
            break
        keys = keys.fill_null(number_keys(frame.to_series(position)))
    return keys.fill_null(UNREADABLE).to_numpy()


def number_keys(text: pl.Series) -> pl.Series:
    """Digits as Int64, null where a text is no phone number. Seen in the field: with and without ``+``."""
    name = text.name
    number, key = pl.col(name), pl.col(name).cast(pl.Int64, strict=False)
    has_prefix = number.str.starts_with("0") | number.str.starts_with("+0")
    is_plain = _is_in_range(key) & ~has_prefix
    keys = text.to_frame().select(pl.when(is_plain).then(key)).to_series()
    if not keys.has_nulls():
        return keys
    is_hard = keys.is_null()
    return keys.scatter(is_hard.arg_true(), _untidy_keys(text.filter(is_hard)))


def _untidy_keys(text: pl.Series) -> pl.Series:
    """What spreadsheets and people make of numbers: spaces, brackets, ``00``, floats, powers of ten."""
    tidy = (
        pl.col(text.name)
        .str.replace_all(r"""[\s\p{Cf}()'"=]""", "")
        .str.replace_all(r"(\d)-", "${1}")
        .str.replace(r"^\+?00", "")
    )
    whole = tidy.str.extract(r"^\+?([1-9]\d{5,14})(?:[.,]0+)?$").cast(pl.Int64)
    key = pl.coalesce(whole, _power_of_ten(tidy))
    return text.to_frame().select(pl.when(_is_in_range(key)).then(key)).to_series()


def _is_in_range(key: pl.Expr) -> pl.Expr:
    return key.is_between(_SMALLEST_KEY, _KEY_LIMIT, closed="left")


def _power_of_ten(text: pl.Expr) -> pl.Expr:
    """``4.1798284651E+10`` → 41798284651; null if digits are lost, as in ``4.17983E+10``.

    Who writes a number in full leaves out its trailing zeros, so eight decimals are taken for all of them.
    """
    parts = text.str.extract_groups(r"^([1-9])[.,](\d{1,14})[eE]\+?(\d{1,2})$")
    shown, power = parts.struct.field("2"), parts.struct.field("3").cast(pl.Int64)
    decimals = shown.str.strip_chars_end("0")
    lost = power - decimals.str.len_chars().cast(pl.Int64)
    is_whole = (
        (lost >= 0)
        & (power < _MAX_DIGITS)
        & ((decimals.str.len_chars() >= _FULL_DECIMALS) | (shown.str.len_chars() >= power))
    )
    digits = pl.concat_str(parts.struct.field("1"), decimals).cast(pl.Int64)
    return pl.when(is_whole).then(digits * pl.lit(10, pl.Int64).pow(lost.clip(0, _MAX_DIGITS)))


def _is_number(text: str) -> bool:
    return not number_keys(pl.Series("number", [text])).has_nulls()


# --- values -----------------------------------------------------------------------------------------------


class _Reader:
    """Reads one field. A column of few distinct values is read once per value: a fifth of the work."""

    def __init__(self, each: Field) -> None:
        self.field = each
        self.new_words: set[str] = set()
        self._positions: dict[str, int] = {}
        self._values = self._read(pl.Series("text", [], dtype=pl.String))

    def read(self, text: pl.Series) -> pl.DataFrame:
        """The dataset columns of this field, and whether a text is bad; shape (rows, columns + 1)."""
        if not self.field.has_few_values:
            return self._read(text)
        encoded = text.to_arrow(compat_level=pl.CompatLevel.newest()).dictionary_encode()
        distinct = encoded.dictionary.to_pylist()
        self._learn([each for each in distinct if each not in self._positions])
        positions = np.array([self._positions[each] for each in distinct], dtype=np.uint32)
        rows = self._values[positions[encoded.indices.to_numpy()]] if len(text) else self._values.clear()
        if len(self._positions) > _MAX_REMEMBERED:  # it was not few after all
            self._positions.clear()
            self._values = self._values.clear()
        return rows

    def _learn(self, texts: list[str]) -> None:
        if not texts:
            return
        first = len(self._positions)
        self._positions |= {text: first + offset for offset, text in enumerate(texts)}
        values = self._read(pl.Series("text", texts, dtype=pl.String))
        self._values = pl.concat([self._values, values])
        if self.field.known and len(self.new_words) < _MAX_REMEMBERED:
            self.new_words |= set(values.to_series().drop_nulls()) - self.field.known

    def _read(self, text: pl.Series) -> pl.DataFrame:
        name = text.name
        trimmed = pl.col(name).str.strip_chars()
        is_empty = trimmed.str.to_lowercase().is_in([*_NOT_DETERMINED, *sorted(self.field.undetermined)])
        determined = text.to_frame().select(pl.when(~is_empty).then(trimmed).alias(name))
        values = determined.select(reads(pl.col(name)).alias(into) for into, reads in self.field.into.items())
        is_bad = (
            determined.to_series().is_not_null()
            & values.select(pl.all_horizontal(pl.all().is_null())).to_series()
        )
        return values.with_columns(is_bad.alias(_IS_BAD))


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when the rows of a batch come from; ``checked_at`` is aware."""

    checked_at: datetime
    batch_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Normalized:
    """``rows`` keep the task type's contract, in the order given; ``issues`` are cells that became null."""

    rows: pl.DataFrame
    issues: pl.DataFrame


class Normalizer:
    """Reads the accepted rows of one batch, block by block, and remembers what was new about them."""

    def __init__(self, task_type: TaskType, stamp: Stamp) -> None:
        self.task_type = task_type
        self.bad_cells: Counter[str] = Counter()
        self._readers = {each.name: _Reader(each) for each in task_type.fields}
        self._stamp = (
            pl.lit(stamp.checked_at.astimezone(UTC), pl.Datetime("us", "UTC")).alias(base.CHECKED_AT),
            pl.lit(stamp.batch_id).alias(base.BATCH_ID),
            pl.lit(stamp.task_id).alias(base.TASK_ID),
        )

    def read(self, frame: pl.DataFrame, lines: Int64Array, keys: Int64Array, layout: Layout) -> Normalized:
        """Accepted raw rows → typed rows. Raises `LoadFailed` if this code itself broke the contract."""
        number = (pl.lit("+") + pl.Series(NUMBER, keys).cast(pl.String)).alias(NUMBER)
        columns = [frame.select(number).to_series()]
        bad: dict[str, pl.Series] = {}
        for each in self.task_type.fields:
            values = self._values(each, frame, layout)
            bad[each.name] = values.drop_in_place(_IS_BAD)
            columns += values.get_columns()
        rows = pl.DataFrame(columns).with_columns(
            calling_code(pl.col(NUMBER)).alias("calling_code"), _extra(frame, layout), *self._stamp
        )
        rows, broken = self._held_to_contract(rows.select(self.task_type.columns))
        for name, is_broken in broken.items():
            bad[name] |= is_broken
        return Normalized(rows, self._issues(bad, frame, lines, layout))

    def new_words(self) -> dict[str, set[str]]:
        """Values of open vocabularies that nobody has seen before, by the provider's column."""
        return {name: reader.new_words for name, reader in self._readers.items() if reader.new_words}

    def _values(self, each: Field, frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
        position = layout.fields.get(each.name)
        if position is not None:
            return self._readers[each.name].read(frame.to_series(position))
        is_named = each is self.task_type.verdict and layout.verdict is not None
        text = ("yes" if layout.verdict else "no") if is_named else ""
        return self._readers[each.name].read(
            pl.Series("text", [text], dtype=pl.String).new_from_index(0, frame.height)
        )

    def _held_to_contract(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
        """The rows with cells that break a rule made null, and which those were, by the provider's column."""
        kept, failure = self.task_type.schema.filter(rows)
        if kept.height == rows.height:
            return kept, {}
        broken: dict[str, pl.Series] = {}
        details = failure.details()
        for rule in failure.counts():
            owner = self._owner_of(rule)
            failed = details.filter(pl.col(rule) == "invalid").get_column(NUMBER)
            is_broken = rows.get_column(NUMBER).is_in(failed.implode())
            broken[owner.name] = broken.get(owner.name, is_broken) | is_broken
            rows = rows.with_columns(pl.when(~is_broken).then(pl.col(owner.into)).name.keep())
        return rows, broken

    def _owner_of(self, rule: str) -> Field:
        """``avatar|regex`` and a rule named ``age`` belong to the provider's columns of these names."""
        name = rule.partition("|")[0]
        for each in self.task_type.fields:
            if name == each.name or name in each.into:
                return each
        raise LoadFailed(
            f"rows that break the rule {rule!r} of {self.task_type.name} came out of reading them"
        )

    def _issues(
        self, bad: Mapping[str, pl.Series], frame: pl.DataFrame, lines: Int64Array, layout: Layout
    ) -> pl.DataFrame:
        found = [pl.DataFrame(schema=ISSUES)]
        for name, is_bad in bad.items():
            if is_bad.any():
                self.bad_cells[name] += int(is_bad.sum())
                reason = f"not {self._readers[name].field.expects}"
                found.append(set_apart(frame, lines, is_bad.to_numpy(), layout, reason=reason, column=name))
        return pl.concat(found)


def set_apart(
    frame: pl.DataFrame,
    lines: Int64Array,
    is_meant: Flags,
    layout: Layout,
    *,
    reason: str,
    column: str | None = None,
) -> pl.DataFrame:
    """Rows for the quarantine, as `ISSUES`: ``raw`` is JSON of the row's own cells by the header's names."""
    names = frame.columns
    cells = pl.struct(pl.col(old).alias(new) for old, new in zip(names, layout.names, strict=True))
    return frame.filter(is_meant).select(
        pl.Series("line", lines[is_meant], dtype=pl.Int64),
        pl.lit(reason).alias("reason"),
        pl.lit(column, pl.String).alias("column"),
        cells.struct.json_encode().alias("raw"),
    )


def ragged_apart(ragged: Sequence[tuple[int, str]]) -> pl.DataFrame:
    """The same for lines whose cells cannot be told apart: ``raw`` is the line."""
    frame = pl.DataFrame(ragged, schema={"line": pl.Int64, "raw": pl.String}, orient="row")
    return frame.select(
        "line",
        pl.lit("more or fewer cells than the header").alias("reason"),
        pl.lit(None, pl.String).alias("column"),
        "raw",
    )


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
        first = pl.col(frame.columns[extra.repeats])
        is_news &= text.str.strip_chars_start("+") != first.str.strip_chars_start("+")
    encoded = pl.struct(text.alias(extra.key)).struct.json_encode()
    return pl.when(is_news).then(encoded.str.slice(1, encoded.str.len_chars() - 2))


# --- drift ------------------------------------------------------------------------------------------------


def layout_drift(layout: Layout, task_type: TaskType) -> Iterator[str]:
    """A sentence for each column that is absent or unknown; names of columns only."""
    if layout.dialect == "number list":
        yield "The archive holds lists of bare numbers only: nothing but the verdict is known."
        return
    if not layout.has_header:
        yield "There is no header: the columns were taken in the documented order."
    for each in task_type.fields:
        if each.name not in layout.fields:
            yield f"Column {each.name} is absent."
    for extra in layout.extras:
        repeated = extra.repeats is not None
        yield (
            f"Column {extra.key} repeats another."
            if repeated
            else f"Column {extra.key} is not in the contract; it is kept in extra."
        )


def value_drift(normalizer: Normalizer) -> Iterator[str]:
    """A sentence for each column with new words or bad cells; what may be no word is not named."""
    for name, words in normalizer.new_words().items():
        named = sorted(word for word in words if _is_harmless(word))[:_MAX_NAMED]
        others = len(words) - len(named)
        listed = ", ".join(named) + (f" and {others} others" if named and others else "")
        yield f"Column {name} has new values: {listed or others}."
    for name, count in normalizer.bad_cells.items():
        expects = next(each.expects for each in normalizer.task_type.fields if each.name == name)
        yield f"Column {name} has {count} cells that are not {expects}."


def _is_harmless(word: str) -> bool:
    return len(word) <= _MAX_WORD and all(sign.isalpha() or sign == " " for sign in word)
