"""Load one batch's archive into the dataset; free of charge, and repeatable from what is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError, LoadFailed
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Batch
from ekyc_tasks.models import ArchiveLimits, BatchState, LoadReport
from ekyc_tasks.normalize import Provenance
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.storage.dataset import dataset_path
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import sha256_of
from ekyc_tasks.support.redact import without_numbers

_MOST_REMARKS = 10
_FIRST_SEEN = (
    "The provider gave no time of the results that can be right. Column checked_at is the time when the "
    "result was first seen."
)


@dataclass(frozen=True, slots=True)
class Replay:
    """One batch loaded again. ``has_changed``: its file in the dataset is another than before."""

    batch: Batch
    checked_at: datetime
    report: LoadReport
    has_changed: bool


def load(batch_id: str, context: StepContext, limits: ArchiveLimits) -> LoadReport | None:
    """FETCHED → LOADED; None when there was nothing to do. Raises LoadFailed: the batch stays FETCHED."""
    ledger = context.ledger
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.FETCHED or batch.checked_at is None:
        return None
    report = _load(batch, context, limits)
    ledger.progress.loaded(batch_id, report.counts, run_id=context.run_id, remarks=_remarks(report))
    return report


def replay(batch_id: str, context: StepContext, limits: ArchiveLimits) -> Replay:
    """Load a FETCHED or LOADED batch (again) from its kept archive; the new file replaces the old one.

    The same code gives the same bytes. Raises ConfigurationError for a batch that has no archive or belongs
    to a living run, LoadFailed (what was loaded before stays as it is) for one that cannot be loaded.
    """
    run_id, ledger, folder = context.run_id, context.ledger, context.folder
    if not ledger.runs.claimed_to_replay(run_id, batch_id):
        raise ConfigurationError(_why_not(ledger.history.batch(batch_id)))
    batch = ledger.history.batch(batch_id)
    try:
        _require_kept(batch, folder)
    except LoadFailed as error:
        ledger.progress.load_failed(batch_id, why=str(error), run_id=run_id)
        raise
    before = _digest(_place(batch, folder))
    report = _load(batch, context, limits)
    told = ledger.progress.loaded if batch.state is BatchState.FETCHED else ledger.progress.replayed
    told(batch_id, report.counts, run_id=run_id, remarks=_remarks(report))
    return Replay(batch, _date_of_result(batch), report, _digest(report.dataset_path) != before)


def _load(batch: Batch, context: StepContext, limits: ArchiveLimits) -> LoadReport:
    folder = context.folder
    try:
        report = load_archive(
            folder.raw_file(batch.batch_id),
            Provenance(_date_of_result(batch), batch.batch_id, batch.task_id or ""),
            numbers=folder.batch_file(batch.batch_id),
            task_type=batch.task_type,
            folder=folder,
            limits=limits,
        )
    except LoadFailed as error:
        context.ledger.progress.load_failed(batch.batch_id, why=str(error), run_id=context.run_id)
        raise
    is_first_seen = batch.checked_at == batch.exported_at
    return replace(report, drift=(*report.drift, _FIRST_SEEN)) if is_first_seen else report


def _remarks(report: LoadReport) -> list[str]:
    """Differences from the contract, for the batch's history; a header may have any number of odd columns."""
    shown = [without_numbers(sentence) for sentence in report.drift[:_MOST_REMARKS]]
    more = len(report.drift) - len(shown)
    return [*shown, f"And {more} more."] if more else shown


def _why_not(batch: Batch) -> str:
    if batch.state.has_archive:
        return (
            f"Batch {batch.batch_id} belongs to a run that is still going. Replay it when that run has ended."
        )
    return (
        f"Batch {batch.batch_id} is {batch.state}. Only fetched and loaded batches have an archive to replay."
    )


def _require_kept(batch: Batch, folder: DataFolder) -> None:
    """The archive as received and the numbers as sent, or nothing is loaded from them."""
    kept = (
        (folder.raw_file(batch.batch_id), batch.archive_sha256, "as received"),
        (folder.batch_file(batch.batch_id), batch.sha256, "as sent"),
    )
    for path, digest, how in kept:
        if _digest(path) != digest:
            what = f"is no longer {how}" if path.exists() else "is missing"
            raise LoadFailed(
                f"Batch {batch.batch_id} cannot be loaded again: {path} {what}. Restore it from a backup."
            )


def _place(batch: Batch, folder: DataFolder) -> Path:
    return dataset_path(folder.warehouse, batch.task_type, _date_of_result(batch), batch.batch_id)


def _date_of_result(batch: Batch) -> datetime:
    if batch.checked_at is None:
        raise LoadFailed(f"The ledger has no time of the answers of batch {batch.batch_id}")
    return batch.checked_at


def _digest(path: Path) -> str | None:
    return sha256_of(path) if path.exists() else None
