"""What a first row means: which column holds what, in any of the dialects that have been seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count

import polars as pl

from ekyc_tasks.archive import Int64Array, Offer, Table
from ekyc_tasks.normalize.numbers import UNREADABLE, is_number, number_keys
from ekyc_tasks.task_types import base
from ekyc_tasks.task_types.base import NUMBER, TaskType

NO_HEADER = "no header"
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
    head: Sequence[str], task_type: TaskType, verdict: bool | None = None, header: Sequence[str] = ()
) -> Layout | None:
    """The layout behind a first row, header or not; None if it has no number.

    Without a header of its own that of another part is taken, ``header``, or the documented order of columns.
    """
    owners = [_owner(cell, task_type) for cell in head]
    if NUMBER in owners:
        return _layout([_snake(cell) for cell in head], owners, _dialect(head, task_type), True, verdict)
    if header:
        layout = layout_of(header, task_type, verdict)
        is_fit = layout is not None and is_number(head[layout.numbers[0]])
        return replace(layout, has_header=False) if layout is not None and is_fit else None
    if not head or not is_number(head[0]):
        return None
    documented = (NUMBER, *(each.name for each in task_type.fields))
    owners = [*documented, *[None] * len(head)][: len(head)]
    names = [owner or f"column_{position}" for position, owner in enumerate(owners, start=1)]
    return _layout(names, owners, NO_HEADER, False, verdict)


def offer(table: Table, task_type: TaskType) -> Offer:
    """How well a table answers a check."""
    layout = layout_of(table.head, task_type, table.verdict, table.header)
    if layout is None:
        return Offer()
    return Offer(1 + len(layout.fields), layout.has_header, layout.answers(task_type))


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
        dialect="number list" if len(names) == 1 else dialect,
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


def _squashed(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _snake(name: str) -> str:
    """``Last Online Time`` → ``last_online_time``; a byte order mark goes the same way."""
    words = "".join(sign if sign.isalnum() else " " for sign in name.casefold()).split()
    return "_".join(words)[:_LONGEST_NAME] or "unnamed"


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    """A repeated name gets a number: seen in the field is a header that holds ``number`` twice."""
    unique: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        unique.append(next(each for each in chain([name], numbered) if each not in unique))
    return tuple(unique)


def _dialect(head: Sequence[str], task_type: TaskType) -> str:
    """Which of the known headers it is: the documented one, or one named after what sets it apart."""
    names = {_squashed(cell) for cell in head}
    if names & {"uid", "username"}:
        return "profile"
    if _squashed(task_type.verdict.name) in names:
        return "documented"
    return next((alias for alias in task_type.verdict.aliases if _squashed(alias) in names), "no verdict")
