"""A ledger in a time of its own, in which run *one* is at work."""

from __future__ import annotations

import pytest
from support.ledger_steps import LEASE, Time

from ekyc_tasks.ledger import connect_ledger


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def ledger(url, time):
    with connect_ledger(url, time) as ledger:
        ledger.runs.opened("one", host="here", lease=LEASE)
        yield ledger
