"""What the ledger hands out: frozen rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from ekyc_tasks.models import NO_LINES, BatchState, Disposition, Doubt, LineCounts, Outcome, Reconciliation

T = TypeVar("T")


IMPORT_PREFIX = "import-"  # no planned batch begins like that


@dataclass(frozen=True, slots=True)
class Batch:
    batch_id: str
    task_type: str
    state: BatchState
    numbers: int
    sha256: str
    planned_at: datetime
    run_id: str
    owner: str | None
    not_before: datetime | None
    server_errors: int
    task_id: str | None
    submitted_at: datetime | None
    provider_status: str | None
    provider_total: int | None
    provider_success: int | None
    actual_amount: str | None
    polls: int
    repacked: int
    dropped: int
    doubt: Doubt | None
    unknowns: int
    unknown_since: datetime | None
    exported_at: datetime | None
    checked_at: datetime | None
    archive_sha256: str | None
    archive_size: int | None
    loaded_at: datetime | None
    returned: int | None
    accepted: int | None
    unreadable: int | None
    unexpected: int | None
    duplicate: int | None
    missing: int | None
    cell_issues: int | None

    @property
    def is_import(self) -> bool:
        """It was bought before this ledger was there: nothing was ever uploaded for it."""
        return self.batch_id.startswith(IMPORT_PREFIX)

    @property
    def bought_at(self) -> datetime | None:
        """What a copy leaves to its original counts as bought when it was planned."""
        return self.planned_at if self.doubt is Doubt.COPY else self.submitted_at

    @property
    def counts(self) -> Reconciliation | None:
        """The accounts of the load, once there are any."""
        if self.returned is None:
            return None
        return Reconciliation(
            submitted=self.numbers,
            returned=self.returned,
            accepted=self.accepted or 0,
            unreadable=self.unreadable or 0,
            unexpected=self.unexpected or 0,
            duplicate=self.duplicate or 0,
            missing=self.missing or 0,
            cell_issues=self.cell_issues or 0,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to upload. ``outcome`` is None while it is not known how it ended."""

    attempt_id: str
    batch_id: str
    run_id: str
    started_at: datetime
    deadline: datetime
    price: Decimal | None
    balance_before: str | None
    used_before: str | None
    balance_after: str | None
    used_after: str | None
    looked_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    http_status: int | None
    minimum: int | None
    words: str | None
    task_id: str | None


@dataclass(frozen=True, slots=True)
class ChargeRecord:
    """An attempt that was charged, or (not ``is_certain``) may have been; amounts as far as known."""

    started_at: datetime
    price: Decimal | None
    is_certain: bool
    actual_amount: str | None


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One arrival, and what became of its lines. ``size`` in bytes."""

    file_id: str
    name: str
    sha256: str
    size: int
    path: str
    identity: str
    task_type: str
    planned_at: datetime
    run_id: str
    replan: int
    repacked: int = 0
    size_limit: int | None = None
    reading: str | None = None
    counts: LineCounts = NO_LINES

    @classmethod
    def of(cls, row: Any) -> LandedFile:
        """A row of the ledger, which has a column for each count."""
        return read(cls, row, counts=read(LineCounts, row))

    def as_row(self) -> dict[str, Any]:
        values = asdict(self)
        counts = values.pop("counts")
        return {**values, **counts}


@dataclass(frozen=True, slots=True)
class Link:
    """How many numbers of a landed file are in a batch, as its own or as another file's."""

    file_id: str
    batch_id: str
    fate: Disposition
    numbers: int


@dataclass(frozen=True, slots=True)
class Event:
    event_id: int
    at: datetime
    batch_id: str
    from_state: BatchState | None
    to_state: BatchState
    why: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    run_id: str
    host: str
    started_at: datetime
    lease_until: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch about to be planned; its file is on disk already."""

    batch_id: str
    numbers: int
    sha256: str


_ENUMS: dict[str, type] = {
    "state": BatchState,
    "from_state": BatchState,
    "to_state": BatchState,
    "fate": Disposition,
    "outcome": Outcome,
    "doubt": Doubt,
}


def read(record: type[T], row: Any, **given: object) -> T:
    """A row of a table as its record; the names are the same by construction, but for what is ``given``."""
    values = row._mapping
    found = {name: _value(name, values[name]) for name in _names(record) if name not in given}
    return record(**found, **given)


def _names(record: type) -> list[str]:
    return [field.name for field in fields(record)]


def _value(name: str, value: Any) -> Any:
    return _ENUMS[name](value) if name in _ENUMS and value is not None else value
