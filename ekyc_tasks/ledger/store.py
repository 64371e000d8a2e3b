"""The engine, transactions, and the one way to make a batch and to change its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from ekyc_tasks.errors import ConfigurationError, LeaseLost, LedgerCutOff, LedgerError
from ekyc_tasks.ledger.engines import (
    close_engine,
    database_time,
    in_words,
    is_server,
    open_engine,
    session_lock,
    writer,
)
from ekyc_tasks.ledger.records import NewBatch
from ekyc_tasks.ledger.tables import batches, events
from ekyc_tasks.models import BatchState

Clock = Callable[[], datetime]
P = ParamSpec("P")
T = TypeVar("T")

_RECONNECT_SECONDS = 30.0  # for a server that restarts: as long as SQLite waits for a lock
_RECONNECT_PAUSE_SECONDS = 0.2
_REPEATS_AFTER_CUT = 3  # of a transaction whose connection broke


class Store:
    """Transactions over one database. Every error of SQL leaves as a `LedgerError` without parameters.

    Without a ``clock``, a server's own clock is used, because several hosts write to it; SQLite has the
    system's.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.engine = open_engine(url)
        self._clock = clock
        self._is_open = True

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            close_engine(self.engine)

    def now(self, connection: Connection) -> datetime:
        if self._clock is not None:
            return self._clock()
        return database_time(connection) if is_server(self.engine) else datetime.now(UTC)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with _translated(), self._connected() as connection:
            yield connection

    @contextmanager
    def alone(self, lock: str) -> Iterator[None]:
        """Among all processes that use this ledger, for long: no transaction is open meanwhile."""
        with _translated(), session_lock(self.engine, lock):
            yield

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end, or nothing of it. Writers go one at a time."""
        with _translated(), self._connected() as connection, writer(connection):
            yield connection

    def _connected(self) -> Connection:
        """Before the first statement nothing can be half done, so a server that restarts is waited for."""
        deadline = time.monotonic() + (_RECONNECT_SECONDS if is_server(self.engine) else 0)
        while True:
            try:
                return self.engine.connect()
            except OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_RECONNECT_PAUSE_SECONDS)

    def create(
        self,
        connection: Connection,
        batch: NewBatch,
        *,
        task_type: str,
        to: BatchState,
        why: str,
        run_id: str,
        **values: Any,
    ) -> None:
        """A new batch, which its run owns, with the event that made it."""
        connection.execute(
            batches.insert().values(
                batch_id=batch.batch_id,
                task_type=task_type,
                state=to,
                numbers=batch.numbers,
                sha256=batch.sha256,
                run_id=run_id,
                owner=run_id,
                **{"planned_at": self.now(connection), **values},
            )
        )
        self.record(connection, batch.batch_id, source=None, to=to, why=why, run_id=run_id)

    def move(
        self,
        connection: Connection,
        batch_id: str,
        *,
        sources: Collection[BatchState],
        to: BatchState,
        why: str,
        run_id: str | None,
        owned_by: str | None = None,
        **values: Any,
    ) -> bool:
        """Compare-and-set of a batch's state, with its event. False when the batch is elsewhere.

        With ``owned_by``, a batch that another run has claimed since is left alone and `LeaseLost` raised.
        """
        state = self.state(connection, batch_id, owned_by=owned_by)
        if state not in sources:
            return False
        connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(state=to, **values))
        self.record(connection, batch_id, source=state, to=to, why=why, run_id=run_id)
        return True

    def advance(
        self,
        connection: Connection,
        batch_id: str,
        *,
        sources: Collection[BatchState],
        to: BatchState,
        why: str,
        run_id: str,
        **values: Any,
    ) -> None:
        """`move` by the owner, who is refused with `LeaseLost` when the batch is elsewhere by now."""
        done = self.move(
            connection, batch_id, sources=sources, to=to, why=why, run_id=run_id, owned_by=run_id, **values
        )
        if not done:
            state = self.state(connection, batch_id)
            raise LeaseLost(f"Batch {batch_id} is now {state}. This run does not change it.")

    def state(self, connection: Connection, batch_id: str, *, owned_by: str | None = None) -> BatchState:
        """The owner is the fencing token, because a run id is never used twice."""
        row = connection.execute(
            select(batches.c.state, batches.c.owner).where(batches.c.batch_id == batch_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise ConfigurationError(f"There is no batch {batch_id}. `ekyc status` lists all batches.")
        if owned_by is not None and row.owner != owned_by:
            raise LeaseLost(f"Batch {batch_id} now belongs to another run. This run does not change it.")
        return BatchState(row.state)

    def record(
        self,
        connection: Connection,
        batch_id: str,
        *,
        source: str | None,
        to: BatchState,
        why: str,
        run_id: str | None,
    ) -> None:
        connection.execute(
            events.insert().values(
                at=self.now(connection),
                batch_id=batch_id,
                from_state=source,
                to_state=to,
                why=why,
                run_id=run_id,
            )
        )


def repeatable(transaction: Callable[P, T]) -> Callable[P, T]:
    """Do a transaction again whose connection broke. It is not known whether its commit arrived, so what is
    wrapped must find its own traces and leave it at them."""

    @wraps(transaction)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_REPEATS_AFTER_CUT):
            try:
                return transaction(*args, **kwargs)
            except LedgerCutOff:
                continue
        return transaction(*args, **kwargs)

    return repeated


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        is_cut_off = isinstance(error, DBAPIError) and error.connection_invalidated
        raise (LedgerCutOff if is_cut_off else LedgerError)(
            f"The ledger cannot be used ({in_words(error)}). No change was written in part. "
            "Fix the database or EKYC_LEDGER_URL, and run again."
        ) from None
