"""This project: `load_archive`, as the flow calls it."""

from __future__ import annotations

from benchmarks.results.candidate import BATCH_ID, CHECKED_AT, TASK_ID, Job, measured
from ekyc_tasks.normalize import Provenance
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.task_types import task_type

TASK_TYPE = task_type("tg_avatar")  # imported when first asked for


def load(job: Job) -> int:
    report = load_archive(
        job.archive,
        Provenance(CHECKED_AT, BATCH_ID, TASK_ID),
        numbers=job.numbers,
        task_type=TASK_TYPE.name,
        folder=DataFolder(job.folder, job.folder / "landing", job.folder / "warehouse"),
    )
    report.dataset_path.replace(job.rows)
    if report.quarantine_path:
        report.quarantine_path.replace(job.quarantine)
    return report.counts.missing


if __name__ == "__main__":
    measured(load)
