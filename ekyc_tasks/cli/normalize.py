"""`ekyc normalize`: the load step alone, on any archive, with the code of the flow."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.terminal import load_tables
from ekyc_tasks.disk import sha256_of
from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.estimate import plan_policy
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.loading import load_archive
from ekyc_tasks.report import load_document, printable
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.steps.lists import SentList, sent_list
from ekyc_tasks.task_types import task_type as known_task_type
from ekyc_tasks.wording import count

_ID_LENGTH = 16
_LONGEST_TASK_ID = 200
_EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)  # none of the services that are checked is older
_CLOCKS_MAY_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for at the command line; None: the default of `ekyc normalize`."""

    archive: Path
    out: Path
    numbers: Path | None = None
    task_type: str | None = None
    checked_at: str | None = None
    task_id: str = ""


def normalize(request: Request, out: Console, *, as_json: bool) -> None:
    """Load one file into the folder ``request.out``, and say what came of it."""
    settings = load_settings(task_type=request.task_type)
    known_task_type(settings.task_type)
    archive = existing(request.archive)
    numbers = None if request.numbers is None else existing(request.numbers)
    folder = DataFolder(request.out, landing=request.out / "landing", warehouse=request.out / "warehouse")
    given = request.checked_at
    checked_at = moment_of(archive) if given is None else moment(given)
    task_id = task_id_of(request.task_id)
    try:
        batch_id = short_id(archive)
        with _sent(numbers, settings, folder) as sent:
            report = load_archive(
                archive,
                numbers=None if sent is None else sent.path,
                task_type=settings.task_type,
                batch_id=batch_id,
                task_id=task_id,
                checked_at=checked_at,
                warehouse=folder.warehouse,
                quarantine=folder.quarantine,
                staging=folder.staging,
                warehouse_staging=folder.warehouse_staging,
                limits=settings.archive_limits,
            )
    except OSError as error:
        where = printable(str(error.filename or request.out))
        raise ConfigurationError(
            f"{where}: {error.strerror or 'it cannot be used'}; mend that, or name another folder with --out."
        ) from None
    document = load_document(batch_id, settings.task_type, checked_at, report)
    document["numbers_left_aside"] = {} if sent is None else dict(sent.left_aside)
    show(document, out, as_json=as_json)


def _sent(
    numbers: Path | None, settings: Settings, folder: DataFolder
) -> AbstractContextManager[SentList | None]:
    if numbers is None:
        return nullcontext()
    return sent_list(numbers, reading=plan_policy(settings), staging=folder.staging)


def show(document: dict[str, Any], out: Console, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(document), ensure_ascii=True)
        return
    for table in load_tables(document):
        if table.row_count:
            out.print(table)
            out.print()
    for reason, lines in document["numbers_left_aside"].items():
        out.print(f"{count(lines, 'line')} of --numbers left aside: {reason}", highlight=False)
    for name in ("dataset", "quarantine"):
        if document[name]:
            out.print(f"{name}: {document[name]}", markup=False, highlight=False)


def existing(path: Path) -> Path:
    """A file that can be opened; a device or a pipe might never end."""
    try:
        if not path.is_file():
            raise InputError(
                f"{printable(str(path))} is no file; name a result archive or a list of numbers."
            )
        path.open("rb").close()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f"{printable(str(path))} cannot be read ({why}).") from None
    return path


def short_id(archive: Path) -> str:
    """The same bytes get the same id, whatever they are called."""
    return sha256_of(archive)[:_ID_LENGTH]


def moment(text: str, *, now: datetime | None = None) -> datetime:
    """``2026-01-02T03:04:05Z``, or with any offset; without one it is UTC. It has to lie before ``now``."""
    try:
        given = datetime.fromisoformat(text)
        found = (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            "--checked-at is no time; write it as 2026-01-02T03:04:05Z or 2026-01-02."
        ) from None
    if doubt := _doubt(found, now):
        raise ConfigurationError(f"--checked-at {doubt}; say when the answers were made, in UTC.")
    return found


def moment_of(file: Path, *, now: datetime | None = None) -> datetime:
    """When the file was written last, to the second: copies keep no finer time everywhere."""
    try:
        found = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        doubt = _doubt(found, now)
    except (ValueError, OverflowError, OSError):
        doubt = "cannot be"
    if doubt:
        raise ConfigurationError(
            f"{printable(str(file))} has a time that {doubt}; say when it was made with --checked-at."
        )
    return found


def _doubt(moment: datetime, now: datetime | None) -> str | None:
    """Why no answer was made then; numbers from the future would count as fresh for ever."""
    if now is None:
        return None
    if moment > now + _CLOCKS_MAY_DIFFER:
        return "lies in the future"
    return f"lies before {_EARLIEST.year}" if moment < _EARLIEST else None


def task_id_of(text: str) -> str:
    if len(text) > _LONGEST_TASK_ID or not text.isprintable():
        raise ConfigurationError(f"--task-id is at most {_LONGEST_TASK_ID} printable characters.")
    return text
