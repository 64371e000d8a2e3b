"""The ledger: the only truth about progress, and the only SQL.

    PLANNED ─► SUBMITTING ─► SUBMITTED ─► FETCHED ─► LOADED
       ▲           │  │          └─► FAILED   the provider says so, or no longer knows the task
       └ not sent, ┘  ├─► REFUSED             400, 413, 422: never as it is
         free error   └─► HELD                unknown

Every transition is a method named after what happened, one transaction with its event. Begin with `store`,
the one way to change a state; `tables` is the schema, and each class says which transitions are its own. May
import `models`, `money`, `support` and `errors`; never files of the data folder, settings, or the provider.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from ekyc_tasks.ledger.accounts import Accounts
from ekyc_tasks.ledger.decisions import Decisions
from ekyc_tasks.ledger.engines import file_of
from ekyc_tasks.ledger.history import History
from ekyc_tasks.ledger.identity import Glance, Identity, PersonsAnswer, glance
from ekyc_tasks.ledger.metadata import Metadata
from ekyc_tasks.ledger.migrate import migrate, unusable
from ekyc_tasks.ledger.plans import Plans
from ekyc_tasks.ledger.progress import Progress
from ekyc_tasks.ledger.records import (
    IMPORT_PREFIX,
    Attempt,
    Batch,
    ChargeRecord,
    Event,
    LandedFile,
    Link,
    NewBatch,
    RunRecord,
)
from ekyc_tasks.ledger.runs import Runs
from ekyc_tasks.ledger.store import Clock, Store
from ekyc_tasks.ledger.uploads import Uploads

__all__ = [
    "IMPORT_PREFIX",
    "Attempt",
    "Batch",
    "ChargeRecord",
    "Event",
    "Glance",
    "LandedFile",
    "Ledger",
    "Link",
    "NewBatch",
    "PersonsAnswer",
    "RunRecord",
    "connect_ledger",
    "glance_at",
    "make_ledger",
    "open_ledger",
]


class Ledger:
    """One database, seen from nine sides."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.identity = Identity(store)
        self.facts = Metadata(store)
        self.runs = Runs(store)
        self.plans = Plans(store)
        self.uploads = Uploads(store)
        self.progress = Progress(store)
        self.history = History(store)
        self.decisions = Decisions(store)
        self.accounts = Accounts(store)

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


def make_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Make one where there is none, and open it."""
    return _migrated(url, clock, is_new=True)


def open_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Open one that is there, brought up to date where needed. Never makes one."""
    return _migrated(url, clock, is_new=False)


def connect_ledger(url: str, clock: Clock | None = None) -> Ledger:
    """Open one that this run has brought up to date already."""
    return Ledger(Store(url, clock))


def glance_at(url: str) -> Glance:
    """What is at this address, as it answers now; nothing is made or changed.

    ConfigurationError when it cannot be read.
    """
    store = Store(url)
    try:
        if (file := file_of(store.engine)) is not None and not file.exists():
            return Glance()
        with (
            store.engine.connect() as connection
        ):  # a wrong name is an error at once, without waiting for a server
            return glance(connection)
    except SQLAlchemyError as error:
        raise unusable(store.engine, error) from None
    finally:
        store.close()


def _migrated(url: str, clock: Clock | None, *, is_new: bool) -> Ledger:
    store = Store(url, clock)
    try:
        migrate(store.engine, is_new=is_new)
    except BaseException:
        store.close()
        raise
    return Ledger(store)
