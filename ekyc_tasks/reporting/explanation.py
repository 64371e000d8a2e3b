"""How a landed file is read, and why, as far as a person may see it: no number and no cell as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import Arrival, LineBlock
from ekyc_tasks.intake.columns import EVERY_COLUMN, SeveralColumns
from ekyc_tasks.intake.file_layout import Column, FileLayout, Why
from ekyc_tasks.intake.line_block import NO_COLUMN, ColumnNumbers
from ekyc_tasks.intake.read_numbers import are_abroad, read_named_list
from ekyc_tasks.intake.rules import NO_RULES, ReadingPolicy
from ekyc_tasks.intake.text import NO_DELIMITER
from ekyc_tasks.money import price
from ekyc_tasks.phone import NO_MSISDN, BareDigits, Readings, calling_codes, digit_counts
from ekyc_tasks.phone.msisdns import MsisdnBuffer
from ekyc_tasks.support.redact import shape_of, without_numbers

_FIRST = 10  # numbers and rejected lines that are shown of each file


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """``shape``: the cell, masked."""

    line: int
    reason: str
    shape: str


@dataclass(frozen=True, slots=True)
class _FoundNumber:
    """``abroad``: the same digits as an international number, where they may be one as well; else 0."""

    line: int
    column: int
    key: int
    abroad: int


class Observation:
    """What is seen of one file while it is read: as far as it was read, where it is a question."""

    def __init__(self, arrival: Arrival, policy: ReadingPolicy) -> None:
        self.arrival = arrival
        self.error: InputError | None = None
        self.layout: FileLayout | None = None
        self.country_titles: tuple[str, ...] = ()
        self.bare = BareDigits()
        self.numbers = 0
        self.first: list[_FoundNumber] = []
        self.rejected: list[RejectedLine] = []
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, RejectedLine] = {}
        self._policy = policy
        self._keys: dict[int, MsisdnBuffer] = {}
        self.rules = NO_RULES
        with suppress(InputError):  # the planning says it
            self.rules = policy.rules_for(arrival)

    def see(self, block: LineBlock, readings: Readings, rejected: pl.DataFrame) -> None:
        self.layout = block.layout
        self.country_titles = block.country_titles
        self.bare += readings.bare
        self.numbers += int(np.count_nonzero(readings.keys)) + len(readings.more_keys)
        if len(self.first) < _FIRST:
            self.first += _find_first(block, readings)[: _FIRST - len(self.first)]
        self._see_rejected(rejected)
        if block.columns is not None and len(block.layout.columns) > 1:
            self._count_columns(block.columns, readings)

    def refuse(self, error: InputError) -> None:
        self.error = error

    def count_by_column(self) -> list[tuple[Column, int]]:
        """How many different numbers each of several columns has; of a question, each column in question."""
        if isinstance(self.error, SeveralColumns):
            return self._count_in_question(self.error)
        columns = self.layout.columns if self.layout is not None else ()
        counts = ((column, self._keys.get(at)) for at, column in enumerate(columns))
        return [(column, 0 if keys is None else len(keys.sort_keys())) for column, keys in counts] * (
            len(columns) > 1
        )

    def _count_in_question(self, error: SeveralColumns) -> list[tuple[Column, int]]:
        chosen = tuple((column.place, column.title) for column in error.columns)
        rules = replace(self.rules, columns=() if chosen else EVERY_COLUMN, chosen=chosen)
        again = Observation(self.arrival, self._policy)
        with suppress(InputError):  # it is a question already
            read_named_list(self.arrival.path, name=self.arrival.name, reading=rules, observer=again)
        return again.count_by_column()

    def _see_rejected(self, rejected: pl.DataFrame) -> None:
        new = {reason for reason in rejected["reason"].unique() if reason not in self.examples}
        shown = rejected.head(_FIRST - len(self.rejected))
        firsts = rejected.filter(pl.col("reason").is_in(new)).unique("reason", keep="first")
        self.rejected += map(_describe_rejected, shown.iter_rows())
        self.examples |= {row[1]: _describe_rejected(row) for row in firsts.iter_rows()}
        self.reasons.update(dict(rejected["reason"].value_counts().iter_rows()))

    def _count_columns(self, columns: ColumnNumbers, readings: Readings) -> None:
        more = columns[readings.more_places]
        for at in np.unique(columns[columns != NO_COLUMN]).tolist():
            keys = readings.keys[(columns == at) & (readings.keys != NO_MSISDN)]
            buffer = self._keys.setdefault(at, MsisdnBuffer())
            buffer.add(keys)
            buffer.add(readings.more_keys[more == at])


def explain(observation: Observation, policy: ReadingPolicy, *, per_10k: Decimal | None) -> dict[str, Any]:
    """Plain data. Without a ``layout``, the file was not read far enough to know it."""
    seen = observation
    is_abroad = None
    home = "the country beside them" if seen.country_titles else seen.rules.region
    with suppress(InputError):  # the question is told anyway
        is_abroad = are_abroad(seen.arrival.name, seen.bare, home)
    return {
        "name": seen.arrival.name,
        "question": None if seen.error is None else without_numbers(str(seen.error)),
        "format": "".join(PurePath(seen.arrival.name).suffixes[-2:]).lower(),
        "encoding": seen.rules.encoding,
        "region": seen.rules.region,
        "region_said": policy.who_says("region", seen.arrival),
        "layout": None if seen.layout is None else _describe_layout(seen, seen.layout, policy),
        "bare_digits": _describe_bare(seen.bare, home, is_abroad),
        "numbers": seen.numbers,
        "columns": describe_columns(seen, per_10k),
        "first_numbers": [_describe_number(each, seen.layout, is_abroad) for each in seen.first],
        "first_rejected": [
            {"line": each.line, "reason": each.reason, "example": each.shape} for each in seen.rejected
        ],
    }


def describe_columns(observation: Observation, per_10k: Decimal | None) -> list[dict[str, Any]]:
    """Each of several columns, as if all of its numbers were new."""
    return [
        {"column": _name(column), "numbers": numbers, "price": _money(price(numbers, per_10k))}
        for column, numbers in observation.count_by_column()
    ]


def describe_reasons(
    counted: Mapping[str, int], observations: Sequence[Observation]
) -> Iterator[dict[str, Any]]:
    """How many lines were rejected for each reason, with one of them. ``counted``: of files that are planned;
    those of files that are a question are added."""
    reasons = Counter(counted)
    for each in observations:
        reasons.update(each.reasons if each.error is not None else {})
    for reason, lines in sorted(reasons.items(), key=lambda each: (-each[1], each[0])):
        seen = next((each for each in observations if reason in each.examples), None)
        example = None if seen is None else seen.examples[reason]
        yield {
            "reason": reason,
            "lines": lines,
            "file": None if seen is None else seen.arrival.name,
            "line": None if example is None else example.line,
            "example": None if example is None else example.shape,
        }


def mask_number(key: int) -> str:
    """`+41 ••••••••• (11 digits)`"""
    keys = np.array([key])
    digits = digit_counts(keys)
    code = str(calling_codes(keys, digits)[0] or "")
    count = int(digits[0])
    return f"+{code} {'•' * (count - len(code))} ({count} digits)"


def _find_first(block: LineBlock, readings: Readings) -> list[_FoundNumber]:
    """In the order of the file."""
    singles = np.flatnonzero(readings.keys != NO_MSISDN)[:_FIRST]
    found = [(int(place), int(readings.keys[place])) for place in singles]
    found += zip(readings.more_places[:_FIRST].tolist(), readings.more_keys[:_FIRST].tolist(), strict=True)
    abroad = dict(zip(readings.doubt_places.tolist(), readings.doubt_keys.tolist(), strict=True))
    return [
        _FoundNumber(
            int(block.lines[place]),
            0 if block.columns is None else int(block.columns[place]),
            key,
            abroad.get(place, 0),
        )
        for place, key in sorted(found, key=lambda each: each[0])
    ]


def _describe_rejected(row: tuple[int, str, str | None]) -> RejectedLine:
    line, reason, raw = row
    return RejectedLine(line, reason, shape_of(raw or ""))


def _describe_layout(seen: Observation, layout: FileLayout, policy: ReadingPolicy) -> dict[str, Any]:
    why = layout.why.value
    if layout.why in {Why.NAMED, Why.EVERY}:
        why = f"{why} ({policy.who_says('columns', seen.arrival)})"
    return {
        "delimiter": None if layout.delimiter == NO_DELIMITER else layout.delimiter,
        "sheet": None if layout.sheet is None else without_numbers(layout.sheet),
        "header": layout.header,
        "titles_skipped": layout.titles,
        "columns": [_name(column) for column in layout.columns],
        "why": why,
        "country_columns": [without_numbers(title) for title in seen.country_titles],
    }


def _describe_bare(bare: BareDigits, home: str | None, is_abroad: bool | None) -> dict[str, Any]:
    """``read_as``: what those are taken for that may be both; None where the file does not say it."""
    reading = "international" if is_abroad or home is None else "national"
    return {
        "read_as": None if is_abroad is None else reading,
        "national": bare.national,
        "international": bare.abroad,
        "both": bare.both,
        "neither": bare.neither,
    }


def _describe_number(
    found: _FoundNumber, layout: FileLayout | None, is_abroad: bool | None
) -> dict[str, Any]:
    key, abroad = found.key, found.abroad
    if is_abroad is None and abroad:
        number = f"{mask_number(key)} or {mask_number(abroad)}"
    else:
        number = mask_number(abroad if is_abroad and abroad else key)
    columns = layout.columns if layout is not None else ()
    is_named = 0 <= found.column < len(columns)
    return {
        "line": found.line,
        "column": _name(columns[found.column]) if is_named else None,
        "number": number,
    }


def _name(column: Column) -> str:
    return without_numbers(column.label)


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
