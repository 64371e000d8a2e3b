"""The upload journal: a line for each upload, in the data folder, before its first byte.

The ledger alone says what was bought. The journal says whether this *is* that ledger: an upload in it that
the ledger does not know was made by a newer one. It also names the task of files that turn out to be unknown.
Lines are short, in order of time, and torn ones (a process died) count for nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ekyc_tasks.ledger import Attempt, Batch, Ledger
from ekyc_tasks.storage.paths import DataFolder

_TAIL = 1 << 16  # bytes that are compared at each start: some three hundred uploads
_FACT = "journal_from"


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload as the journal has it; ``task_id`` where its answer came."""

    attempt_id: str
    batch_id: str
    task_type: str
    numbers: int
    at: str
    task_id: str | None = None

    @property
    def when(self) -> str:
        """Its time for a person, to the second."""
        return f"{self.at[:19].replace('T', ' ')} UTC"


def note_upload(folder: DataFolder, attempt: Attempt, batch: Batch) -> None:
    """OSError where it cannot be kept: then nothing may be sent."""
    _append(
        folder,
        {
            "attempt_id": attempt.attempt_id,
            "batch_id": batch.batch_id,
            "task_type": batch.task_type,
            "numbers": batch.numbers,
            "at": attempt.started_at.isoformat(),
        },
    )


def note_task(folder: DataFolder, attempt_id: str, task_id: str) -> None:
    _append(folder, {"attempt_id": attempt_id, "task_id": task_id})


def uploads(folder: DataFolder) -> dict[str, Upload]:
    """All of them, by attempt, in order."""
    return _uploads(_lines(_read(folder, 0)))


def unknown_uploads(folder: DataFolder, ledger: Ledger) -> list[Upload]:
    """Uploads that the ledger does not know, as far back as a look at each start may reach."""
    start = max(int(ledger.identity.fact(_FACT) or 0), _size(folder) - _TAIL)
    newest = _uploads(_lines(_read(folder, start)))
    known = ledger.uploads.known(newest)
    return [upload for attempt_id, upload in newest.items() if attempt_id not in known]


def bring_home(folder: DataFolder, ledger: Ledger, *, run_id: str) -> None:
    """Give back to a ledger that was set back what the journal knows about the uploads of its batches."""
    for upload in uploads(folder).values():
        if upload.at:
            ledger.uploads.recovered(
                upload.attempt_id,
                upload.batch_id,
                at=datetime.fromisoformat(upload.at),
                task_id=upload.task_id,
                run_id=run_id,
            )


def facts_of_answer(folder: DataFolder) -> dict[str, str]:
    """The fact that settles all uploads until now, because a person has dealt with them."""
    return {_FACT: str(_size(folder))}


def _append(folder: DataFolder, content: dict[str, Any]) -> None:
    """One write, so that lines of several processes do not mix; it begins on a line of its own."""
    descriptor = os.open(folder.upload_journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"\n{json.dumps(content)}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(folder: DataFolder) -> int:
    try:
        return folder.upload_journal.stat().st_size
    except FileNotFoundError:
        return 0


def _read(folder: DataFolder, start: int) -> bytes:
    try:
        with folder.upload_journal.open("rb") as file:
            file.seek(start)
            return file.read()
    except FileNotFoundError:
        return b""


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # blank, or torn
            continue
        if isinstance(entry, dict) and isinstance(entry.get("attempt_id"), str):
            yield entry


def _uploads(entries: Iterator[dict[str, Any]]) -> dict[str, Upload]:
    found: dict[str, Upload] = {}
    for entry in entries:
        attempt_id = entry["attempt_id"]
        if "batch_id" in entry:
            found[attempt_id] = Upload(
                attempt_id,
                str(entry["batch_id"]),
                str(entry.get("task_type", "")),
                int(entry.get("numbers", 0)),
                str(entry.get("at", "")),
            )
        elif attempt_id in found and "task_id" in entry:
            found[attempt_id] = replace(found[attempt_id], task_id=str(entry["task_id"]))
    return found
