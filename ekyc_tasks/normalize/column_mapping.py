"""What a first row means: which column holds what, in any of the dialects that have been seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count

import polars as pl

from ekyc_tasks.normalize.received import is_number, number_keys
from ekyc_tasks.normalize.values import FieldReader
from ekyc_tasks.phone.msisdns import NO_MSISDN
from ekyc_tasks.support import vocabulary
from ekyc_tasks.tabular import Int64Array, Offer, Table
from ekyc_tasks.task_types import base, task_type_names
from ekyc_tasks.task_types import task_type as task_type_named
from ekyc_tasks.task_types.base import NUMBER, TaskType

NO_HEADER, NUMBER_LIST, TRANSLATED = "no header", "number list", "translated"
_LONGEST_NAME = 40


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

    def few_value_positions(self, task_type: TaskType) -> tuple[int, ...]:
        """Columns that are expected to have few distinct values."""
        few = [each.name for each in task_type.fields if each.has_few_values]
        return tuple(at for name, at in self.fields.items() if name in few)

    def answers(self, task_type: TaskType) -> bool:
        """Whether it says a verdict, in a column or by the member's name."""
        by_name = self.verdict is not None and task_type.has_yes_no_verdict
        return by_name or task_type.verdict.name in self.fields


def layout_of(
    head: Sequence[str],
    task_type: TaskType,
    verdict: bool | None = None,
    header: Sequence[str] = (),
    sample: Sequence[Sequence[str]] = (),
) -> Layout | None:
    """The layout behind a first row, header or not; None if it has no number.

    Without a header of its own that of another part is taken, ``header``, or the documented order of columns.
    ``sample`` are some rows after the first.
    """
    if not head:
        return None
    owners = _find_owners(head, task_type)
    if NUMBER in owners:
        return _layout([_snake(cell) for cell in head], owners, task_type, _dialect(head, task_type), verdict)
    rows = [row for row in (head, *sample) if len(row) == len(head)]
    found = layout_of(header, task_type, verdict) if header else _map_documented(rows, task_type, verdict)
    if found is None or not _is_row(head, rows[1:], found, task_type):
        return None
    return replace(found, has_header=False)


def layout_of_table(table: Table, task_type: TaskType) -> Layout | None:
    return layout_of(table.head, task_type, table.verdict, table.header, table.sample)


def offer(layout: Layout | None, task_type: TaskType) -> Offer:
    """How well a table of this layout answers a check."""
    if layout is None:
        return Offer()
    is_answer = layout.answers(task_type)
    is_of_another = not is_answer and not _other_verdicts(task_type).isdisjoint(map(_squash, layout.names))
    return Offer(1 + len(layout.fields), layout.has_header, is_answer, is_of_another)


def _map_documented(rows: Sequence[Sequence[str]], task_type: TaskType, verdict: bool | None) -> Layout:
    """The documented columns in their order; but the number alone where only the name says a verdict."""
    columns = (NUMBER, *(each.name for each in task_type.fields))
    if verdict is not None and not _say_verdict(rows, columns.index(task_type.verdict.name), task_type):
        columns = (NUMBER,)
    owners = [*columns, *[None] * len(rows[0])][: len(rows[0])]
    names = [owner or f"column_{position}" for position, owner in enumerate(owners, start=1)]
    return _layout(names, owners, task_type, NO_HEADER, verdict)


def _is_row(head: Sequence[str], rows: Sequence[Sequence[str]], layout: Layout, task_type: TaskType) -> bool:
    """Whether a first row that is no known header is a row: it has a number, or only lacks it.

    What lacks it may be a header with unknown names, but no header says what the rows below it say.
    """
    at = layout.numbers[0]
    if is_number(head[at]):
        return True
    if not any(is_number(row[at]) for row in rows):
        return False
    verdict_at = layout.fields.get(task_type.verdict.name)
    is_named = verdict_at is not None and _squash(head[verdict_at]) in _ranks(task_type)
    says_verdict = verdict_at is not None and not is_named and _say_verdict([head], verdict_at, task_type)
    said = [cell.strip().casefold() for cell in head]
    again = (
        cell and cell == row[place].strip().casefold() for row in rows for place, cell in enumerate(said)
    )
    return len(head) == 1 or says_verdict or any(again)


def _say_verdict(rows: Sequence[Sequence[str]], at: int, task_type: TaskType) -> bool:
    """Whether one of these cells is a verdict, by the words that are known."""
    cells = [row[at] for row in rows if at < len(row)]
    if any(cell.strip().lower() in task_type.verdict.undetermined for cell in cells):
        return True
    reader = FieldReader(task_type.verdict, task_type.rules(task_type.verdict))
    return reader.read(pl.Series("text", cells, dtype=pl.String)).values[0].is_not_null().any()


def row_keys(frame: pl.DataFrame, layout: Layout) -> Int64Array:
    """The digits of each row's number as an integer, `NO_MSISDN` where there is none; shape (rows,)."""
    keys = number_keys(frame.to_series(layout.numbers[0]))
    for position in layout.numbers[1:]:
        if not keys.has_nulls():
            break
        keys = keys.fill_null(number_keys(frame.to_series(position)))
    return keys.fill_null(NO_MSISDN).to_numpy()


def _layout(
    names: list[str], owners: Sequence[str | None], task_type: TaskType, dialect: str, verdict: bool | None
) -> Layout:
    ranks = {name: _ranks(task_type).get(_squash(name), 0) for name in names}
    first: dict[str | None, int] = {}
    for position, owner in enumerate(owners):
        # of several columns for one thing counts the one whose name is listed first
        if owner and (owner not in first or ranks[names[position]] < ranks[names[first[owner]]]):
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
        has_header=dialect != NO_HEADER,
        dialect=NUMBER_LIST if len(names) == 1 else dialect,
        verdict=verdict,
    )


def _find_owners(head: Sequence[str], task_type: TaskType) -> list[str | None]:
    """The contract's name for each header cell. Case, spaces, hyphens and underscores do not matter.

    Other languages name only what else has no column: what is in one that has is read as it always was.
    """
    words = [_squash(cell) for cell in head]
    owners = [_owners(task_type).get(word) for word in words]
    if all(owners) or any(map(is_number, head)):  # a row has a number, whatever else it says
        return owners
    named = {None, *owners}
    others = [_owners_in_other_languages(task_type).get(word) for word in words]
    return [
        owner or (other if other not in named else None) for owner, other in zip(owners, others, strict=True)
    ]


def _names(task_type: TaskType) -> Iterator[tuple[str, str]]:
    """Every name that was seen, as it is compared, and whose it is; the contract's own come first."""
    fields = [(each.name, (each.name, *each.aliases)) for each in task_type.fields]
    yield from _squash_names([(NUMBER, base.NUMBER_ALIASES), *fields])


def _names_in_other_languages(task_type: TaskType) -> Iterator[tuple[str, str]]:
    fields = [(each.name, each.translations) for each in task_type.fields]
    yield from _squash_names([(NUMBER, vocabulary.NUMBERS), *fields])


def _squash_names(owned: Iterable[tuple[str, Iterable[str]]]) -> Iterator[tuple[str, str]]:
    return ((_squash(name), owner) for owner, names in owned for name in names)


@cache
def _owners(task_type: TaskType) -> Mapping[str, str]:
    """By name; the first one to claim a name has it."""
    return dict(reversed([*_names(task_type)]))


@cache
def _owners_in_other_languages(task_type: TaskType) -> Mapping[str, str]:
    return dict(reversed([*_names_in_other_languages(task_type)]))


@cache
def _ranks(task_type: TaskType) -> Mapping[str, int]:
    names = [*_names(task_type), *_names_in_other_languages(task_type)]
    return {name: rank for rank, (name, _) in reversed([*enumerate(names)])}


@cache
def _other_verdicts(task_type: TaskType) -> frozenset[str]:
    """How other checks, and not this one, call what they answer."""
    others = {name for each in map(task_type_named, task_type_names()) for name in _verdict_names(each)}
    return frozenset(others - _verdict_names(task_type))


def _verdict_names(task_type: TaskType) -> set[str]:
    verdict = task_type.verdict
    return set(map(_squash, (verdict.name, *verdict.aliases, *verdict.translations)))


def _squash(name: str) -> str:
    return "".join(sign for sign in vocabulary.fold(name) if sign.isalnum())


def _snake(name: str) -> str:
    """``Last Online Time`` → ``last_online_time``; a byte order mark goes the same way."""
    words = "".join(sign if sign.isalnum() else " " for sign in name.casefold()).split()
    return "_".join(words)[:_LONGEST_NAME] or "unnamed"


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    """A repeated name gets a number: seen in the field is a header that holds ``number`` twice."""
    unique: dict[str, None] = {}
    numbers = {name: count(2) for name in names}
    for name in names:
        numbered = (f"{name}_{number}" for number in numbers[name])
        unique[next(each for each in chain([name], numbered) if each not in unique)] = None
    return tuple(unique)


def _dialect(head: Sequence[str], task_type: TaskType) -> str:
    """Which of the known headers it is: the documented one, or one named after what sets it apart."""
    names = {_squash(cell) for cell in head}
    if names & {"uid", "username"}:
        return "profile"
    if _squash(task_type.verdict.name) in names:
        return "documented"
    alias = next((alias for alias in task_type.verdict.aliases if _squash(alias) in names), None)
    is_translated = not names.isdisjoint(map(_squash, task_type.verdict.translations))
    return alias or (TRANSLATED if is_translated else "no verdict")
