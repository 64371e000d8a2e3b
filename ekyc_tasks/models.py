"""Frozen values and enums that cross rooms. Times are aware and UTC, counts are plain ints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import add
from pathlib import Path

from ekyc_tasks.support.wording import outcome


class BatchState(StrEnum):
    """Where one batch is. Transitions are in `ekyc_tasks.ledger`, named after what happened."""

    PLANNED = "planned"  # numbers on disk, nothing sent
    SUBMITTING = "submitting"  # the intent to upload is committed; the outcome is not known yet
    SUBMITTED = "submitted"  # charged; the provider's task id is known
    FETCHED = "fetched"  # the archive is ours, complete and kept
    LOADED = "loaded"  # rows are in the dataset, counts agree
    REFUSED = "refused"  # free of charge, and never right as it is
    FAILED = "failed"  # the provider gave up on it, or no longer knows it
    HELD = "held"  # it may or may not have been charged: a person decides
    ABANDONED = "abandoned"  # a person gave it up; its numbers block nothing

    @property
    def is_final(self) -> bool:
        """Nothing is left to do."""
        return self in {BatchState.LOADED, BatchState.ABANDONED}

    @property
    def blocks(self) -> bool:
        """Its numbers are not bought again, however long ago they were."""
        return not self.is_final

    @property
    def needs_decision(self) -> bool:
        """Only a person moves it."""
        return self in {BatchState.REFUSED, BatchState.FAILED, BatchState.HELD}

    @property
    def goes_on(self) -> bool:
        """Runs move it, without a person."""
        return not self.is_final and not self.needs_decision

    @property
    def is_claimable(self) -> bool:
        """A run that takes it may continue it; an upload is its own run's alone."""
        return self.goes_on and self is not BatchState.SUBMITTING

    @property
    def is_underway(self) -> bool:
        """Paid for, and its answers are on their way into the dataset."""
        return self in {BatchState.SUBMITTED, BatchState.FETCHED}

    @property
    def has_archive(self) -> bool:
        return self in {BatchState.FETCHED, BatchState.LOADED}

    @property
    def may_be_paid(self) -> bool:
        """It waits for a person, and its upload may have been charged."""
        return self in {BatchState.HELD, BatchState.FAILED}


def states_where(holds: Callable[[BatchState], bool]) -> tuple[BatchState, ...]:
    return tuple(state for state in BatchState if holds(state))


class Doubt(StrEnum):
    """Why a batch waits for a person, whatever else is known about it."""

    RESTORED = "restored"  # its ledger is a backup: it may have been uploaded since
    FOUND = "found"  # its files were there, and the ledger did not know it
    COPY = "copy"  # it belongs to the original, and is never sent from this copy


class Account(StrEnum):
    """What a person says of the provider's account when a ledger is made for it."""

    NEW = "new"  # it has bought nothing before
    USED = "used"  # it has bought elsewhere before; that is not known here
    SHARED = "shared"  # others buy with it at the same time: their spending is shown, and stops nothing


class Disposition(StrEnum):
    """What happened to a number of a landed file, counted where it stands first."""

    DO_NOT_SEND = "do_not_send"
    KNOWN = "known"  # bought recently
    IN_FLIGHT = "in_flight"  # in another file's batch
    WAITING = "waiting"  # too few for a batch of their own
    BATCHED = "batched"


class Outcome(StrEnum):
    """How one upload ended, sorted by what it means for money (see `provider.upload`)."""

    NOT_SENT = "not_sent"  # no connection: nothing left this machine
    THROTTLED = "throttled"  # 429
    SERVER_ERROR = "server_error"  # 500, free by the provider's page
    REFUSED = "refused"  # 400, 413, 422
    ACCESS_DENIED = "access_denied"  # 401, 403, 404, 405
    NO_MONEY = "no_money"  # 402
    ACCEPTED = "accepted"  # 200 or 202 with a task id: charged
    UNKNOWN = "unknown"  # anything else once sending began


class Decision(StrEnum):
    """What a person may decide about a batch."""

    ADOPT = "adopt"  # it is the provider's task so-and-so
    RESUBMIT = "resubmit"  # upload it (again)
    ABANDON = "abandon"  # give it up


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What is known after one upload. ``words`` are the provider's, shortened and scrubbed.

    ``minimum``: the fewest numbers in a task, where a refusal named it.
    """

    outcome: Outcome
    words: str
    http_status: int | None = None
    task_id: str | None = None
    retry_after: float | None = None
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """The provider's answer about one task; only ``task_id`` and ``status`` may be relied on."""

    task_id: str
    status: str
    total: int | None = None
    success: int | None = None
    updated_at: datetime | None = None
    user_id: str | None = None
    actual_amount: str | None = None
    result_url: str | None = field(default=None, repr=False)

    @property
    def is_exported(self) -> bool:
        """Exported *and* downloadable: for a moment a task is exported without a link."""
        return self.status.lower() == "exported" and bool(self.result_url)

    @property
    def has_failed(self) -> bool:
        return self.status.lower() == "failed"


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What a result archive may cost before it is refused as hostile. Sizes in bytes."""

    max_members: int = 10_000
    max_member_bytes: int = 8 << 30
    max_total_bytes: int = 16 << 30
    max_ratio: int = 200


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Two accounts of landed files. Each line is blank, a header, rejected, or has numbers, mostly one; each
    number has one disposition. The ledger's columns have the same names, and so have the JSON documents."""

    lines: int = 0
    blank: int = 0
    header: int = 0
    rejected: int = 0
    duplicate: int = 0
    do_not_send: int = 0
    known: int = 0
    in_flight: int = 0
    waiting: int = 0
    batched: int = 0

    def __add__(self, other: LineCounts) -> LineCounts:
        return LineCounts(*map(add, astuple(self), astuple(other)))

    @property
    def numbers(self) -> int:
        return self.duplicate + self.do_not_send + self.known + self.in_flight + self.waiting + self.batched

    @property
    def lines_with_numbers(self) -> int:
        return self.lines - self.blank - self.header - self.rejected

    @property
    def not_bought(self) -> int:
        """Lines and numbers that an upload of the file as it is would have paid for."""
        return self.rejected + self.duplicate + self.do_not_send + self.known + self.in_flight

    @property
    def holds_no_number(self) -> bool:
        return not self.lines_with_numbers


NO_LINES = LineCounts()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The accounts of one loaded batch (rows, but for ``submitted`` and ``missing``: numbers)."""

    submitted: int
    returned: int
    accepted: int
    unreadable: int
    unexpected: int
    duplicate: int
    missing: int
    cell_issues: int = 0

    @property
    def quarantined(self) -> int:
        return self.unreadable + self.unexpected + self.duplicate

    @property
    def is_foreign(self) -> bool:
        """Rows came back, and none of them was asked for."""
        return self.returned > 0 and self.accepted == 0

    @property
    def summary(self) -> str:
        return outcome(accepted=self.accepted, quarantined=self.quarantined, missing=self.missing)

    def contradiction(self) -> str | None:
        """The sentence that says which sum does not hold, or None when both do."""
        if self.returned != self.accepted + self.quarantined:
            return (
                f"{self.returned} rows came back, but {self.accepted} + {self.quarantined} are accounted for"
            )
        if self.submitted != self.accepted + self.missing:
            return (
                f"{self.submitted} numbers were sent, but {self.accepted} + {self.missing} are accounted for"
            )
        return None


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What `loading.load_archive` made of one archive."""

    counts: Reconciliation
    dataset_path: Path
    quarantine_path: Path | None
    members_read: tuple[str, ...] = ()
    members_left_aside: tuple[tuple[str, str], ...] = ()  # name, why
    dialect: str = "documented"
    drift: tuple[str, ...] = ()  # unknown or absent columns, new values: one sentence each, no numbers
