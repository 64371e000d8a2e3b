"""What an archive holds for one task type, the best tables first."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from ekyc_tasks.errors import ArchiveError, LoadFailed
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.normalize import Layout, layout_of_table, offer, row_keys
from ekyc_tasks.phone.msisdns import NO_MSISDN
from ekyc_tasks.tabular import MAX_WORKBOOKS, Block, Int64Array, Judge, Member, Table, choose, open_workbook
from ekyc_tasks.task_types import TaskType

Read = tuple[Block, Layout]
Layouts = Callable[[Table], Layout | None]


@dataclass(frozen=True, slots=True)
class Tier:
    """Tables that complete each other, each with its layout."""

    tables: tuple[tuple[Table, Layout], ...]
    task_type: TaskType

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(table.name for table, _ in self.tables)

    def blocks(self) -> Generator[Read, None, None]:
        for table, layout in self.tables:
            for block in table.blocks(layout.has_header, layout.few_value_positions(self.task_type)):
                yield block, layout

    def keys(self) -> Generator[Int64Array, None, None]:
        """Every readable number."""
        for block, layout in self.blocks():
            keys = row_keys(block.frame, layout)
            yield keys[keys != NO_MSISDN]


@dataclass(slots=True)
class Source:
    """The tiers of an archive. The first is read; what becomes of the others is for the reader to say."""

    task_type: TaskType
    layouts: Layouts
    limits: ArchiveLimits
    tiers: tuple[Tier, ...]
    workbooks: tuple[Member, ...]
    read: list[Tier] = field(default_factory=list)
    left_aside: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, members: Sequence[Member], task_type: TaskType, limits: ArchiveLimits) -> Source:
        layouts = cache(partial(layout_of_table, task_type=task_type))  # asked for again and again
        choice = choose(members, _judge(layouts, task_type), limits)
        tiers = tuple(_tier(tables, layouts, task_type) for tables in choice.tiers)
        return cls(task_type, layouts, limits, tiers, choice.workbooks, left_aside=[*choice.left_aside])

    def keys(self) -> Generator[Int64Array, None, None]:
        """Every readable number, if there is no list of what was sent; workbooks are opened for that, too."""
        self.tiers = (*self.tiers, *self.open_workbooks())
        yield from self.tiers[0].keys()
        for tier in self.tiers[1:]:
            try:
                yield from tier.keys()
            except ArchiveError:  # told when it is its turn to be read
                continue

    def open_workbooks(self) -> Generator[Tier, None, None]:
        """The workbooks that were not opened yet, each a tier."""
        books, self.workbooks = self.workbooks, ()
        self.left_aside += [
            (book.name, f"more than {MAX_WORKBOOKS} workbooks") for book in books[MAX_WORKBOOKS:]
        ]
        for book in books[:MAX_WORKBOOKS]:
            try:
                tables = open_workbook(book, _judge(self.layouts, self.task_type), self.limits)
            except ArchiveError:
                self.left_aside.append((book.name, "a workbook that cannot be read"))
                continue
            if tables:
                yield _tier(tables, self.layouts, self.task_type)
            else:
                self.left_aside.append((book.name, "no answers in it"))

    def take(self, tier: Tier) -> Tier:
        self.read.append(tier)
        return tier

    def leave(self, tier: Tier, why: str) -> None:
        self.left_aside += [(name, why) for name in tier.names]

    @property
    def tables(self) -> list[tuple[Table, Layout]]:
        """All that were read."""
        return [each for tier in self.read for each in tier.tables]


def _judge(layouts: Layouts, task_type: TaskType) -> Judge:
    return cache(lambda table: offer(layouts(table), task_type))


def _tier(tables: Sequence[Table], layouts: Layouts, task_type: TaskType) -> Tier:
    return Tier(tuple((table, _require(layouts(table), task_type)) for table in tables), task_type)


def _require(layout: Layout | None, task_type: TaskType) -> Layout:
    if layout is None or not layout.answers(task_type):
        raise LoadFailed(_no_answer(layout, task_type))
    return layout


def _no_answer(layout: Layout | None, task_type: TaskType) -> str:
    if layout is not None and len(layout.names) == 1 and not task_type.has_yes_no_verdict:
        return (
            f"it has only lists of numbers, which cannot answer {task_type.name}. Load it with the "
            "--task-type of a check that says yes or no"
        )
    number, verdict = task_type.required
    return (
        f"its table has no column {number if layout is None else verdict}, which {task_type.name} needs. "
        "If it is the result of another check, use that --task-type. If the column has a new name, upgrade"
    )
