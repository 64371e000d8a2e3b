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

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger.engines import file_of, in_words, is_server, writer
from ekyc_tasks.support.atomic_files import hold_lock


def migrate(engine: Engine, *, is_new: bool = False) -> None:
    """Safe to call from many processes at once; does nothing when the ledger is up to date.

    Only with ``is_new`` is one made where there is none.
    """
    try:
        with (
            _alone(engine, makes=is_new),
            engine.connect() as connection,
            writer(connection),
        ):
            _upgrade(connection)
    except SQLAlchemyError as error:
        raise unusable(engine, error) from None


def unusable(engine: Engine, error: SQLAlchemyError) -> ConfigurationError:
    other = "start the database server" if is_server(engine) else "fix the permissions of its folder"
    return ConfigurationError(
        f"The ledger cannot be opened ({in_words(error)}). Correct EKYC_LEDGER_URL, or {other}."
    )


def _upgrade(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    newest, *older = _revisions()
    if current == newest:
        return
    if current is not None and current not in older:
        raise ConfigurationError(
            "The ledger was written by a newer version of this program. Upgrade the program, "
            "or set EKYC_LEDGER_URL to another ledger. Nothing was changed."
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
def _alone(engine: Engine, *, makes: bool) -> Iterator[None]:
    """A SQLite file is opened for the first time by one process only: while one process turns the journal to
    WAL, SQLite does not let others wait, but reports at once that the database is locked."""
    file = file_of(engine)
    if file is None:
        yield
        return
    with ExitStack() as lock:
        try:
            if makes or file.exists():
                lock.enter_context(hold_lock(file.with_name(f".{file.name}.lock")))
            if makes:
                file.touch(mode=0o600, exist_ok=True)  # its journal takes over the mode
        except OSError as error:
            raise ConfigurationError(
                f"The ledger cannot be {'created' if makes else 'opened'} in {file.parent} "
                f"({error.strerror}). Fix the permissions of that folder, or set EKYC_DATA_DIR."
            ) from None
        yield
