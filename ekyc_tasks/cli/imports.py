"""`ekyc import`: archives that were bought before this project was there become batches like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.normalize import existing, moment, moment_of, task_id_of
from ekyc_tasks.cli.terminal import import_table
from ekyc_tasks.clock import SystemClock
from ekyc_tasks.errors import ConfigurationError, EkycError
from ekyc_tasks.lease import run_lease
from ekyc_tasks.ledger import Ledger, open_ledger
from ekyc_tasks.report import load_document, printable
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.steps.imports import Given, Import, Importer
from ekyc_tasks.task_types import task_type as known_task_type


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for at the command line; None: the default of `ekyc import`."""

    archives: Sequence[Path]
    task_type: str | None = None
    checked_at: str | None = None
    task_id: str = ""
    is_correction: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    archive: str
    why: str
    exit_code: int


def import_archives(request: Request, out: Console, *, as_json: bool) -> int:
    """The exit code: one archive that cannot be imported stops no other."""
    settings = load_settings(task_type=request.task_type)
    known_task_type(settings.task_type)
    asked = _asked(request, settings)
    with (
        open_ledger(settings.ledger_address) as ledger,
        run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
    ):
        outcomes = list(_imported(asked, run_id, ledger, settings))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    done = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    _show(done, failed, out, as_json=as_json)
    return min((failure.exit_code for failure in failed), default=0)


def _asked(request: Request, settings: Settings) -> list[Given]:
    """What is said once holds for all archives, and is checked before any of them is touched."""
    if request.is_correction and request.task_type is None:
        raise ConfigurationError("--correct needs --task-type: say of which check the answers are.")
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


def _imported(
    asked: Sequence[Given], run_id: str, ledger: Ledger, settings: Settings
) -> Iterator[dict[str, Any] | Failure]:
    importer = Importer(run_id=run_id, ledger=ledger, folder=settings.folder, limits=settings.archive_limits)
    for given in asked:
        path = given.archive
        try:
            existing(path)
            yield _document(path, importer.take(given))
        except EkycError as error:
            yield Failure(printable(str(path)), printable(without_numbers(str(error))), error.exit_code)
        except OSError as error:  # a full disk, a lost permission
            what = f"{error.strerror or 'a file cannot be used'} ({printable(str(error.filename))})"
            why = without_numbers(f"{printable(path.name)}: {what}; mend that.")
            yield Failure(printable(str(path)), why, 2)


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
        failures = [asdict(failure) for failure in failed]
        out.print_json(json.dumps({"imported": list(done), "failed": failures}), ensure_ascii=True)
        return
    if done:
        out.print(import_table(done))
    for failure in failed:
        out.print(failure.why, markup=False, highlight=False)
