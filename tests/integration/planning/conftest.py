"""An office for each test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.fake_clock import FakeClock
from support.planning_office import Office

from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.storage.paths import DataFolder


@pytest.fixture
def office(tmp_path):
    folder = DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse")
    folder.landing.mkdir()
    clock = FakeClock()
    with make_ledger(f"sqlite:///{tmp_path}/ledger.db", clock.now) as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(days=365))
        yield Office(folder, ledger, clock)
