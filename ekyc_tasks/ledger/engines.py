"""What the two databases do differently: addresses, waiting, who may write, and whose clock counts."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger.tables import UtcDateTime

_SERVERS = {"postgres", "postgresql", "postgresql+psycopg"}
_WRITERS = 0x656B7963  # "ekyc": the number of the writers' advisory lock
_LONGEST_TURN = "10min"  # that somebody else may hold a `session_lock` before we give up
_CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    # A host that vanished is noticed in half a minute, not in two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SESSION = {
    "lock_timeout": "30s",  # as long as SQLite waits
    # A process that was stopped in the middle of a transaction must not stop all the others.
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


_users: Counter[Engine] = Counter()
_users_change = threading.Lock()


def open_engine(url: str) -> Engine:
    """One for each address: every step opens the ledger, and an engine keeps connections and compiled SQL.

    To be given back with `close_engine`, as often as it was opened.
    """
    with _users_change:
        engine = make_engine(url)
        _users[engine] += 1
        return engine


def close_engine(engine: Engine) -> None:
    """Close its connections when no part of this process uses it any more."""
    with _users_change:
        _users[engine] -= 1
        if not _users[engine]:
            del _users[engine]
            engine.dispose()


@lru_cache(maxsize=8)
def make_engine(url: str) -> Engine:
    try:
        address = make_url(url)
        return _server(address) if address.drivername in _SERVERS else _file(address)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError):  # the last: a port
        raise ConfigurationError(
            "EKYC_LEDGER_URL is not a supported database URL. Write sqlite:////path/ledger.db or "
            "postgresql://user@host/database."
        ) from None


def is_server(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def file_of(engine: Engine) -> Path | None:
    """The file of a SQLite ledger."""
    name = engine.url.database
    return None if is_server(engine) or not name or name.startswith((":", "file:")) else Path(name)


@contextmanager
def writer(connection: Connection) -> Iterator[None]:
    """A transaction without other writers: what it reads stays true until its commit.

    Transactions here last milliseconds, so one at a time is fast enough, and compare-and-set, claims and
    budgets hold without further thought.
    """
    connection.execution_options(ekyc_writes=True)
    with connection.begin():
        if is_server(connection.engine):
            connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
        yield


@contextmanager
def session_lock(engine: Engine, name: str) -> Iterator[None]:
    """On a server, an advisory lock of a connection of its own. It ends with the connection, of which its
    holder may not hear: what is written under it needs a fencing token. A file's users lock another file."""
    if not is_server(engine):
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # closed afterwards, not kept with its lock in the pool
        connection.execute(select(func.set_config("lock_timeout", _LONGEST_TURN, False)))
        connection.execute(select(func.pg_advisory_lock(func.hashtext(name))))
        yield


def database_time(connection: Connection) -> datetime:
    """Of this moment, not of the transaction's beginning: it may have waited for others."""
    told: datetime = connection.execute(
        select(func.timezone("utc", func.clock_timestamp(), type_=UtcDateTime))
    ).scalar_one()
    return told


def in_words(error: SQLAlchemyError) -> str:
    """The driver's own words in one line, without what SQLAlchemy and servers add: statements and values."""
    cause = getattr(error, "orig", None) or type(error).__name__
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return str(primary or cause).partition("\n")[0].strip()


def _file(address: URL) -> Engine:
    """WAL and FULL: a committed intent survives a power cut. Writers begin IMMEDIATE, so that a
    transaction that reads before it writes cannot fail half-way on a lock."""
    if address.get_backend_name() != "sqlite":
        raise ArgumentError
    waiting = {} if "timeout" in address.query else {"timeout": 30}
    engine = create_engine(address, hide_parameters=True, connect_args=waiting)

    @event.listens_for(engine, "do_connect")
    def connecting(*_: object) -> None:
        """SQLite would create a missing file: a ledger is created on purpose only, with `make_file`."""
        if (file := file_of(engine)) is not None and not file.exists():
            raise sqlite3.OperationalError(f"{file} does not exist")

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("ekyc_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _server(address: URL) -> Engine:
    """READ COMMITTED, whatever the server prefers: a writer that waited sees what was committed meanwhile."""
    if "@" in (address.host or ""):  # of a password that was not written with %40, and errors show hosts
        raise ArgumentError
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        connect_args={name: value for name, value in _CONNECT.items() if name not in address.query},
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        for name, value in _SESSION.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()

    return engine
