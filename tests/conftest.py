"""What every tier shares: ledgers in both databases, and names of tests that do not change."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.examples import load_profile
from support.postgres import TEMPLATE, Postgres, Unavailable, running

from ekyc_tasks.ledger import make_ledger

load_profile()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported stays to the end: a million objects that no collection of garbage has to visit."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Processes that run side by side have to give every test the same name."""
    match val:
        case bytes():  # which may have been packed just now, and say so
            return f"{len(val)} bytes"
        case set() | frozenset():
            return "-".join(sorted(map(str, val)))
    return None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the whole session, with a migrated ledger to copy."""
    try:
        with running() as server:
            server.execute(f"CREATE DATABASE {TEMPLATE}")
            make_ledger(server.url(TEMPLATE)).close()
            yield server
    except Unavailable as why:
        pytest.skip(f"no PostgreSQL: {why}")


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file, built by the migrations once; a copy of it is as good."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    make_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which of the two; tests that take it, or `url`, run on both."""
    return request.param


@pytest.fixture
def url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty ledger of the test's own, up to date."""
    if database == "sqlite":
        shutil.copy(request.getfixturevalue("empty_ledger"), tmp_path / "ledger.db")
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.ledger() as address:
        yield address


@pytest.fixture
def new_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a ledger that nobody has opened yet."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = server.new_database()
    yield address
    server.drop_database(address)
