"""This project: `loading.load_archive`, as the flow calls it."""

from __future__ import annotations

from benchmarks.results.candidate import BATCH_ID, CHECKED_AT, TASK_ID, Job, measured
from ekyc_tasks.loading import load_archive
from ekyc_tasks.task_types import task_type

TASK_TYPE = task_type("tg_avatar")  # imported when first asked for


def load(job: Job) -> int:
    report = load_archive(
        job.archive,
        numbers=job.numbers,
        task_type=TASK_TYPE.name,
        batch_id=BATCH_ID,
        task_id=TASK_ID,
        checked_at=CHECKED_AT,
        warehouse=job.folder / "warehouse",
        quarantine=job.folder / "quarantine",
        staging=job.folder / ".staging",
        warehouse_staging=job.folder / ".staging",
    )
    report.dataset_path.replace(job.rows)
    if report.quarantine_path:
        report.quarantine_path.replace(job.quarantine)
    return report.counts.missing


if __name__ == "__main__":
    measured(load)
