"""Files in the data folder that the ledger does not know: shown, never removed.

They may be the only record of what was bought, by a newer ledger than this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ekyc_tasks.installation.write_intents import list_announced
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.wording import count

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Strays:
    """By kind, what the ledger does not know. ``batches`` are ids, of a list or of its sorted keys."""

    batches: tuple[str, ...] = ()
    archives: tuple[Path, ...] = ()
    inputs: tuple[Path, ...] = ()
    answers: tuple[Path, ...] = ()

    @property
    def count(self) -> int:
        return sum(map(len, (self.batches, self.archives, self.inputs, self.answers)))

    @property
    def in_words(self) -> str:
        kinds = (
            (self.batches, "batch", "in batches/"),
            (self.archives, "archive", "in raw/"),
            (self.inputs, "landed file", "in inputs/"),
            (self.answers, "answer", "in .spool/"),
        )
        return ", ".join(f"{count(len(found), what)} {where}" for found, what, where in kinds if found)


def find_strays(folder: DataFolder, ledger: Ledger) -> Strays:
    """Files first, then the lists of plans, then the ledger: a plan that is committed meanwhile is known in
    one of them, and one that is swept meanwhile has left nothing."""
    seen = _look_into(folder)
    at_work = list_announced(folder)
    maybe = [path for path in seen if path not in at_work]
    known = find_known_files(folder, ledger, maybe)
    left = [path for path in maybe if path not in known and path.exists()]
    return Strays(
        batches=tuple(sorted({path.stem for path in left if path.parent in {folder.batches, folder.keys}})),
        archives=tuple(path for path in left if path.parent == folder.raw),
        inputs=tuple(path for path in left if path.parent == folder.inputs),
        answers=tuple(path for path in left if path.parent == folder.spool),
    )


def find_known_files(folder: DataFolder, ledger: Ledger, files: Sequence[Path]) -> set[Path]:
    """Which of these files belong to a batch, a landed file or an upload of the ledger."""
    if not files:
        return set()
    ids, digests = ledger.plans.batch_ids(), ledger.plans.input_digests()
    answers = {path: attempt_of(path) for path in files if path.parent == folder.spool}
    attempts = ledger.uploads.known([attempt for attempt in answers.values() if attempt])

    def is_known(path: Path) -> bool:
        if path in answers:  # one that cannot be read is no stray: importing the spool says what to do
            return answers[path] is None or answers[path] in attempts
        return path.name in digests if path.parent == folder.inputs else path.stem in ids

    return {path for path in files if is_known(path)}


def attempt_of(answer: Path) -> str | None:
    """The upload that a spooled answer belongs to."""
    return _sentence(answer, "attempt_id")


def task_of(answer: Path) -> str | None:
    """The provider's task that a spooled answer names."""
    return _sentence(answer, "task_id")


def _sentence(answer: Path, name: str) -> str | None:
    try:
        value = json.loads(answer.read_bytes())[name]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _look_into(folder: DataFolder) -> list[Path]:
    patterns = (
        (folder.batches, "*.txt"),
        (folder.keys, "*.i64"),
        (folder.raw, "*.archive"),
        (folder.inputs, "*"),
        (folder.spool, "*.json"),
    )
    return [
        path
        for place, pattern in patterns
        for path in sorted(place.glob(pattern))
        if not path.name.startswith(".") and (place != folder.inputs or _SHA256.fullmatch(path.name))
    ]
