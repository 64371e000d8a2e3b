"""Bring a ledger up to date, under a lock, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ekyc_tasks.disk import locked
from ekyc_tasks.errors import ConfigurationError

_LOCK = 0x656B7963  # "ekyc": the advisory lock's number in PostgreSQL


def migrate(engine: Engine) -> None:
    """Safe to call from many processes at once; does nothing when the ledger is up to date."""
    try:
        with (
            _alone(engine),
            engine.connect().execution_options(ekyc_writes=True) as connection,
            connection.begin(),
        ):
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _upgrade(connection)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__)
        raise ConfigurationError(
            f"The ledger cannot be opened ({reason}); correct EKYC_LEDGER_URL or the folder's permissions."
        ) from None


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise ConfigurationError(
            "The ledger was written by a newer version of this program; upgrade the program, "
            "or point EKYC_LEDGER_URL to another ledger. Nothing was changed."
        )
    command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """A SQLite file is opened for the first time by one process: whoever comes in while another turns
    the journal to WAL is not made to wait, but told at once that the database is locked."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        yield
        return
    file = Path(engine.url.database)
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(file.with_name(f".{file.name}.lock")))
            file.touch(mode=0o600, exist_ok=True)  # its journal takes over the mode
        except OSError as error:
            raise ConfigurationError(
                f"The ledger cannot be made in {file.parent} ({error.strerror}); "
                "mend the folder's permissions or set EKYC_DATA_DIR."
            ) from None
        yield
