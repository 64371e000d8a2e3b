"""Answers to uploads, fsynced to small files before the ledger hears of them.

A full disk or a lost database at that very moment then loses no task id: every run brings the
spool home before it calls anything held.
"""

from __future__ import annotations

import json
from pathlib import Path

from ekyc_tasks.disk import discard, written
from ekyc_tasks.errors import LedgerError
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.models import Outcome, UploadResult


def keep(folder: DataFolder, attempt_id: str, result: UploadResult) -> Path:
    path = folder.spool_file(attempt_id)
    with written(path, staging=folder.staging) as file:
        content = {"attempt_id": attempt_id, "task_id": result.task_id, "http_status": result.http_status}
        file.write(json.dumps(content).encode())
    return path


def bring_home(folder: DataFolder, ledger: Ledger, *, run_id: str) -> int:
    """Commit every spooled answer to the ledger; how many there were."""
    spooled = sorted(folder.spool.glob("*.json"))
    for path in spooled:
        attempt_id, result = _answer(path)
        ledger.uploads.accepted(attempt_id, result, run_id=run_id)
        discard(path)
    return len(spooled)


def _answer(path: Path) -> tuple[str, UploadResult]:
    try:
        answer = json.loads(path.read_bytes())
        result = UploadResult(
            Outcome.ACCEPTED, "found in the spool", answer["http_status"], task_id=answer["task_id"]
        )
        return answer["attempt_id"], result
    except (OSError, ValueError, LookupError, TypeError):
        raise LedgerError(
            f"{path} cannot be read, and it may hold the id of a paid task: mend it, or put it aside and "
            "adopt the task by hand."
        ) from None
