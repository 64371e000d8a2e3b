"""What a first row means: which column holds what, in any of the dialects that have been seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count

import polars as pl

from ekyc_tasks.archive import Int64Array, Offer, Table
from ekyc_tasks.normalize.numbers import UNREADABLE, is_number, number_keys
from ekyc_tasks.task_types import base, known_task_types
from ekyc_tasks.task_types import task_type as task_type_named
from ekyc_tasks.task_types.base import NUMBER, TaskType, is_yes_or_no

NO_HEADER, NUMBER_LIST = "no header", "number list"
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
    owners = [_owner(cell, task_type) for cell in head]
    if NUMBER in owners:
        return _layout([_snake(cell) for cell in head], owners, _dialect(head, task_type), True, verdict)
    found = layout_of(header, task_type, verdict) if header else _documented(len(head), task_type, verdict)
    is_row = found is not None and _is_row(head, sample, found, task_type)
    return replace(found, has_header=False) if found is not None and is_row else None


def layout_of_table(table: Table, task_type: TaskType) -> Layout | None:
    return layout_of(table.head, task_type, table.verdict, table.header, table.sample)


def offer(layout: Layout | None, task_type: TaskType) -> Offer:
    """How well a table of this layout answers a check."""
    if layout is None:
        return Offer()
    is_answer = layout.answers(task_type)
    is_of_another = not is_answer and not _other_verdicts(task_type).isdisjoint(map(_squashed, layout.names))
    return Offer(1 + len(layout.fields), layout.has_header, is_answer, is_of_another)


def _documented(width: int, task_type: TaskType, verdict: bool | None) -> Layout:
    documented = (NUMBER, *(each.name for each in task_type.fields))
    owners = [*documented, *[None] * width][:width]
    names = [owner or f"column_{position}" for position, owner in enumerate(owners, start=1)]
    return _layout(names, owners, NO_HEADER, False, verdict)


def _is_row(
    head: Sequence[str], sample: Sequence[Sequence[str]], layout: Layout, task_type: TaskType
) -> bool:
    """Whether a first row that is no known header is a row: it has a number, or only lacks it.

    What lacks it may be a header with names that nobody knows, but no header says what the rows below it say.
    """
    at = layout.numbers[0]
    if is_number(head[at]):
        return True
    rows = [row for row in sample if len(row) == len(head)]
    if not any(is_number(row[at]) for row in rows):
        return False
    if len(head) == 1:
        return True
    verdict_at = layout.fields.get(task_type.verdict.name)
    is_verdict = verdict_at is not None and is_yes_or_no(head[verdict_at])
    return is_verdict or any(cell and cell == row[place] for row in rows for place, cell in enumerate(head))


def row_keys(frame: pl.DataFrame, layout: Layout) -> Int64Array:
    """The digits of each row's number as an integer, `UNREADABLE` where there is none; shape (rows,)."""
    keys = number_keys(frame.to_series(layout.numbers[0]))
    for position in layout.numbers[1:]:
        if not keys.has_nulls():
            break
        keys = keys.fill_null(number_keys(frame.to_series(position)))
    return keys.fill_null(UNREADABLE).to_numpy()


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
        dialect=NUMBER_LIST if len(names) == 1 else dialect,
        verdict=verdict,
    )


def _owner(cell: str, task_type: TaskType) -> str | None:
    """The contract's name for a header cell. Case, spaces, hyphens and underscores do not matter."""
    return _owners(task_type).get(_squashed(cell))


@cache
def _owners(task_type: TaskType) -> Mapping[str, str]:
    """By every name that was seen; the first one to claim a name has it."""
    names = [
        (NUMBER, base.NUMBER_ALIASES),
        *((each.name, (each.name, *each.aliases)) for each in task_type.fields),
    ]
    return {_squashed(alias): owner for owner, aliases in reversed(names) for alias in aliases}


@cache
def _other_verdicts(task_type: TaskType) -> frozenset[str]:
    """How other checks, and not this one, call what they answer."""
    others = {name for each in map(task_type_named, known_task_types()) for name in _verdict_names(each)}
    return frozenset(others - _verdict_names(task_type))


def _verdict_names(task_type: TaskType) -> set[str]:
    return set(map(_squashed, (task_type.verdict.name, *task_type.verdict.aliases)))


def _squashed(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


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
    names = {_squashed(cell) for cell in head}
    if names & {"uid", "username"}:
        return "profile"
    if _squashed(task_type.verdict.name) in names:
        return "documented"
    return next((alias for alias in task_type.verdict.aliases if _squashed(alias) in names), "no verdict")
