"""Bring a ledger up to date, under a lock, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ekyc_tasks.disk import locked
from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger.engines import in_words, is_server, writer


def migrate(engine: Engine) -> None:
    """Safe to call from many processes at once; does nothing when the ledger is up to date."""
    try:
        with (
            _alone(engine),
            engine.connect() as connection,
            writer(connection),
        ):
            _upgrade(connection)
    except SQLAlchemyError as error:
        other = "start its server" if is_server(engine) else "mend the folder's permissions"
        raise ConfigurationError(
            f"The ledger cannot be opened ({in_words(error)}); correct EKYC_LEDGER_URL, or {other}."
        ) from None


def _upgrade(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    newest, *older = _revisions()
    if current == newest:
        return
    if current is not None and current not in older:
        raise ConfigurationError(
            "The ledger was written by a newer version of this program; upgrade the program, "
            "or point EKYC_LEDGER_URL to another ledger. Nothing was changed."
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, newest)


@cache
def _revisions() -> list[str]:
    """That this program knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """A SQLite file is opened for the first time by one process: whoever comes in while another turns
    the journal to WAL is not made to wait, but told at once that the database is locked."""
    if is_server(engine) or not engine.url.database:
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
