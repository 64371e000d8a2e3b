"""Which members hold the rows, so that each row is read once.

Seen in the field: ``all.csv`` beside ``activated.txt``, ``unregistered.txt`` and ``result.xlsx``, which hold
the same rows again; several CSV parts that complete each other; a ``__MACOSX`` folder, a readme.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ekyc_tasks.archive.containers import Member, foreign, is_gzip, is_workbook, is_zip
from ekyc_tasks.archive.sheets import sheet_tables
from ekyc_tasks.archive.tables import Table
from ekyc_tasks.archive.text import text_table
from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits

Worth = Callable[[tuple[str, ...]], int]
"""How many columns of the contract a first row offers; 0 if it has no number."""

_SYSTEM = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
# Not "active": task types have it in their names.
_YES_WORDS = {"activated", "registered"}
_NO_WORDS = {"unactivated", "inactive", "unregistered"}
_NEGATIONS = {"not", "non", "un", "no"}


@dataclass(frozen=True, slots=True)
class Choice:
    """``tables`` hold every row once; ``left_aside`` are the other members, as (name, why)."""

    tables: tuple[Table, ...]
    left_aside: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Sorting:
    texts: list[Table] = field(default_factory=list)
    workbooks: list[Member] = field(default_factory=list)
    left_aside: list[tuple[str, str]] = field(default_factory=list)
    seen: dict[tuple[int, int], str] = field(default_factory=dict)


def choose(members: Sequence[Member], worth: Worth, limits: ArchiveLimits) -> Choice:
    """The tables to read. Raises `ArchiveError` if no member holds rows."""
    sorting = _Sorting()
    for member in sorted(members, key=lambda member: _natural(member.name)):
        if why := _place(member, sorting):
            sorting.left_aside.append((member.name, why))
    left_aside = sorting.left_aside
    tables = _usable(sorting.texts, worth, left_aside)
    if all(len(table.head) == 1 for table in tables):  # lists only: a workbook says more
        sheets = [table for book in sorting.workbooks for table in _sheets(book, limits)]
        tables += _usable(sheets, worth, left_aside)
        sorting.workbooks.clear()
    if not tables:
        raise ArchiveError(_nothing(left_aside, members))
    chosen, others = _best(tables, worth)
    why = f"the rows of {chosen[0].name} again"
    names = [*(table.name for table in others), *(book.name for book in sorting.workbooks)]
    left_aside += [(name, why) for name in names]
    return Choice(tuple(chosen), tuple(left_aside))


def _nothing(left_aside: list[tuple[str, str]], members: Sequence[Member]) -> str:
    """By the members' positions, for their names may be anybody's data."""
    labels = {member.name: member.label for member in members}
    first = {why: labels.get(name, "a sheet") for name, why in reversed(left_aside)}
    reasons = Counter(why for _, why in left_aside).most_common(5)
    listed = "; ".join(
        f"{first[why]}{f' and {count - 1} more' if count > 1 else ''}: {why}" for why, count in reasons
    )
    return f"it holds no table of results ({listed or 'it is empty'}); ask the provider for it again"


def _place(member: Member, sorting: _Sorting) -> str | None:
    """Files the member as text or workbook, or says why it is neither."""
    if _SYSTEM.search(member.name):
        return "left by an operating system"
    if member.fingerprint in sorting.seen:
        return f"the same bytes as {sorting.seen[member.fingerprint]}"
    head = member.head()
    if why := _unreadable(head):
        return why
    if is_workbook(head):
        sorting.workbooks.append(member)
    elif table := text_table(member, head, verdict_of(member.name)):
        sorting.texts.append(table)
    else:
        return "not text"
    if member.fingerprint is not None:
        sorting.seen[member.fingerprint] = member.name
    return None


def _unreadable(head: bytes) -> str | None:
    if not head.strip():
        return "empty"
    if (is_zip(head) and not is_workbook(head)) or is_gzip(head):
        return "an archive inside the archive"
    return foreign(head)


def _sheets(book: Member, limits: ArchiveLimits) -> list[Table]:
    return sheet_tables(book, verdict_of(book.name), limits)


def _usable(tables: list[Table], worth: Worth, left_aside: list[tuple[str, str]]) -> list[Table]:
    usable = []
    for table in tables:
        if not worth(table.head):
            left_aside.append((table.name, "no column of numbers"))
        elif len(table.head) == 1 and table.verdict is None:
            left_aside.append((table.name, "bare numbers, and its name tells no verdict"))
        else:
            usable.append(table)
    return usable


def _best(tables: list[Table], worth: Worth) -> tuple[list[Table], list[Table]]:
    """The tables of the best rank, which are parts of one another, and the others."""
    ranks = [(_excerpt_rank(table), -worth(table.head)) for table in tables]
    ranked = list(zip(ranks, tables, strict=True))
    chosen = [table for rank, table in ranked if rank == min(ranks)]
    return chosen, [table for rank, table in ranked if rank != min(ranks)]


def _excerpt_rank(table: Table) -> int:
    """0 for the full table by name, 2 for a table named after one verdict, 1 for the rest."""
    if "all" in _words(table.name):
        return 0
    return 1 if table.verdict is None else 2


def verdict_of(name: str) -> bool | None:
    """What a member's name says about each of its rows: ``unregistered.txt`` → False.

    >>> verdict_of("d4g2/activated.txt"), verdict_of("not_registered-2.csv"), verdict_of("all.csv")
    (True, False, None)
    """
    words = _words(name)
    if words & _NO_WORDS:
        return False
    if words & _YES_WORDS:
        return not words & _NEGATIONS
    return None


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", PurePosixPath(name).stem.casefold()))


def _natural(name: str) -> list[tuple[str, int]]:
    """Sorts ``part2`` before ``part10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
