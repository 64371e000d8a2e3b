"""Whole ledgers, copied: out of either database into a file for a backup, and from there into either."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import Connection, Result, Select, Table, create_engine, func, inspect, select, table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ekyc_tasks.errors import ConfigurationError, LedgerError
from ekyc_tasks.ledger.engines import in_words, is_server
from ekyc_tasks.ledger.metadata import read_fact
from ekyc_tasks.ledger.migrate import _revisions, migrate
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import attempts, batches, files, metadata

_CHUNK_ROWS = 1_000  # rows in memory
_IN_CHUNKS = {"yield_per": _CHUNK_ROWS}
_VERSION = "alembic_version"


def copied_out(url: str, file: Path) -> dict[str, int]:
    """A new SQLite file with the whole ledger of one moment, while others write; rows by table."""
    with closing(Store(address_of(file))) as copy:
        migrate(copy.engine, is_new=True)
        with closing(Store(url)) as original, copy.writing() as into, original.reading() as source:
            rows = _all_copied(_at_one_moment(source), into)
    packed(file)
    return rows


def copied_in(file: Path, url: str) -> None:
    """All rows of the file, in one transaction, into a database whose ledger is empty.

    Does nothing where that was done before. ConfigurationError where another ledger is there by now.
    """
    with (
        closing(Store(address_of(file))) as original,
        closing(Store(url)) as copy,
        original.reading() as source,
        copy.writing() as into,
    ):
        if _is_free(into, read_fact(source, "ledger_id")):
            for each in reversed(metadata.sorted_tables):  # facts and runs that an empty ledger may have
                into.execute(each.delete())
            _all_copied(source, into)
            _move_counters(into)


def packed(file: Path) -> None:
    """Everything in one file that may be copied or renamed: there is no journal beside it."""
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            [(mode,)] = connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except sqlite3.Error as error:
        raise LedgerError(f"{file} cannot be written ({error}). Free some space.") from None
    if mode != "delete":
        raise LedgerError(f"{file} is in use by another program. Try again when it has ended.")


def journals(file: Path) -> list[Path]:
    """What SQLite may have beside a file. It uses any file with such a name, whatever it contains."""
    return [file.with_name(f"{file.name}-{which}") for which in ("wal", "shm", "journal")]


def leftovers(file: Path) -> list[Path]:
    """What using a ledger's file may leave beside it."""
    return [*journals(file), file.with_name(f".{file.name}.lock")]


def address_of(file: Path) -> str:
    return f"sqlite:///{file}"


def digests_now(url: str, batch_ids: list[str]) -> dict[str, tuple[str, str | None]]:
    """SHA-256 of list and archive of those of the batches that are there."""
    query = select(batches.c.batch_id, batches.c.sha256, batches.c.archive_sha256)
    with closing(Store(url)) as store, store.reading() as connection:
        return {
            batch_id: (sha256, archive)
            for part in _parts(batch_ids)
            for batch_id, sha256, archive in connection.execute(query.where(batches.c.batch_id.in_(part)))
        }


class LedgerFile:
    """The ledger of a backup, read in its place, of any version: nothing in it or beside it changes."""

    def __init__(self, file: Path) -> None:
        opened = partial(sqlite3.connect, f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True)
        self._engine = create_engine("sqlite://", creator=opened, poolclass=NullPool, hide_parameters=True)
        self._connection = self._engine.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._engine.dispose()

    def damage(self) -> str | None:
        """What is wrong with it, in the database's words; None where every page and reference is right."""
        try:
            [first, *_] = self._connection.exec_driver_sql("PRAGMA integrity_check").scalars()
            astray = self._connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        except SQLAlchemyError as error:
            return in_words(error)
        if first != "ok":
            return str(first).partition("\n")[0]
        return (
            None
            if astray is None
            else f"a row of {astray[0]} refers to a row of {astray[2]} that does not exist"
        )

    def is_known_version(self) -> bool:
        return _version(self._connection) in _revisions()

    def rows(self) -> dict[str, int]:
        """How many there are in each table."""
        names = [name for name in inspect(self._connection).get_table_names() if name != _VERSION]
        return {name: self._count(name) for name in names}

    def fact(self, name: str) -> str | None:
        return read_fact(self._connection, name)

    def attempt_ids(self) -> Iterator[list[str]]:
        """Every upload, in parts."""
        found = self._read(select(attempts.c.attempt_id))
        yield from (list(part) for part in found.scalars().partitions())

    def batches(self) -> Iterator[tuple[str, str, str | None]]:
        """Id, SHA-256 of the list, SHA-256 of the archive where one is kept; in order."""
        query = select(batches.c.batch_id, batches.c.sha256, batches.c.archive_sha256)
        yield from (
            (row.batch_id, row.sha256, row.archive_sha256)
            for row in self._read(query.order_by(batches.c.batch_id))
        )

    def inputs(self) -> Iterator[str]:
        """SHA-256 of the landed files, in order."""
        yield from self._read(select(files.c.sha256).distinct().order_by(files.c.sha256)).scalars()

    def _read(self, query: Select[Any]) -> Result[Any]:
        return self._connection.execute(query, execution_options=_IN_CHUNKS)

    def _count(self, name: str) -> int:
        return self._connection.execute(select(func.count()).select_from(table(name))).scalar_one()


def _at_one_moment(connection: Connection) -> Connection:
    """On a server every statement would see what was committed before it; in a file the first one decides."""
    if is_server(connection.engine):
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return connection


def _all_copied(source: Connection, into: Connection) -> dict[str, int]:
    """Every row, those first that others belong to. LedgerError where a newer program has added columns."""
    if _version(source) != _version(into):
        raise LedgerError("The ledger was upgraded by another version of this program. Use that version.")
    return {each.name: _rows_copied(each, source, into) for each in metadata.sorted_tables}


def _rows_copied(each: Table, source: Connection, into: Connection) -> int:
    """In the order of their keys, so that the same rows make the same file."""
    found = source.execute(select(each).order_by(*each.primary_key), execution_options=_IN_CHUNKS)
    count = 0
    for part in found.mappings().partitions():
        into.execute(each.insert(), [dict(row) for row in part])
        count += len(part)
    return count


def _is_free(connection: Connection, ledger_id: str | None) -> bool:
    """True: nothing is there but an empty ledger. False: this very ledger is."""
    there = read_fact(connection, "ledger_id")
    if there is not None and there == ledger_id:
        return False
    rows = (select(func.count()).select_from(each) for each in (files, batches, attempts))
    if there is not None or any(connection.execute(count).scalar_one() for count in rows):
        raise ConfigurationError(
            "Another ledger was created at EKYC_LEDGER_URL meanwhile. It was not changed."
        )
    return True


def _move_counters(connection: Connection) -> None:
    """Rows that bring their number along do not move a server's counter of the next one."""
    if not is_server(connection.engine):
        return
    for each in metadata.sorted_tables:
        if (column := each.autoincrement_column) is not None:
            counter = func.pg_get_serial_sequence(each.name, column.name)
            newest = select(func.max(column)).scalar_subquery()
            connection.execute(select(func.setval(counter, newest)))


def _version(connection: Connection) -> str:
    version: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return version


def _parts(values: list[str]) -> Iterator[list[str]]:
    """No database takes any number of values in one question."""
    return (values[start : start + _CHUNK_ROWS] for start in range(0, len(values), _CHUNK_ROWS))
