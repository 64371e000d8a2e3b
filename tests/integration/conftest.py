"""A bench for each test: one planned batch in a ledger of its own."""

from __future__ import annotations

import pytest
from support.batch_fixture import NO_TLS, Bench
from support.fake_clock import FakeClock

from ekyc_tasks.ledger import make_ledger


@pytest.fixture
def no_certificates(monkeypatch):
    """Loading those that the client trusts costs 30 ms a client; all far sides here are plain http."""
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", lambda **_: NO_TLS)


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    """Migrated once; each test gets a copy."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    make_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def bench(tmp_path, empty_ledger):
    """Without a far side: name its ``url``."""
    bench = Bench(tmp_path / "data", empty_ledger, FakeClock())
    with bench.ledger:
        yield bench
