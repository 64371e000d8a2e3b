"""Copied, moved, shared: one ledger buys, wherever its folder turns up; the sandbox's own record judges."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from support.stories import (  # noqa: F401 - fixtures
    FIRST,
    MOMENTS,
    SECOND,
    STATES,
    THIRD,
    a_story,
    a_warm_process,
    told,
)

pytestmark = pytest.mark.integration

PAID_FOR = {"submitted", "fetched"}
QUESTION = ("ekyc init --moved", "ekyc init --copy", "ekyc init --restored", "Nothing is planned or sent")
ON_A_SERVER = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
IN_A_FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def asks(ended, *places):
    """It ends with code 3, says which places it is about, and how to answer."""
    assert ended.exit_code == 3, told(ended)
    said = " ".join(ended.result["sentences"])
    for words in (*QUESTION, *(str(place.data) for place in places)):
        assert words in said
    return True


def is_waited_for(copy, moment):
    """What was paid for is loaded in a copy, too; nothing else gets anywhere."""
    after = {"submitted": "loaded", "fetched": "loaded", "submitting": "held"}
    expected = {after.get(moment, moment)} & {*STATES, "loaded"}
    assert set(copy.states()) == expected
    assert copy.dataset() == (Counter(FIRST) if moment in PAID_FOR else Counter())


# --- a copy with a ledger of its own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [pytest.param(each, marks=[pytest.mark.smoke] if each == "planned" else []) for each in MOMENTS],
)
def test_a_copy_buys_nothing_until_it_is_called_one_and_then_only_what_is_new(story, moment):
    original = story.place()
    original.is_brought_to(moment)
    copy = story.copied(original)
    with story.nothing_is_bought_or_lost(original, copy):
        assert asks(copy.run(), original, copy)
    is_waited_for(copy, moment)

    assert original.runs_to_the_end().exit_code == (3 if moment in {"submitting", "held"} else 0)
    with story.nothing_is_bought_or_lost(original, copy):
        assert asks(copy.run(), original, copy)
    said = copy.says("init", "--copy")
    if moment in {"planned", "submitting", "held", "waiting"}:
        assert f"Batch {copy.batch_ids()[0]}, 6 numbers: left to the original" in said
    if moment == "landed":
        assert "1 landed file moved to" in said
    else:
        copy.land("same.txt", FIRST)
    copy.land("new.txt", SECOND)
    assert copy.runs_to_the_end().exit_code == 0
    original.land("newer.txt", THIRD)
    original.decides()

    story.judge(original, copy)
    assert story.paid(FIRST, SECOND, THIRD)
    assert original.fates() == {number: {"loaded"} for number in (*FIRST, *THIRD)}
    assert original.dataset() == Counter((*FIRST, *THIRD))
    assert copy.dataset() == Counter((*FIRST, *SECOND) if moment in PAID_FOR else SECOND)


@pytest.mark.parametrize("moment", ["planned", "landed"])
def test_a_copy_and_its_original_that_run_at_once_buy_each_number_once(story, moment):
    original = story.place()
    original.is_brought_to(moment)
    copy = story.copied(original)
    on, asked = story.at_once(original, copy)
    assert on.exit_code in {0, 3, 6}
    assert asks(asked, original, copy)
    story.judge(original, copy)

    copy.says("init", "--copy")
    copy.land("new.txt", SECOND)
    original.land("newer.txt", THIRD)
    story.at_once(copy, original)
    original.decides()
    copy.runs_to_the_end()
    story.judge(original, copy)
    assert story.paid(FIRST, SECOND, THIRD)


def test_a_copy_that_is_called_one_before_its_first_run_may_run_beside_the_original(story):
    original = story.place()
    original.is_brought_to("waiting")
    copy = story.copied(original)
    copy.says("init", "--copy")
    copy.land("new.txt", SECOND)
    story.at_once(copy, original)
    copy.runs_to_the_end()
    original.decides()
    story.judge(original, copy)
    assert story.paid(FIRST, SECOND)


@IN_A_FILE
@pytest.mark.parametrize("moment", ["planned", "fetched"])
def test_a_copy_of_a_killed_run_whose_lease_lives_on_waits_as_well(story, moment):
    original = story.place()
    original.land("first.txt", FIRST)
    original.run(dies={"planned": "before submit", "fetched": "before load"}[moment])
    copy = story.copied(original)
    with story.nothing_is_bought_or_lost(original, copy):
        assert asks(copy.run(MAX_WAIT="0"), original, copy)
    assert copy.states() == [moment]
    original.runs_to_the_end()
    story.judge(original, copy)


@IN_A_FILE
def test_a_copy_that_was_not_called_one_takes_other_commands_and_still_asks(story):
    original = story.place()
    original.is_brought_to("fetched")
    copy = story.copied(original)
    archive = next((copy.data / "raw").iterdir())
    for words in (["recover"], ["import", str(archive)], ["replay", "--all"]):
        copy.ekyc(*words)
        assert copy.ekyc("init").exit_code == 3
    assert asks(copy.run(), original, copy)
    assert story.uploads == 1


# --- two folders, one database ----------------------------------------------------------------------------


@ON_A_SERVER
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_copied_folder_on_the_same_database_buys_nothing_and_takes_nothing_away(story, moment):
    original = story.place()
    original.is_brought_to(moment)
    copy = story.copied(original, database=False)
    uploads = story.uploads
    assert asks(copy.run(), original, copy)
    assert story.uploads == uploads
    refused = copy.ekyc("init", "--copy")
    assert (refused.exit_code, "EKYC_LEDGER_URL" in refused.result["sentences"][0]) == (2, True)

    original.decides()
    assert asks(copy.run(), original, copy)
    story.judge(original)
    assert story.paid(FIRST)
    assert set(original.states()) == {"loaded"}
    assert original.dataset() == Counter(FIRST)


@ON_A_SERVER
def test_the_folder_that_was_called_the_one_buys_and_the_other_asks(story):
    original = story.place()
    original.is_brought_to("planned")
    copy = story.copied(original, database=False)
    copy.says("init", "--moved")
    on, asked = story.at_once(copy, original)
    assert on.exit_code in {0, 3}
    assert asks(asked, copy, original)
    copy.decides()
    story.judge(copy)
    assert story.paid(FIRST)
    assert copy.dataset() == Counter(FIRST)


# --- moved ------------------------------------------------------------------------------------------------


def renamed(place):
    to = place.home.with_name("elsewhere")
    place.home.rename(to)
    return to


def on_another_disk(place):
    to = place.home.with_name("elsewhere")
    shutil.copytree(place.home, to, symlinks=True)
    shutil.rmtree(place.home)
    return to


@pytest.mark.parametrize(
    ("moment", "move"),
    [
        pytest.param("planned", renamed, marks=pytest.mark.smoke),
        ("submitting", on_another_disk),
        ("fetched", on_another_disk),
        ("landed", renamed),
    ],
)
def test_a_moved_folder_asks_once_and_goes_on(story, moment, move):
    place = story.place()
    place.is_brought_to(moment)
    before = str(place.data)
    place.home = move(place)
    with story.nothing_is_bought_or_lost(place):
        ended = place.run()
        assert asks(ended, place)
        assert before in " ".join(ended.result["sentences"])
    place.says("init", "--moved")
    assert place.decides().exit_code == 0
    place.land("second.txt", SECOND)
    assert place.runs_to_the_end().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)
    assert place.fates() == {number: {"loaded"} for number in (*FIRST, *SECOND)}
    assert place.dataset() == Counter((*FIRST, *SECOND))


def test_a_folder_moved_while_its_killed_runs_lease_lives_on_is_the_one_after_the_lease(story):
    place = story.place()
    place.land("first.txt", FIRST)
    place.run(dies="before submit", LEASE="3s")
    place.home = on_another_disk(place)
    said = place.ekyc("init", "--moved")
    if said.exit_code:
        assert (said.exit_code, "Try again then" in told(said)) == (2, True)
        story.wait_until(lambda: place.ekyc("init", "--moved").exit_code == 0)
    assert place.runs_to_the_end().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST)


def test_a_folder_that_is_moved_back_asks_nothing(story):
    place = story.place()
    place.is_brought_to("planned")
    home, place.home = place.home, renamed(place)
    place.says("init", "--moved")
    place.home.rename(home)
    place.home = home
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


def test_a_new_host_name_asks_nothing(story):
    place = story.place()
    place.is_brought_to("planned")
    assert place.run(host="another").exit_code == 0
    place.land("second.txt", SECOND)
    assert place.run(host="a-third").exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)


def test_another_name_of_the_folder_asks_nothing(story):
    """Links, dots and doubled slashes lead to the same place."""
    place = story.place()
    place.is_brought_to("planned")
    (story.root / "link").symlink_to(place.data)
    (story.root / "link to home").symlink_to(place.home)
    names = (
        {"DATA_DIR": str(story.root / "link")},
        {"HOME": str(story.root / "link to home"), "DATA_DIR": "data"},
        {"HOME": str(story.root / "link to home"), "DATA_DIR": str(story.root / "link to home" / "data")},
        {"DATA_DIR": f"{place.home}//../{place.home.name}/./data/"},
        {},
    )
    for settings in names:
        assert place.run(**settings).exit_code == 0, settings
    assert story.paid(FIRST)


@IN_A_FILE
def test_a_folder_that_was_moved_and_left_a_link_asks(story):
    """Its real path is another: nobody can tell it from a clone that was put behind the old name."""
    place = story.place()
    place.is_brought_to("planned")
    there = on_another_disk(place)
    place.home.symlink_to(there)
    with story.nothing_is_bought_or_lost(place):
        assert place.run().exit_code == 3
    place.says("init", "--moved")
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


# --- shared -----------------------------------------------------------------------------------------------


@ON_A_SERVER
def test_two_hosts_with_one_database_and_one_folder_simply_work(story):
    place = story.place(BATCH_SIZE="2")
    place.land("first.txt", FIRST)
    place.run(host="one", dies="before submit", LEASE="1s")
    place.land("second.txt", SECOND)
    hosts = ["one", "two"]
    for _ in range(4):
        for ended in story.at_once(place, place, hosts=hosts):
            assert ended.exit_code in {0, 6}, told(ended)
    assert place.run(host="three").exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)
    assert place.dataset() == Counter((*FIRST, *SECOND))


@IN_A_FILE
def test_two_host_names_in_turn_with_a_file_simply_work(story):
    place = story.place()
    for name, numbers in (("one", FIRST), ("two", SECOND), ("one", THIRD)):
        place.land(f"{name}-{numbers[0][-4:]}.txt", numbers)
        assert place.run(host=name).exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND, THIRD)
