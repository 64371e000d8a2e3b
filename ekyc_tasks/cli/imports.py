"""`ekyc import`: archives that were bought before this project was there become batches like any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.arguments import existing, moment, moment_of, task_id_of
from ekyc_tasks.cli.outcomes import Failure, try_each, worst_of
from ekyc_tasks.cli.terminal import import_table
from ekyc_tasks.errors import ConfigurationError, ExitCode
from ekyc_tasks.installation import open_one
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.reporting.summary import load_document
from ekyc_tasks.results.import_archive import Given, Import, Importer
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.wording import printable
from ekyc_tasks.task_types import task_type as known_task_type


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What was asked for at the command line; None: the default of `ekyc import`."""

    archives: Sequence[Path]
    task_type: str | None = None
    checked_at: str | None = None
    task_id: str = ""
    is_correction: bool = False


def import_archives(request: ImportRequest, out: Console, *, as_json: bool) -> ExitCode:
    """The exit code: one archive that cannot be imported stops no other."""
    settings = load_settings(task_type=request.task_type)
    known_task_type(settings.task_type)
    asked = _complete(request, settings)
    with (
        open_one(settings.site) as ledger,
        run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
    ):
        context = StepContext(run_id, ledger, settings.folder, SystemClock())
        done, failed = try_each(
            asked,
            partial(_take, Importer(context, settings.archive_limits)),
            name=lambda given: str(given.archive),
            noun="Archive",
            remedy="Fix this and import it again.",
        )
    _show(done, failed, out, as_json=as_json)
    return worst_of(failed)


def _complete(request: ImportRequest, settings: Settings) -> list[Given]:
    """What is said once holds for all archives, and is checked before any of them is touched."""
    if request.is_correction and request.task_type is None:
        raise ConfigurationError("--correct needs --task-type: name the check that the answers come from.")
    now = SystemClock().now()
    checked_at = None if request.checked_at is None else moment(request.checked_at, now=now)
    task_id = task_id_of(request.task_id) or None
    return [
        Given(
            path,
            settings.task_type,
            task_id,
            checked_at,
            written_at=partial(moment_of, path, now=now),
            is_correction=request.is_correction,
        )
        for path in request.archives
    ]


def _take(importer: Importer, given: Given) -> dict[str, Any]:
    existing(given.archive)
    return _document(given.archive, importer.take(given))


def _document(path: Path, done: Import) -> dict[str, Any]:
    archive, batch = printable(str(path)), done.batch
    if done.report is not None and batch.checked_at is not None:
        document = load_document(batch.batch_id, batch.task_type, batch.checked_at, done.report)
        return {"archive": archive, "is_new": True, **document}
    return {
        "archive": archive,
        "is_new": False,
        "batch_id": batch.batch_id,
        "task_type": batch.task_type,
        "checked_at": batch.checked_at.isoformat() if batch.checked_at else None,
    }


def _show(done: Sequence[dict[str, Any]], failed: Sequence[Failure], out: Console, *, as_json: bool) -> None:
    if as_json:
        failures = [failure.as_data("archive") for failure in failed]
        out.print_json(json.dumps({"imported": list(done), "failed": failures}), ensure_ascii=True)
        return
    if done:
        out.print(import_table(done))
    for failure in failed:
        out.print(failure.why, markup=False, highlight=False)
