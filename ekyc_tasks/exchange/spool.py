"""Answers to uploads, fsynced to small files before the ledger hears of them.

A full disk or a lost database at that very moment then loses no task id: every run brings the
spool home before it calls anything held.
"""

from __future__ import annotations

import json
from pathlib import Path

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.models import Outcome, UploadResult
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import discard, write_file


def keep(folder: DataFolder, attempt_id: str, result: UploadResult) -> Path:
    path = folder.spool_file(attempt_id)
    with write_file(path, staging=folder.staging) as file:
        content = {"attempt_id": attempt_id, "task_id": result.task_id, "http_status": result.http_status}
        file.write(json.dumps(content).encode())
    return path


def bring_home(folder: DataFolder, ledger: Ledger, *, run_id: str) -> int:
    """Commit every spooled answer to the ledger; how many there were."""
    found = [(path, _answer(path)) for path in sorted(folder.spool.glob("*.json"))]
    answers = [(path, *answer) for path, answer in found if answer is not None]
    known = ledger.uploads.known([attempt_id for _, attempt_id, _ in answers])
    for path, attempt_id, result in answers:
        if attempt_id in known:  # else it is another ledger's: a person looks first
            ledger.uploads.accepted(attempt_id, result, run_id=run_id)
            discard(path)
    return len(known)


def _answer(path: Path) -> tuple[str, UploadResult] | None:
    """None where another run has committed it in the meantime, and removed the file."""
    try:
        answer = json.loads(path.read_bytes())
        result = UploadResult(
            Outcome.ACCEPTED, "found in the spool", answer["http_status"], task_id=answer["task_id"]
        )
        return answer["attempt_id"], result
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError):
        raise LedgerError(
            f"{path} cannot be read. It may contain the id of a paid task. Fix the file; or move it away and "
            "use `ekyc resolve BATCH adopt TASK_ID`."
        ) from None
