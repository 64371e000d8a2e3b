"""What files become, before any of it is written: the fate of each number, batches, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import polars as pl

from ekyc_tasks.dataset import dataset_path, read_rows
from ekyc_tasks.fates import Claims, Sorting, Verdict, carry, pooled
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.keys import NO_KEYS, KeyBuffer, Keys
from ekyc_tasks.ledger import Batch, LandedFile, Ledger, Link
from ekyc_tasks.ledger.plans import BLOCKING
from ekyc_tasks.models import Fate
from ekyc_tasks.packing import pack
from ekyc_tasks.sent import keys_of_batch
from ekyc_tasks.steps.taking import Taken, keys_of_list
from ekyc_tasks.task_types import task_type


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How numbers become batches.

    ``first`` bounds the first batch (a careful first run). ``fresh_for_undetermined``: numbers that were
    answered with neither yes nor no are known for so long only. ``send_rest``: too few numbers go when
    they have waited for ``max_hold_back``; otherwise they wait on, and are reported. ``recheck``: what
    landed is asked again, however fresh the answers are; numbers on their way still are not.
    """

    task_type: str
    batch_size: int
    min_batch: int = 1
    max_hold_back: timedelta = timedelta(hours=1)
    send_rest: bool = True
    fresh_for: timedelta = timedelta(days=30)
    fresh_for_undetermined: timedelta | None = None
    recheck: bool = False
    default_region: str | None = None
    number_column: str | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one planning did, or would do.

    ``batches``: id and numbers of the new ones. ``rejected``: by file id, lines by reason. ``unreadable``
    holds a sentence for each file that stays where it was, ``overdue`` one for numbers that wait too long,
    ``healed`` one for each refused batch whose numbers were packed again.
    """

    files: tuple[LandedFile, ...] = ()
    batches: tuple[tuple[str, int], ...] = ()
    links: tuple[Link, ...] = ()
    rejected: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    healed: tuple[str, ...] = ()

    @property
    def new_batches(self) -> tuple[str, ...]:
        return tuple(batch_id for batch_id, _ in self.batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each file that a person may want to look at."""
        return (*self.healed, *self._numberless(), *self.overdue)

    def _numberless(self) -> list[str]:
        return [
            f"{file.name} holds no number: {file.rejected:,} lines rejected; `quarantine/landing` has them."
            if file.rejected
            else f"{file.name} is empty; nothing was sent for it."
            for file in self.files
            if file.lines - file.blank - file.header == file.rejected
        ]


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan with its numbers: ``batches`` are ids and sorted keys."""

    files: tuple[LandedFile, ...]
    batches: tuple[tuple[str, Keys], ...]
    links: tuple[Link, ...]
    rejected: Mapping[str, Mapping[str, int]]
    overdue: tuple[str, ...]

    def plan(self, unreadable: Sequence[str]) -> Plan:
        return Plan(
            files=self.files,
            batches=tuple((batch_id, len(keys)) for batch_id, keys in self.batches),
            links=self.links,
            rejected=self.rejected,
            unreadable=tuple(unreadable),
            overdue=self.overdue,
        )


def drafted(
    taken: Sequence[Taken],
    *,
    ledger: Ledger,
    folder: DataFolder,
    policy: PlanPolicy,
    now: datetime,
    stem: str,
) -> Draft:
    """Sort out every number of the files, and pack those that nobody has asked for."""
    sortings = [Sorting(each.keys) for each in taken]
    if taken:
        _settle_asked(taken, sortings, ledger=ledger, folder=folder, policy=policy)
    pool = pooled([sorting.left for sorting in sortings])
    is_overdue = any(now - each.file.planned_at >= policy.max_hold_back for each in taken)
    learnt = ledger.uploads.minimum(policy.task_type)  # no patience helps against what the provider refuses
    minimum = max(learnt, 1 if is_overdue and policy.send_rest else policy.min_batch)
    limits = [each.file.size_limit for each in taken if each.file.size_limit is not None]
    size = min([policy.batch_size, *(max(limit, minimum) for limit in limits)])
    parts = pack(pool.keys, batch_size=size, minimum=minimum, first=policy.first)
    batches = tuple((f"{stem}-{index:03}", part) for index, part in enumerate(parts, start=1))
    carry(sortings, pool, batches)
    files = tuple(_with_fates(each.file, sorting) for each, sorting in zip(taken, sortings, strict=True))
    return Draft(
        files=files,
        batches=batches,
        links=tuple(
            link for file, sorting in zip(files, sortings, strict=True) for link in _links(file, sorting)
        ),
        rejected={each.file.file_id: each.reasons for each in taken},
        overdue=tuple(_overdue(files, policy, now, learnt)),
    )


def _settle_asked(
    taken: Sequence[Taken],
    sortings: Sequence[Sorting],
    *,
    ledger: Ledger,
    folder: DataFolder,
    policy: PlanPolicy,
) -> None:
    """By what was *sent*, not by the dataset: a number that was paid for and never answered is not in
    there. The list of batches is taken before their numbers, so one that loads meanwhile is still on it.

    The file's own batches come first, then those that block, then those that were answered, the newest
    of them in front.
    """
    _settle_own(taken, sortings, ledger=ledger, folder=folder)
    sinces = [_since(each, policy) for each in taken]
    asked = ledger.plans.asked(policy.task_type, since=min(filter(None, sinces), default=None))
    claims = Claims(pooled([sorting.left for sorting in sortings]).keys if asked else NO_KEYS)
    stale = _stale_when_undetermined(taken, policy)
    for batch in asked:
        keys = keys_of_batch(folder, batch.batch_id, numbers=batch.numbers)
        if stale and _is_bought_before(batch, stale) and claims.concern(keys):
            keys = _determined(batch, keys, folder)
        claims.add(keys)
    refused = keys_of_list(folder.do_not_send, reading=policy)
    for sorting, since in zip(sortings, sinces, strict=True):
        sorting.settle_claimed(claims, [_verdict(batch, since) for batch in asked])
        sorting.settle(refused, (Fate.DO_NOT_SEND, None))


def _settle_own(
    taken: Sequence[Taken], sortings: Sequence[Sorting], *, ledger: Ledger, folder: DataFolder
) -> None:
    """A file that is planned again buys nothing twice, be its answers fresh or not."""
    again = [
        (each.file.file_id, sorting) for each, sorting in zip(taken, sortings, strict=True) if each.is_again
    ]
    own = ledger.plans.own_batches([file_id for file_id, _ in again])
    for file_id, sorting in again:
        mine = own.get(file_id, [])
        others = [batch for batch in ledger.plans.answered_for(file_id) if batch not in mine]
        for fate, batches in ((Fate.BATCHED, mine), (Fate.KNOWN, others)):
            for batch in batches:
                keys = keys_of_batch(folder, batch.batch_id, numbers=batch.numbers)
                sorting.settle(keys, (fate, batch.batch_id))


def _since(each: Taken, policy: PlanPolicy) -> datetime | None:
    """Answers bought since then are known to this file; None: none are.

    What was known when a file landed stays known when it is planned again.
    """
    if each.is_again:
        return each.file.planned_at - policy.fresh_for
    return each.file.planned_at - policy.fresh_for if policy.fresh_for and not policy.recheck else None


def _stale_when_undetermined(taken: Sequence[Taken], policy: PlanPolicy) -> datetime | None:
    """Numbers that were bought before then, and got neither yes nor no, may be asked again."""
    if policy.fresh_for_undetermined is None:
        return None
    return min(each.file.planned_at for each in taken) - policy.fresh_for_undetermined


def _is_bought_before(batch: Batch, moment: datetime) -> bool:
    return batch.state not in BLOCKING and batch.submitted_at is not None and batch.submitted_at < moment


def _determined(batch: Batch, keys: Keys, folder: DataFolder) -> Keys:
    """Those of a loaded batch that got an answer; all of them when the answers are not there any more."""
    if batch.checked_at is None:
        return keys
    path = dataset_path(folder.warehouse, batch.task_type, batch.checked_at, batch.batch_id)
    if not path.exists():
        return keys
    verdict = task_type(batch.task_type).verdict_column
    found = KeyBuffer()
    for rows in read_rows(path, ["number", verdict]):
        found.add(rows.filter(pl.col(verdict).is_not_null())["number"].cast(pl.Int64).to_numpy())
    return found.sorted()


def _verdict(batch: Batch, since: datetime | None) -> Verdict | None:
    if batch.state in BLOCKING:
        return Fate.IN_FLIGHT, batch.batch_id
    if since is not None and batch.submitted_at is not None and batch.submitted_at >= since:
        return Fate.KNOWN, batch.batch_id
    return None


def _with_fates(file: LandedFile, sorting: Sorting) -> LandedFile:
    waiting = sorting.total(Fate.WAITING)
    return replace(
        file,
        do_not_send=sorting.total(Fate.DO_NOT_SEND),
        known=sorting.total(Fate.KNOWN),
        in_flight=sorting.total(Fate.IN_FLIGHT),
        waiting=waiting,
        batched=sorting.total(Fate.BATCHED),
        replan=1 if waiting else 0,
    )


def _links(file: LandedFile, sorting: Sorting) -> list[Link]:
    return [
        Link(file.file_id, batch_id, fate, numbers)
        for (fate, batch_id), numbers in sorted(sorting.counts.items(), key=str)
        if batch_id is not None and fate in {Fate.BATCHED, Fate.IN_FLIGHT}
    ]


def _overdue(files: Sequence[LandedFile], policy: PlanPolicy, now: datetime, learnt: int) -> list[str]:
    """Too few numbers that wait longer than they should, where they are not to be sent."""
    remedy = (
        f"the provider takes no fewer than {learnt:,}, land more"
        if learnt >= policy.min_batch
        else "land more, lower EKYC_MIN_BATCH, or set EKYC_SMALL_REST=send"
    )
    return [
        f"{file.waiting:,} numbers of {file.name} are too few for a batch, and have waited long: {remedy}."
        for file in files
        if file.waiting and now - file.planned_at >= policy.max_hold_back
    ]
