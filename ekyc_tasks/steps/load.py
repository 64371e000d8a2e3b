"""Load one batch's archive into the dataset; free of charge, and repeatable from what is kept."""

from __future__ import annotations

from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.loading import load_archive
from ekyc_tasks.models import ArchiveLimits, BatchState, LoadReport


def load(
    batch_id: str, *, run_id: str, ledger: Ledger, folder: DataFolder, limits: ArchiveLimits
) -> LoadReport | None:
    """FETCHED → LOADED; None when there was nothing to do. Raises LoadFailed: the batch stays FETCHED."""
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.FETCHED or batch.checked_at is None:
        return None
    try:
        report = load_archive(
            folder.raw_file(batch_id),
            numbers=folder.batch_file(batch_id),
            task_type=batch.task_type,
            batch_id=batch_id,
            task_id=batch.task_id or "",
            checked_at=batch.checked_at,
            warehouse=folder.warehouse,
            quarantine=folder.quarantine,
            staging=folder.staging,
            limits=limits,
        )
    except LoadFailed as error:
        ledger.progress.load_failed(batch_id, why=str(error), run_id=run_id)
        raise
    ledger.progress.loaded(batch_id, report.counts, run_id=run_id)
    return report
