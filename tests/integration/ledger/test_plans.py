"""Files and batches are planned together, by one run at a time."""

from __future__ import annotations

import threading

import pytest
from support.ledger_steps import (
    ABANDONED,
    LEASE,
    LOADED,
    PLANNED,
    START,
    SUBMITTING,
    WAYS,
    intended,
    landed_file,
    planned,
    told,
    walk,
)

from ekyc_tasks.errors import LeaseLost, LedgerError
from ekyc_tasks.ledger import Link, connect_ledger
from ekyc_tasks.models import Disposition

pytestmark = pytest.mark.integration


# --- plans ---------------------------------------------------------------------------------------


def test_a_file_is_planned_with_all_its_batches_or_not_at_all(ledger):
    links = [
        Link("file", "batch", Disposition.BATCHED, 100),
        Link("file", "nowhere", Disposition.IN_FLIGHT, 1),
    ]
    with pytest.raises(LedgerError):
        planned(ledger, "batch", landed=[landed_file()], links=links)
    assert ledger.history.files() == []
    assert ledger.history.batches() == []


def test_an_arrival_is_recognised_by_where_and_what_it_is(ledger):
    planned(ledger, landed=[landed_file()])
    assert ledger.plans.planned_before("/landing/numbers.txt", "1:2:3")
    assert not ledger.plans.planned_before("/landing/numbers.txt", "1:2:4")
    assert not ledger.plans.planned_before("/landing/other.txt", "1:2:3")


def test_a_file_planned_again_has_one_row_and_its_new_links(ledger):
    planned(
        ledger, "old", landed=[landed_file(replan=1)], links=[Link("file", "old", Disposition.BATCHED, 7)]
    )
    assert [file.file_id for file in ledger.plans.to_plan_again("tg_avatar")] == ["file"]
    assert ledger.plans.to_plan_again("ws") == []
    planned(ledger, "new", landed=[landed_file()], links=[Link("file", "new", Disposition.BATCHED, 7)])
    assert ledger.plans.to_plan_again("tg_avatar") == []
    assert ledger.history.links(batch_id="old") == []
    assert [batch.batch_id for batch in ledger.plans.own_batches(["file"])["file"]] == ["new"]


@pytest.mark.parametrize("state", WAYS)
def test_what_blocks_and_what_is_known(ledger, state):
    walk(ledger, WAYS[state])
    planned(ledger, "other-type", task_type="ws")
    asked = {
        "always ask": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=None)],
        "bought since": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=START)],
        "bought before": [batch.batch_id for batch in ledger.plans.asked("tg_avatar", since=START + LEASE)],
    }
    blocks = ["batch"] if state not in {LOADED, ABANDONED} else []
    known = ["batch"] if state is LOADED else blocks
    assert asked == {"always ask": blocks, "bought since": known, "bought before": blocks}


def test_releasing_plans_again_the_files_of_what_was_released_only(ledger):
    planned(
        ledger,
        "batch",
        "sent",
        landed=[landed_file("a"), landed_file("b")],
        links=[Link("a", "batch", Disposition.BATCHED, 100), Link("b", "sent", Disposition.BATCHED, 100)],
    )
    intended(ledger, "sent")
    ledger.plans.released(["batch", "sent"], why="again", run_id="one")
    assert {batch.batch_id: batch.state for batch in ledger.history.batches()} == {
        "batch": ABANDONED,
        "sent": SUBMITTING,
    }
    assert [file.file_id for file in ledger.plans.to_plan_again("tg_avatar")] == ["a"]
    own = ledger.plans.own_batches(["a", "b"])
    assert {file: [batch.batch_id for batch in found] for file, found in own.items()} == {"b": ["sent"]}


# --- turns to plan -------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_on_a_server_planning_is_exclusive(ledger, url):
    entered = threading.Event()

    def plan_as_well():
        with connect_ledger(url) as mine, mine.plans.turn("two"):
            entered.set()

    second = threading.Thread(target=plan_as_well)
    with ledger.plans.turn("one"):
        second.start()
        assert not entered.wait(0.5)
        planned(ledger, "batch")  # no transaction is open meanwhile, and others may write
        ledger.runs.opened("three", host="there", lease=LEASE)
    second.join(60)
    assert entered.is_set()


def test_a_plan_of_one_that_lost_its_turn_is_dropped(ledger, url, database, postgres_or_none):
    """The lock may be lost without notice: a crashed server, a network file system."""
    planned(ledger, "before", landed=[landed_file(replan=1)])
    with ledger.plans.turn("one"):
        if database == "postgresql":
            postgres_or_none.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        with connect_ledger(url) as mine, mine.plans.turn("two"):
            for write in (
                lambda: planned(ledger, "late", landed=[landed_file("late")]),
                lambda: ledger.plans.released(["before"], why="again", run_id="one"),
                lambda: ledger.plans.healed("before", why="again", size_limit=None, run_id="one"),
            ):
                with pytest.raises(LeaseLost, match="Another run began to plan"):
                    write()
    assert told(ledger, "before") == [(None, PLANNED)]
    assert [file.file_id for file in ledger.history.files()] == ["file"]


@pytest.fixture
def postgres_or_none(database, request):
    return request.getfixturevalue("postgres") if database == "postgresql" else None
