"""Processes that start together on one landing folder share the work, and never an upload."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from support.fork_server import Warm
from support.postgres import TEMPLATE
from support.trials.pool import SEED, drawn
from support.trials.sample import share

TRIALS = 50
_MOST = 4


@pytest.fixture(scope="module")
def rivals():
    """Beside the one that each trial has."""
    with ExitStack() as stack:
        yield [stack.enter_context(Warm()) for _ in range(_MOST - 1)]


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request):
    """The PostgreSQL server, or None for SQLite."""
    return request.getfixturevalue("postgres") if request.param == "postgresql" else None


@pytest.mark.in_parts
def test_processes_that_start_together_upload_each_batch_once(crew, figures, undisturbed, rivals, server):
    expected, _ = undisturbed
    database = "PostgreSQL" if server else "SQLite"
    lots = drawn(f"races {database}")

    def raced(count):
        settings = {"LEDGER_URL": server.new_database(TEMPLATE)} if server else {}
        with crew.trial(settings=settings) as trial:
            trial.race(rivals[: count - 1])
            tried = trial.finish(expected)
            uploads = sum(call.path == "/v1/tasks" for call in trial.sandbox.calls)
            if uploads != len(trial.batches()):
                trial.violations.append(f"{uploads} uploads of {len(trial.batches())} batches")
        if server:
            server.drop_database(settings["LEDGER_URL"])
        return tried

    with figures.part(f"races of 2 to {_MOST} processes, {database}", seeds=str(SEED)) as part:
        part.count(raced(count) for count in share([lots.randint(2, _MOST) for _ in range(TRIALS)]))
