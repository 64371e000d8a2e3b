"""The engine, transactions, and the one way to change a batch's state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ekyc_tasks.errors import ConfigurationError, LeaseLost, LedgerError
from ekyc_tasks.ledger.tables import batches, events
from ekyc_tasks.models import BatchState

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Transactions over one database. Every error of SQL leaves as a `LedgerError` without parameters."""

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self.engine = make_engine(url)
        self.now = clock

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with _translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end, or nothing of it."""
        with (
            _translated(),
            self.engine.connect().execution_options(ekyc_writes=True) as connection,
            connection.begin(),
        ):
            yield connection

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

        With ``owned_by``, a batch that another run has claimed since is left alone and `LeaseLost` raised:
        the owner is the fencing token, for a run id is never used twice.
        """
        row = connection.execute(
            select(batches.c.state, batches.c.owner).where(batches.c.batch_id == batch_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise ConfigurationError(f"There is no batch {batch_id}; `ekyc status` lists them.")
        if owned_by is not None and row.owner != owned_by:
            raise LeaseLost(f"Batch {batch_id} belongs to another run now; this one leaves it alone.")
        if row.state not in sources:
            return False
        connection.execute(update(batches).where(batches.c.batch_id == batch_id).values(state=to, **values))
        self.record(connection, batch_id, source=row.state, to=to, why=why, run_id=run_id)
        return True

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
                at=self.now(), batch_id=batch_id, from_state=source, to_state=to, why=why, run_id=run_id
            )
        )


def make_engine(url: str) -> Engine:
    try:
        address = make_url(url)
        engine = create_engine(
            address,
            hide_parameters=True,
            connect_args={"timeout": 30} if address.get_backend_name() == "sqlite" else {},
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError):  # the last: a port
        raise ConfigurationError(
            "EKYC_LEDGER_URL is no database URL that can be used here; write sqlite:////path/ledger.db."
        ) from None
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine)
    return engine


def _tune_sqlite(engine: Engine) -> None:
    """WAL and FULL: a committed intent survives a power cut. Writers begin IMMEDIATE, so that a
    transaction that reads before it writes cannot fail half-way on a lock."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ekyc_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        raise LedgerError(
            f"The ledger cannot be used ({reason}); nothing was half-written. "
            "Mend the database or EKYC_LEDGER_URL and run again."
        ) from None
