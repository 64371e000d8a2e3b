"""What every step is handed beside the ids and values of its own."""

from __future__ import annotations

from dataclasses import dataclass

from ekyc_tasks.ledger import Ledger
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.clock import Clock


@dataclass(frozen=True, slots=True)
class StepContext:
    """Whose work it is, where it is kept, and what time it is.

    ``run_id`` holds a lease in the ledger; "" where nothing is written.
    """

    run_id: str
    ledger: Ledger
    folder: DataFolder
    clock: Clock
