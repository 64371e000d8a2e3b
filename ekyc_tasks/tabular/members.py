"""Which members hold the rows, the best first, so that each row is read once.

Seen in the field: ``all.csv`` beside ``activated.txt``, ``unregistered.txt`` and ``result.xlsx``, which hold
the same rows again; several CSV parts that complete each other; a ``__MACOSX`` folder, a readme.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular.containers import Member, foreign, is_gzip, is_workbook, is_zip
from ekyc_tasks.tabular.delimited import text_table
from ekyc_tasks.tabular.member_names import natural, verdict_of, words
from ekyc_tasks.tabular.table import MAX_COLUMNS, Table
from ekyc_tasks.tabular.xlsx import sheet_tables


@dataclass(frozen=True, slots=True)
class Offer:
    """What a table offers to a check: how many of its columns (0: no number), and whether it answers it.

    ``is_of_another``: it names the verdict of another check instead.
    """

    columns: int = 0
    has_header: bool = False
    is_answer: bool = False
    is_of_another: bool = False


Judge = Callable[[Table], Offer]

_SYSTEM = re.compile(r"(^|/)(__MACOSX/|\.[^/]|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MemberChoice:
    """``tiers`` are tables that complete each other, the best first; each further one holds the same rows
    again, as a rule, or those that the better ones lack. ``workbooks`` hold them again too, and were not
    opened. ``left_aside`` are the other members, as (name, why).
    """

    tiers: tuple[tuple[Table, ...], ...]
    workbooks: tuple[Member, ...]
    left_aside: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _SortedMembers:
    texts: list[Table] = field(default_factory=list)
    workbooks: list[Member] = field(default_factory=list)
    left_aside: list[tuple[str, str]] = field(default_factory=list)
    seen: dict[tuple[tuple[int, int] | None, bool | None], str] = field(default_factory=dict)


def choose(members: Sequence[Member], judge: Judge, limits: ArchiveLimits) -> MemberChoice:
    """The tables to read. Raises `ArchiveError` if no member holds rows."""
    sorting = _SortedMembers()
    for member in sorted(members, key=lambda member: (natural(member.name), member.name)):
        if why := _place(member, sorting):
            sorting.left_aside.append((member.name, why))
    left_aside = sorting.left_aside
    tables = _usable(sorting.texts, judge, left_aside)
    if not any(len(table.head) > 1 and judge(table).is_answer for table in tables):
        tables += _open_workbooks(sorting, judge, limits, is_alone=not tables)
    if not tables:
        raise ArchiveError(_nothing(left_aside, members))
    tiers = _tiers(_answering(tables, judge, left_aside), judge)
    return MemberChoice(tiers, tuple(sorting.workbooks), tuple(left_aside))


def open_workbook(book: Member, judge: Judge, limits: ArchiveLimits) -> tuple[Table, ...]:
    """Its sheets that answer the check. Raises `ArchiveError`."""
    sheets = [_with_its_header(table, judge) for table in sheet_tables([book], limits)]
    sheets = _with_headers(sheets, judge)
    return tuple(table for table in sheets if judge(table).is_answer)


def _open_workbooks(
    sorting: _SortedMembers, judge: Judge, limits: ArchiveLimits, *, is_alone: bool
) -> list[Table]:
    """The sheets of all workbooks; one that cannot be read is an error where nothing else can be."""
    books, sorting.workbooks = sorting.workbooks, []
    try:
        return _usable(sheet_tables(books, limits), judge, sorting.left_aside)
    except ArchiveError:
        if is_alone:
            raise
        sorting.left_aside += [(book.name, "workbooks that cannot be read") for book in books]
        return []


def _nothing(left_aside: list[tuple[str, str]], members: Sequence[Member]) -> str:
    """By the members' positions, because their names may be personal data."""
    labels = {member.name: member.label for member in members}
    first = {why: labels.get(name, "a sheet") for name, why in reversed(left_aside)}
    reasons = Counter(why for _, why in left_aside).most_common(5)
    listed = "; ".join(
        f"{first[why]}{f' and {count - 1} more' if count > 1 else ''}: {why}" for why, count in reasons
    )
    return f"it has no table of results ({listed or 'it is empty'}). Ask the provider for it again"


def _place(member: Member, sorting: _SortedMembers) -> str | None:
    """Files the member as text or workbook, or says why it is neither."""
    if _SYSTEM.search(member.name):
        return "a file of an operating system"
    verdict = verdict_of(member.name)
    identity = (member.fingerprint, verdict)  # two lists of the same numbers may say two things
    if identity in sorting.seen:
        member.verify()  # for what is not read any further may claim anything
        return f"the same bytes as {sorting.seen[identity]}"
    head = member.head()
    if why := _unreadable(head):
        return why
    if is_workbook(head):
        sorting.workbooks.append(member)
    elif not (table := text_table(member, head, verdict)):
        return "not text"
    elif len(table.head) > MAX_COLUMNS:
        return f"more than {MAX_COLUMNS} columns, too many for a table of results"
    else:
        sorting.texts.append(table)
    if member.fingerprint is not None:
        sorting.seen[identity] = member.label
    return None


def _unreadable(head: bytes) -> str | None:
    if not head.strip():
        return "empty"
    if (is_zip(head) and not is_workbook(head)) or is_gzip(head):
        return "an archive inside the archive"
    return foreign(head)


def _usable(tables: list[Table], judge: Judge, left_aside: list[tuple[str, str]]) -> list[Table]:
    usable = []
    for table in _with_headers([_with_its_header(table, judge) for table in tables], judge):
        if not judge(table).columns:
            left_aside.append((table.name, "no known column of numbers"))
        elif len(table.head) == 1 and table.verdict is None:
            left_aside.append((table.name, "only numbers, and its name does not say yes or no"))
        else:
            usable.append(table)
    return usable


def _with_its_header(table: Table, judge: Judge) -> Table:
    """A title above the header may look like one, and have cells of its own; a known header is none."""
    if judge(table).is_answer:
        return table
    offers = ((each, judge(each)) for each in table.alternatives() if each.head != table.head)
    return next((each for each, offer in offers if offer.has_header and offer.is_answer), table)


def _with_headers(tables: Sequence[Table], judge: Judge) -> list[Table]:
    """A part without a header has that of another one of its width that answers, if its first row fits."""
    offers = [(table, judge(table)) for table in tables]
    headers = dict.fromkeys(  # each once
        table.head for table, offer in offers if len(table.head) > 1 and offer.has_header and offer.is_answer
    )
    found = []
    for table, offer in offers:
        fitting = [] if offer.has_header else [each for each in headers if len(each) == len(table.head)]
        wider = (replace(table, header=each) for each in fitting)
        found.append(next((each for each in wider if judge(each).columns), table))
    return found


def _answering(tables: list[Table], judge: Judge, left_aside: list[tuple[str, str]]) -> list[Table]:
    """Those that answer the check; all, if none does. Lists beside the table of another check are of that."""
    answering = [table for table in tables if judge(table).is_answer]
    of_another = [table for table in tables if judge(table).is_of_another]
    if not answering:
        return tables
    if of_another and all(len(table.head) == 1 for table in answering):
        return of_another
    left_aside += [(table.name, "no answers in it") for table in tables if not judge(table).is_answer]
    return answering


def _tiers(tables: list[Table], judge: Judge) -> tuple[tuple[Table, ...], ...]:
    """Tables of the same rank are parts of one another."""
    ranked = defaultdict(list)
    for table in tables:
        ranked[_excerpt_rank(table), -judge(table).columns].append(table)
    return tuple(tuple(ranked[rank]) for rank in sorted(ranked))


def _excerpt_rank(table: Table) -> int:
    """0 for the full table by name, 2 for a table named after one verdict, 1 for the rest."""
    if "all" in words(table.name):
        return 0
    return 1 if table.verdict is None else 2
