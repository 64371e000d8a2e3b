"""What files become, before any of it is written: the fate of each number, batches, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake.do_not_send import keys_of_do_not_send, require_no_misnamed
from ekyc_tasks.intake.read_numbers import ReadFile
from ekyc_tasks.intake.rules import ReadingPolicy
from ekyc_tasks.ledger import Batch, LandedFile, Ledger, Link
from ekyc_tasks.models import Disposition
from ekyc_tasks.money import SpendingGuard
from ekyc_tasks.phone.msisdns import NO_MSISDNS, MsisdnBuffer, Msisdns
from ekyc_tasks.planning.allocation import Allocation, FirstMatch, Placement, carry, pool_keys
from ekyc_tasks.planning.approval import Approval, ask_approval
from ekyc_tasks.planning.batching import pack
from ekyc_tasks.storage.batch_files import keys_of_batch
from ekyc_tasks.storage.dataset import dataset_path, read_rows
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.task_types import task_type


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """How numbers become batches.

    ``first`` bounds the first batch (a careful first run). ``fresh_for_undetermined``: numbers that were
    answered with neither yes nor no are known for so long only. ``send_rest``: too few numbers go when
    they have waited for ``max_hold_back``; otherwise they wait on, and are reported. ``recheck``: what
    landed is asked again, however fresh the answers are; numbers on their way still are not.
    ``takes_any_size``: nothing waits, because the batches are not sent from here. ``most_rejected``: a file
    of whose lines a larger share is rejected stays where it is; None: whatever can be read is taken.
    ``ask_above``: a larger plan waits for a person, who has ``approved`` so many numbers.
    """

    task_type: str
    batch_size: int
    min_batch: int = 1
    max_hold_back: timedelta = timedelta(hours=1)
    send_rest: bool = True
    fresh_for: timedelta = timedelta(days=30)
    fresh_for_undetermined: timedelta | None = None
    recheck: bool = False
    reading: ReadingPolicy = field(default_factory=ReadingPolicy)
    first: int | None = None
    takes_any_size: bool = False
    most_rejected: Decimal | None = Decimal("0.2")
    ask_above: SpendingGuard | None = None
    price_per_10k: Decimal | None = None
    approved: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one planning did, or would do.

    ``batches``: id and numbers of the new ones. ``rejected``: by file id, lines by reason. ``unreadable``
    holds a sentence for each file that stays where it was, ``overdue`` one for numbers that wait too long,
    ``healed`` one for each refused batch whose numbers were packed again. ``approval``: what a person has to
    approve before any of it is planned. ``due_again``: how many of its numbers were bought before, and are
    in it only because their answers have aged; only a preview counts them. ``misnamed`` holds a sentence for
    each file that was meant to be the do-not-send list.
    """

    files: tuple[LandedFile, ...] = ()
    batches: tuple[tuple[str, int], ...] = ()
    links: tuple[Link, ...] = ()
    rejected: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    overdue: tuple[str, ...] = ()
    healed: tuple[str, ...] = ()
    approval: Approval | None = None
    due_again: int = 0
    misnamed: tuple[str, ...] = ()

    @property
    def new_batches(self) -> tuple[str, ...]:
        return tuple(batch_id for batch_id, _ in self.batches)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each file that a person may want to look at."""
        return (*self.misnamed, *self.healed, *self._numberless(), *self.overdue, *self._describe_aged())

    def _describe_aged(self) -> list[str]:
        if not self.due_again:
            return []
        verb = "was" if self.due_again == 1 else "were"
        return [
            f"Of the numbers to send, {self.due_again:,} {verb} bought before, and are bought again only "
            "because the answers are older than EKYC_FRESH_FOR."
        ]

    def _numberless(self) -> list[str]:
        empty = [(file.name, file.counts.rejected) for file in self.files if file.counts.holds_no_number]
        return [
            f"{name} has no valid number: {lines:,} lines were rejected. They are listed in "
            "`quarantine/landing`."
            if lines
            else f"{name} has no number: its lines are blank. There was nothing to send."
            for name, lines in empty
        ]


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan with its numbers: ``batches`` are ids and sorted keys."""

    files: tuple[LandedFile, ...]
    batches: tuple[tuple[str, Msisdns], ...]
    links: tuple[Link, ...]
    rejected: Mapping[str, Mapping[str, int]]
    overdue: tuple[str, ...]
    approval: Approval | None

    def plan(self, unreadable: Sequence[str]) -> Plan:
        return Plan(
            files=self.files,
            batches=tuple((batch_id, len(keys)) for batch_id, keys in self.batches),
            links=self.links,
            rejected=self.rejected,
            unreadable=tuple(unreadable),
            overdue=self.overdue,
            approval=self.approval,
        )


def make_draft(
    taken: Sequence[ReadFile], context: StepContext, policy: PlanPolicy, *, now: datetime, stem: str
) -> Draft:
    """Sort every number of the files, and pack those that were not asked for yet."""
    sortings = [Allocation(each.keys) for each in taken]
    if taken:
        _settle_asked(taken, sortings, context, policy)
    pool = pool_keys([sorting.left for sorting in sortings])
    is_overdue = any(now - each.file.planned_at >= policy.max_hold_back for each in taken)
    learnt = context.ledger.uploads.minimum(
        policy.task_type
    )  # no patience helps against what the provider refuses
    minimum = max(learnt, 1 if is_overdue and policy.send_rest else policy.min_batch)
    if policy.takes_any_size:
        minimum = 1
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
        approval=ask_approval([len(part) for part in parts], policy),
    )


def _settle_asked(
    taken: Sequence[ReadFile], sortings: Sequence[Allocation], context: StepContext, policy: PlanPolicy
) -> None:
    """By what was *sent*, not by the dataset: a number that was paid for and never answered is not in
    there. The list of batches is taken before their numbers, so one that loads meanwhile is still on it.

    The file's own batches come first, then those that block, then those that were answered, the newest
    of them in front.
    """
    ledger, folder = context.ledger, context.folder
    _settle_own(taken, sortings, ledger=ledger, folder=folder)
    sinces = [_since(each, policy) for each in taken]
    asked = ledger.plans.asked(policy.task_type, since=min(filter(None, sinces), default=None))
    claims = FirstMatch(pool_keys([sorting.left for sorting in sortings]).keys if asked else NO_MSISDNS)
    stale = _stale_when_undetermined(taken, policy)
    for batch in asked:
        keys = keys_of_batch(folder, batch.batch_id, numbers=batch.numbers)
        if stale and _is_bought_before(batch, stale) and claims.concern(keys):
            keys = _select_determined(batch, keys, folder)
        claims.add(keys)
    require_no_misnamed(folder.do_not_send)
    refused = keys_of_do_not_send(folder.do_not_send, region=policy.reading.settings.region)
    for sorting, since in zip(sortings, sinces, strict=True):
        sorting.settle_claimed(claims, [_verdict(batch, since) for batch in asked])
        sorting.settle(refused, (Disposition.DO_NOT_SEND, None))


def _settle_own(
    taken: Sequence[ReadFile], sortings: Sequence[Allocation], *, ledger: Ledger, folder: DataFolder
) -> None:
    """A file that is planned again buys nothing twice, even if its answers are no longer recent."""
    again = [
        (each.file.file_id, sorting) for each, sorting in zip(taken, sortings, strict=True) if each.is_again
    ]
    own = ledger.plans.own_batches([file_id for file_id, _ in again])
    for file_id, sorting in again:
        mine = own.get(file_id, [])
        others = [batch for batch in ledger.plans.answered_for(file_id) if batch not in mine]
        for fate, batches in ((Disposition.BATCHED, mine), (Disposition.KNOWN, others)):
            for batch in batches:
                keys = keys_of_batch(folder, batch.batch_id, numbers=batch.numbers)
                sorting.settle(keys, (fate, batch.batch_id))


def _since(each: ReadFile, policy: PlanPolicy) -> datetime | None:
    """Answers bought since then are known to this file; None: none are.

    What was known when a file landed stays known when it is planned again.
    """
    if each.is_again:
        return each.file.planned_at - policy.fresh_for
    return each.file.planned_at - policy.fresh_for if policy.fresh_for and not policy.recheck else None


def _stale_when_undetermined(taken: Sequence[ReadFile], policy: PlanPolicy) -> datetime | None:
    """Numbers that were bought before then, and got neither yes nor no, may be asked again."""
    if policy.fresh_for_undetermined is None:
        return None
    return min(each.file.planned_at for each in taken) - policy.fresh_for_undetermined


def _is_bought_before(batch: Batch, moment: datetime) -> bool:
    return not batch.state.blocks and batch.submitted_at is not None and batch.submitted_at < moment


def _select_determined(batch: Batch, keys: Msisdns, folder: DataFolder) -> Msisdns:
    """Those of a loaded batch that got an answer; all of them when the answers are not there any more."""
    if batch.checked_at is None:
        return keys
    path = dataset_path(folder.warehouse, batch.task_type, batch.checked_at, batch.batch_id)
    if not path.exists():
        return keys
    verdict = task_type(batch.task_type).verdict_column
    found = MsisdnBuffer()
    for rows in read_rows(path, ["number", verdict]):
        found.add(rows.filter(pl.col(verdict).is_not_null())["number"].cast(pl.Int64).to_numpy())
    return found.sort_keys()


def _verdict(batch: Batch, since: datetime | None) -> Placement | None:
    if batch.state.blocks:
        return Disposition.IN_FLIGHT, batch.batch_id
    if since is not None and batch.bought_at is not None and batch.bought_at >= since:
        return Disposition.KNOWN, batch.batch_id
    return None


def _with_fates(file: LandedFile, sorting: Allocation) -> LandedFile:
    waiting = sorting.total(Disposition.WAITING)
    counts = replace(
        file.counts,
        do_not_send=sorting.total(Disposition.DO_NOT_SEND),
        known=sorting.total(Disposition.KNOWN),
        in_flight=sorting.total(Disposition.IN_FLIGHT),
        waiting=waiting,
        batched=sorting.total(Disposition.BATCHED),
    )
    return replace(file, counts=counts, replan=1 if waiting else 0)


def _links(file: LandedFile, sorting: Allocation) -> list[Link]:
    return [
        Link(file.file_id, batch_id, fate, numbers)
        for (fate, batch_id), numbers in sorted(sorting.counts.items(), key=str)
        if batch_id is not None and fate in {Disposition.BATCHED, Disposition.IN_FLIGHT}
    ]


def _overdue(files: Sequence[LandedFile], policy: PlanPolicy, now: datetime, learnt: int) -> list[str]:
    """Too few numbers that wait longer than they should, where they are not to be sent."""
    remedy = (
        f"The provider accepts no fewer than {learnt:,}; drop more numbers into the landing folder"
        if learnt >= policy.min_batch
        else "Drop more numbers into the landing folder, lower EKYC_MIN_BATCH, or set EKYC_SMALL_REST=send"
    )
    return [
        f"{waiting:,} numbers of {file.name} have waited long, because they are below the minimum batch "
        f"size. {remedy}."
        for file in files
        if (waiting := file.counts.waiting) and now - file.planned_at >= policy.max_hold_back
    ]
