"""`ekyc normalize`: the load step alone, on any archive, with the code of the flow."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.arguments import existing, moment, moment_of, task_id_of
from ekyc_tasks.cli.terminal import load_tables
from ekyc_tasks.intake.sent_list import SentList, open_sent_list
from ekyc_tasks.normalize import Provenance
from ekyc_tasks.reporting.summary import load_document
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.runs.policies import default_reading
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import sha256_of
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import count
from ekyc_tasks.task_types import task_type as known_task_type

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class NormalizeRequest:
    """What was asked for at the command line; None: the default of `ekyc normalize`."""

    archive: Path
    out: Path
    numbers: Path | None = None
    task_type: str | None = None
    checked_at: str | None = None
    task_id: str = ""


def normalize(request: NormalizeRequest, out: Console, *, as_json: bool) -> None:
    """Load one file into the folder ``request.out``, and say what came of it."""
    settings = load_settings(task_type=request.task_type)
    known_task_type(settings.task_type)
    archive = existing(request.archive)
    numbers = None if request.numbers is None else existing(request.numbers)
    folder = DataFolder(request.out, landing=request.out / "landing", warehouse=request.out / "warehouse")
    given, now = request.checked_at, SystemClock().now()
    checked_at = moment_of(archive, now=now) if given is None else moment(given, now=now)
    task_id = task_id_of(request.task_id)
    try:
        batch_id = short_id(archive)
        with _open_sent_list(numbers, settings, folder) as sent:
            report = load_archive(
                archive,
                Provenance(checked_at, batch_id, task_id),
                numbers=None if sent is None else sent.path,
                task_type=settings.task_type,
                folder=folder,
                limits=settings.archive_limits,
            )
    except OSError as error:
        remedy = "Fix this, or name another folder with --out."
        raise reportable(error, place=request.out, remedy=remedy) from None
    document = load_document(batch_id, settings.task_type, checked_at, report)
    document["numbers_left_aside"] = {} if sent is None else dict(sent.left_aside)
    show(document, out, as_json=as_json)


def _open_sent_list(
    numbers: Path | None, settings: Settings, folder: DataFolder
) -> AbstractContextManager[SentList | None]:
    if numbers is None:
        return nullcontext()
    return open_sent_list(numbers, reading=default_reading(settings), staging=folder.staging)


def show(document: dict[str, Any], out: Console, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(document), ensure_ascii=True)
        return
    for table in load_tables(document):
        if table.row_count:
            out.print(table)
            out.print()
    for reason, lines in document["numbers_left_aside"].items():
        out.print(f"{count(lines, 'line')} of --numbers skipped: {reason}", highlight=False)
    for name in ("dataset", "quarantine"):
        if document[name]:
            out.print(f"{name}: {document[name]}", markup=False, highlight=False)


def short_id(archive: Path) -> str:
    """The same bytes get the same id, whatever they are called."""
    return sha256_of(archive)[:_ID_LENGTH]
