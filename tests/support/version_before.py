"""A data folder as the version before left it (see `worlds/make_version_before.py`), to begin a test with.

One batch at least is in each state, one file waits in the landing folder, and every run is over or dead. All
of it happened in the spring of 2025: by the default of `EKYC_FRESH_FOR`, what was bought then is not fresh.
"""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, create_engine, make_url, select, text

import ekyc_tasks.ledger
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.sandbox.backend import Charge, SandboxTask, price

ARCHIVE = Path(__file__).parents[1] / "worlds" / "version-before.zip"
REVISION = "0003"
HOST = "127.0.0.1:8765"  # whose the ledger is; see `bound_to`
# What the folder was made with: so the sandbox answers what the dataset holds.
_MOOD = {"processing_seconds": 0.0, "missing_rate": 0.1}


def unpacked(folder: Path) -> Path:
    """The data folder, unpacked there with the modes that it had; its path."""
    with ZipFile(ARCHIVE) as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod((entry.external_attr >> 16) & 0o777)
    return folder / "data"


def charged_tasks() -> list[dict[str, Any]]:
    """What the provider took, in order, each with `task_id`, `task_type`, `numbers`, `accepted_at` (seconds
    since 1970) and `fails`."""
    with ZipFile(ARCHIVE) as archive:
        tasks: list[dict[str, Any]] = json.loads(archive.read("tasks.json"))
    return tasks


def as_postgres(data: Path, url: str) -> None:
    """Move the ledger of ``data`` into an empty PostgreSQL database, as the version before has it there."""
    with connected(_file_of(data)) as old, connected(url) as new:
        _migrate(new)
        _copy(old, new)
        # Rows that bring their number along do not move the counter of the next one.
        counter = "pg_get_serial_sequence('events', 'event_id')"
        new.execute(text(f"SELECT setval({counter}, (SELECT max(event_id) FROM events))"))  # noqa: S608 - ours
    (data / "ledger.db").unlink()


def bound_to(ledger: Path | str, host: str) -> None:
    """From now on the ledger, of a data folder or at a URL, is that of the provider at ``host``: so a sandbox
    on any free port can be the one that it was made with."""
    with connected(ledger if isinstance(ledger, str) else _file_of(ledger)) as connection:
        rebind = text("UPDATE facts SET value = :host WHERE name = 'provider_host'")
        assert connection.execute(rebind, {"host": host}).rowcount == 1


@contextmanager
def sandbox_that_remembers(*, clock: Callable[[], float] = time.time, **options: Any) -> Iterator[Sandbox]:
    """A sandbox on a free port that took and charged all tasks of then; by now they are over."""
    sandbox = Sandbox(SandboxOptions(**(_MOOD | options)), clock=clock)
    for serial, task in enumerate(charged_tasks()):
        _remember(sandbox, SandboxTask(sent=array("q", map(int, task.pop("numbers"))), serial=serial, **task))
    with sandbox:
        yield sandbox


def host_of(sandbox: Sandbox) -> str:
    """As a ledger calls it."""
    return sandbox.base_url.partition("://")[2]


def _remember(sandbox: Sandbox, task: SandboxTask) -> None:
    at = datetime.fromtimestamp(task.accepted_at, UTC)
    sandbox._backend.tasks[task.task_id] = task
    sandbox._backend.charges.append(Charge(task.task_id, task.task_type, task.total, price(task.total), at))


def _file_of(data: Path) -> str:
    return f"sqlite:///{data / 'ledger.db'}"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A transaction, through nothing of this program, which may do more on opening a ledger."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _migrate(connection: Connection) -> None:
    """To the version before, whatever this program's newest is."""
    config = Config()
    config.set_main_option("script_location", str(Path(ekyc_tasks.ledger.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, REVISION)


def _copy(old: Connection, new: Connection) -> None:
    """Every row, of the tables as they are there: those that this program knows may be newer."""
    tables = MetaData()
    tables.reflect(new)
    for table in tables.sorted_tables:
        rows = [dict(row) for row in old.execute(select(table)).mappings()]
        if rows and table.name != "alembic_version":
            new.execute(table.insert(), rows)
