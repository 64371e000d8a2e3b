"""The data folder of the version before is what tests of upgrades take it for, in both databases."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import MetaData
from support.version_before import (
    HOST,
    REVISION,
    as_postgres,
    bound_to,
    charged_tasks,
    connected,
    host_of,
    sandbox_that_remembers,
    unpacked,
)

from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.provider import Provider

pytestmark = pytest.mark.integration

TASKS = charged_tasks()
UNANSWERED = {"held", "submitting"}  # charged, and nobody knows the task id


@pytest.fixture
def data(tmp_path):
    return unpacked(tmp_path)


@pytest.fixture
def url(database, data, new_url):
    """Of the ledger where the test wants it; nobody has opened it since."""
    if database == "sqlite":
        return f"sqlite:///{data / 'ledger.db'}"
    as_postgres(data, new_url)
    return new_url


def rows(url, statement):
    """What is there, as the database says it."""
    with connected(url) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_it_is_of_the_version_before_and_tells_of_no_machine(url):
    assert rows(url, "SELECT version_num FROM alembic_version") == [(REVISION,)]
    assert rows(url, "SELECT DISTINCT host FROM runs") == [("before 0000",)]
    landed = {Path(path).parts[:5] for (path,) in rows(url, "SELECT path FROM files")}
    assert landed == {("/", "srv", "ekyc", "data", "landing")}


def test_the_ledger_is_in_one_place(url, database, data):
    assert (data / "ledger.db").exists() == (database == "sqlite")
    assert not list(data.glob("ledger.db-*"))


def test_every_state_is_there(url):
    states = Counter(state for (state,) in rows(url, "SELECT state FROM batches"))
    assert set(states) == set(BatchState)
    assert (states["planned"], states["abandoned"]) == (2, 2)


def test_one_planned_batch_was_tried_for_free_and_the_other_never(url):
    tried = "SELECT outcome FROM batches LEFT JOIN attempts USING (batch_id) WHERE state = 'planned'"
    assert set(rows(url, tried)) == {("throttled",), (None,)}


def test_the_numbers_of_one_abandoned_batch_are_planned_again_and_those_of_the_other_dropped(url):
    assert rows(url, "SELECT dropped FROM batches WHERE state = 'abandoned' ORDER BY dropped") == [(0,), (1,)]
    assert rows(url, "SELECT count(*) FROM files WHERE replan = 1") == [(1,)]


@pytest.mark.parametrize("task", TASKS, ids=range(len(TASKS)))
def test_every_charge_is_a_batch(task, url, data):
    batches = rows(url, "SELECT batch_id, state, task_id FROM batches")
    [(state, task_id)] = [
        (state, task_id)
        for batch_id, state, task_id in batches
        if (data / "batches" / f"{batch_id}.txt").read_text().split() == task["numbers"]
    ]
    assert task_id == task["task_id"] or (task_id is None and state in UNANSWERED)


def test_every_batch_that_was_paid_for_is_a_charge(url):
    known = {task_id for (task_id,) in rows(url, "SELECT task_id FROM batches WHERE task_id IS NOT NULL")}
    [(unanswered,)] = rows(url, "SELECT count(*) FROM batches WHERE state IN ('held', 'submitting')")
    assert known < {task["task_id"] for task in TASKS}
    assert len(TASKS) == len(known) + unanswered


def test_what_is_kept_may_not_be_written_to_and_one_file_waits(data):
    assert {path.stat().st_mode & 0o777 for path in (data / "inputs").iterdir()} == {0o400}
    assert [path.name for path in (data / "landing").rglob("*.*")] == ["not-planned-yet.txt"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_moved_to_a_server_every_row_is_the_same(url, tmp_path):
    original = f"sqlite:///{unpacked(tmp_path / 'original') / 'ledger.db'}"
    tables = MetaData()
    with connected(url) as moved, connected(original) as unmoved:
        tables.reflect(moved)
        assert len(tables.tables) == 8
        for table in tables.tables.values():
            assert contents(moved, table) == contents(unmoved, table) != []


def contents(connection, table):
    return sorted(str(row) for row in connection.execute(table.select()))


def test_the_next_event_gets_the_next_number(url):
    [(newest,)] = rows(url, "SELECT max(event_id) FROM events")
    again = "SELECT at, batch_id, to_state, why FROM events WHERE event_id = 1"
    added = rows(url, f"INSERT INTO events (at, batch_id, to_state, why) {again} RETURNING event_id")
    assert added == [(newest + 1,)]


def test_the_ledger_opens(url):
    with make_ledger(url) as ledger:
        assert {batch.state for batch in ledger.history.batches()} == set(BatchState)
        assert {file.reading for file in ledger.history.files()} == {None}  # how they were read is not known


def test_it_is_bound_to_the_provider_of_then_and_to_another_on_demand(url, data, database):
    bound = "SELECT value FROM facts WHERE name = 'provider_host'"
    assert rows(url, bound) == [(HOST,)]
    with sandbox_that_remembers() as sandbox:
        bound_to(data if database == "sqlite" else url, host_of(sandbox))
        assert rows(url, bound) == [(sandbox.base_url.removeprefix("http://"),)]


def test_the_sandbox_remembers_every_task_and_what_it_cost():
    with sandbox_that_remembers() as sandbox:
        told = asyncio.run(answers(sandbox))
        assert [status.has_failed for status in told] == [task["fails"] for task in TASKS]
        assert [status.is_exported for status in told] == [not task["fails"] for task in TASKS]
        assert [charge.task_id for charge in sandbox.charges] == [task["task_id"] for task in TASKS]
        assert [task.numbers for task in sandbox.tasks] == [frozenset(task["numbers"]) for task in TASKS]
        assert sandbox.total_charged > 0


async def answers(sandbox):
    async with Provider(sandbox.base_url, sandbox.api_key) as provider:
        return [await provider.task(task["task_id"]) for task in TASKS]
