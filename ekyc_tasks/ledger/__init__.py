"""The ledger: the only truth about progress, and the only SQL.

    PLANNED ─► SUBMITTING ─► SUBMITTED ─► FETCHED ─► LOADED
       ▲           │  │          └─► FAILED   the provider says so, or no longer knows the task
       └ not sent, ┘  ├─► REFUSED             400, 413, 422: never as it is
         free error   └─► HELD                unknown

Every transition is a method named after what happened, one transaction with its event.
"""

from __future__ import annotations

from datetime import datetime

from ekyc_tasks.ledger.decisions import Decisions
from ekyc_tasks.ledger.facts import Facts
from ekyc_tasks.ledger.history import History
from ekyc_tasks.ledger.migrate import migrate
from ekyc_tasks.ledger.plans import Plans
from ekyc_tasks.ledger.progress import Progress
from ekyc_tasks.ledger.records import (
    IMPORT_PREFIX,
    Attempt,
    Batch,
    Charge,
    Event,
    LandedFile,
    Link,
    NewBatch,
    Run,
)
from ekyc_tasks.ledger.runs import Runs
from ekyc_tasks.ledger.store import Clock, Store
from ekyc_tasks.ledger.uploads import Uploads

__all__ = [
    "IMPORT_PREFIX",
    "Attempt",
    "Batch",
    "Charge",
    "Event",
    "LandedFile",
    "Ledger",
    "Link",
    "NewBatch",
    "Run",
    "connect_ledger",
    "open_ledger",
]


class Ledger:
    """One database, seen from seven sides."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.facts = Facts(store)
        self.runs = Runs(store)
        self.plans = Plans(store)
        self.uploads = Uploads(store)
        self.progress = Progress(store)
        self.history = History(store)
        self.decisions = Decisions(store)

    def now(self) -> datetime:
        """By the clock that sets leases and deadlines."""
        with self._store.reading() as connection:
            return self._store.now(connection)

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Open it, made or brought up to date where needed."""
    store = Store(url, clock)
    try:
        migrate(store.engine)
    except BaseException:
        store.close()
        raise
    return Ledger(store)


def connect_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Open one that this run has brought up to date already."""
    return Ledger(Store(url, clock))
