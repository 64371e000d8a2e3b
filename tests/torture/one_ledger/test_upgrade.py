"""A data folder of the version before gets its id without a question, and comes to the same end as before.

Where it would have ended with the version before, at the same code: code 3, for what was held, failed and
refused stays so; 15 + 15 numbers of what was let go of or had landed, and the two planned batches of 20 are
bought; and no number that was charged is charged again.
"""

from __future__ import annotations

from collections import Counter

import pytest
from support.stories import Place, Story, a_warm_process, told, tree  # noqa: F401 - fixtures
from support.version_before import (
    as_postgres,
    bound_to,
    charged_tasks,
    host_of,
    sandbox_that_remembers,
    unpacked,
)

pytestmark = pytest.mark.integration

END = {"loaded": 9, "abandoned": 2, "held": 2, "refused": 1, "failed": 1}
CHARGED_BEFORE = len(charged_tasks())
NEW_CHARGES = [20, 20, 15, 15]


@pytest.fixture
def before(database, tmp_path, warm, request):
    """The place of a person who has just upgraded the program, and said nothing yet."""
    server = request.getfixturevalue("postgres") if database == "postgresql" else None
    story = Story(tmp_path, warm, server)
    with sandbox_that_remembers(offers_balance=False) as story.sandbox:
        story.root.mkdir()
        place = Place(story, story.root / "home", settings={"BATCH_SIZE": "20"})
        unpacked(place.home)
        if server:
            place.url = story.database("template0")
            as_postgres(place.data, place.url)
        bound_to(place.url or place.data, host_of(story.sandbox))
        yield place
        for url in story.databases:
            server.drop_database(url)


def comes_to_its_end(place):
    """That of the version before, in one run."""
    ended = place.run()
    assert ended.exit_code == 3, told(ended)
    assert not [
        words for words in ended.result["sentences"] if "ekyc init" in words or "ekyc recover" in words
    ]
    assert sorted(word.partition(" ")[0] for word in ended.result["sentences"]) == [
        "Batch",
        "Batch",
        "Batches",
    ]
    assert Counter(place.states()) == END
    bought = place.story.sandbox.charges[CHARGED_BEFORE:]
    assert sorted(charge.numbers for charge in bought) == sorted(NEW_CHARGES)
    is_judged(place)
    is_settled(place)


def is_judged(place):
    """What the provider failed at may be bought again; anything else once."""
    tasks = [task for task in place.story.sandbox.tasks if not task.fails]
    assert set(Counter(number for task in tasks for number in task.numbers).values()) == {1}
    known, held = place.known_tasks(), place.held()
    assert [task for task in tasks if task.task_id not in known and task.numbers not in held] == []
    assert set(place.dataset().values()) == {1}


def is_settled(place):
    """A further run asks nothing, buys nothing and changes nothing."""
    uploads, files = place.story.uploads, tree(place.data)
    assert place.run().exit_code == 3
    assert (place.story.uploads, tree(place.data)) == (uploads, files)
    assert "has its ledger" in place.says("init")


@pytest.mark.smoke
def test_the_first_run_asks_nothing_and_goes_on_to_the_same_end(before):
    comes_to_its_end(before)


def test_other_commands_may_come_first_and_one_that_writes_gives_the_id(before):
    name = before.status()["files"][0]["name"]
    for words in (["plan"], ["doctor"], ["status"], ["export", name], ["init"]):
        assert before.ekyc(*words).exit_code in {0, 2, 3}
    assert not (before.data / ".ekyc.json").exists()
    before.says("replay", "--all")
    assert (before.data / ".ekyc.json").exists()
    comes_to_its_end(before)


def test_init_leaves_it_to_the_first_run(before):
    with before.story.nothing_happens(before):
        ended = before.ekyc("init", "--no-budget", "--account", "new")
        assert (ended.exit_code, "`ekyc run` uses it" in told(ended)) == (2, True)


def test_with_a_wrong_folder_or_ledger_at_the_first_start_nothing_is_made(before):
    wrong = before.home / "dtaa"
    for settings in (
        {"DATA_DIR": str(wrong)},
        {"LEDGER_URL": f"sqlite:///{before.data / 'leger.db'}"},
        {"LEDGER_URL": f"sqlite:///{before.home / 'nowhere' / 'ledger.db'}"},
    ):
        is_refused(before, **settings)
    (wrong / "batches").mkdir(parents=True)
    (wrong / "batches" / "20260101-000000-abcdef-001.txt").write_text("+41798285000\n")
    is_refused(before, DATA_DIR=str(wrong))
    volume = before.data.rename(before.home / "volume")
    is_refused(before)
    before.data.mkdir()
    is_refused(before)
    before.data.rmdir()
    volume.rename(before.data)
    comes_to_its_end(before)


def is_refused(place, **settings):
    with place.story.nothing_happens(*[place] if place.url or (place.data / "ledger.db").exists() else []):
        for ended in (place.run(**settings), place.ekyc("run", **settings), place.ekyc("up", **settings)):
            assert ended.exit_code == 2, told(ended)
            assert next(iter(settings), "DATA_DIR") in told(ended)


def test_runs_that_start_together_after_the_upgrade_give_one_id(before):
    for ended in before.story.at_once(before, before):
        assert ended.exit_code in {3, 6}, told(ended)
    assert before.runs_to_the_end().exit_code == 3
    assert Counter(before.states()) == END
    is_judged(before)
    is_settled(before)
