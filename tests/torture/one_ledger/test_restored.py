"""A ledger that is older than its folder buys nothing by itself, and what it does not know stays."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from support.stories import (  # noqa: F401 - fixtures
    FIRST,
    SECOND,
    THIRD,
    Backup,
    a_story,
    a_warm_process,
    kept,
    told,
    worth_a_kill,
)

pytestmark = pytest.mark.integration

ANSWERS = (["recover", "--import"], ["init", "--restored"])
ON_A_SERVER = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
IN_A_FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Restored:
    """FIRST is loaded, SECOND got as far as ``then`` when the ledger was backed up, and to ``since`` later;
    ``also`` landed and was loaded since."""

    def __init__(self, story, then, since, how, *, also=()):
        self.story = story
        self.place = story.place()
        self.place.land("first.txt", FIRST)
        assert self.place.run().exit_code == 0
        self.goes_on_to(then)
        landed = {path: path.read_bytes() for path in self.place.landing.iterdir()}
        self.backup = Backup.of(self.place)
        self.goes_on_to(since)
        if also:
            self.place.land("third.txt", also)
            self.place.run()
        for path, content in landed.items():
            path.write_bytes(content)
        self.backup.put_back(how)

    def goes_on_to(self, moment):
        """From wherever it is; "" is nowhere."""
        place = self.place
        if moment and not self._second():
            place.land("second.txt", SECOND)
        match moment:
            case "waiting":
                assert place.run(MIN_BATCH="50").exit_code == 0
            case "planned":
                place.run(dies="before submit")
            case "sent":
                place.run(dies="after create")
            case "submitted":
                with self.story.slow_provider():
                    assert place.run(MAX_WAIT="0").exit_code == 6
            case "fetched":
                place.run(dies="before load")
            case "loaded":
                assert place.run().exit_code == 0
        if moment not in {"", "landed", "waiting", "submitted", "loaded"}:
            place.lets_go()

    def _second(self):
        return len(list((self.place.data / "inputs").iterdir())) > 1

    def is_answered(self, ended):
        """Every question gets the command that it names, until none is left; which commands these were."""
        given = []
        while (command := self._asked_for(ended)) is not None:
            self.place.says(*command)
            given.append(" ".join(command))
            ended = self.place.run()
        if "held" in self.place.states():
            self.place.decides()
        return given

    def _asked_for(self, ended):
        said = " ".join(ended.result["sentences"])
        return next((words for words in ANSWERS if f"ekyc {' '.join(words)}" in said), None)


# What SECOND was in the backup, and what became of it since.
STORIES = [
    ("", "sent"),
    ("", "loaded"),
    ("landed", "loaded"),
    ("waiting", "loaded"),
    pytest.param("planned", "sent", marks=pytest.mark.smoke),
    ("planned", "loaded"),
    ("submitted", "loaded"),
]


@pytest.mark.parametrize(("then", "since"), STORIES)
def test_a_ledger_that_is_older_than_its_folder_asks_and_buys_nothing_twice(story, then, since):
    restored = Restored(story, then, since, "over it")
    place = restored.place
    uploads = story.uploads
    with story.nothing_is_bought_or_lost(place):
        ended = place.run()
        assert ended.exit_code == (0 if then == "submitted" else 3), told(ended)  # which it knows
    answers = {"planned": ["init --restored"], "submitted": []}
    assert restored.is_answered(ended) == answers.get(then, ["recover --import"])
    assert story.uploads == uploads
    ends_well(story, place)


@pytest.mark.parametrize(("then", "since"), [("planned", "planned"), ("planned", "sent")])
def test_one_that_was_put_in_the_place_of_the_newer_asks_as_well(story, then, since):
    restored = Restored(story, then, since, "in its place")
    place = restored.place
    with story.nothing_is_bought_or_lost(place):
        ended = place.run()
        assert (ended.exit_code, "ekyc init --restored" in told(ended)) == (3, True), told(ended)
    assert "init --restored" in restored.is_answered(ended)
    ends_well(story, place)


def ends_well(story, place):
    again = place.land("again.txt", (*FIRST, *SECOND))
    assert place.run().exit_code == 0
    assert not again.exists()
    story.judge(place)
    assert story.paid(FIRST, SECOND)
    assert place.fates() == {number: {"loaded"} for number in (*FIRST, *SECOND)}
    assert place.dataset() == Counter((*FIRST, *SECOND))


@pytest.mark.parametrize("answer", ANSWERS, ids=" ".join)
def test_with_two_questions_either_answer_may_come_first(story, answer):
    """SECOND was planned and is sent since; THIRD landed since, and is loaded."""
    restored = Restored(story, "planned", "sent", "over it", also=THIRD)
    place = restored.place
    uploads = story.uploads
    assert place.run().exit_code == 3
    place.says(*answer)
    restored.is_answered(place.run())
    assert story.uploads == uploads
    story.judge(place)
    assert story.paid(FIRST, SECOND, THIRD)
    assert place.dataset() == Counter((*FIRST, *SECOND, *THIRD))


# --- an upload whose files are gone, too ------------------------------------------------------------------


def test_an_upload_whose_files_are_gone_too_is_told_by_the_journal(story):
    restored = Restored(story, "", "loaded", "over it")
    place = restored.place
    lost = {name: content_of(place, name) for name in kept(place.data) if is_strange(place, name, *GONE)}
    for name in lost:
        (place.data / name).unlink()
    place.land("second.txt", SECOND)
    with story.nothing_is_bought_or_lost(place):
        ended = place.run()
        assert (ended.exit_code, "ekyc init --restored" in told(ended)) == (3, True), told(ended)
        assert "does not know 1 upload" in told(ended)
    said = place.says("init", "--restored")
    assert "1 landed file moved to" in said
    assert place.run().exit_code == 0
    assert story.paid(FIRST, SECOND)

    archive = place.home / "from the provider's page.zip"
    archive.write_bytes(next(content for name, content in lost.items() if name.startswith("raw/")))
    place.says("import", str(archive))
    place.land("second.txt", SECOND)
    assert place.run().exit_code == 0
    assert story.paid(FIRST, SECOND)
    assert place.dataset() == Counter((*FIRST, *SECOND))


STRANGE = ("inputs/", "batches/", ".keys/", "raw/")
GONE = (*STRANGE, "warehouse/")


def is_strange(place, name, *where):
    return (
        name.startswith(where or STRANGE) and (place.data / name).is_file() and not is_of_first(place, name)
    )


def content_of(place, name):
    return (place.data / name).read_bytes()


def is_of_first(place, name):
    """Does it belong to what the ledger knows?"""
    [first] = place.batch_ids()
    digest = hashlib.sha256("".join(f"{number}\n" for number in FIRST).encode()).hexdigest()
    return first in name or digest in name


# --- a person's decisions ---------------------------------------------------------------------------------


def restored_with_two_planned(story):
    """Two batches that were planned, and never sent."""
    place = story.place(BATCH_SIZE="3")
    place.land("first.txt", FIRST)
    place.run(dies="before submit")
    place.lets_go()
    place.land("second.txt", SECOND)
    Backup.of(place).put_back("in its place")
    assert place.run().exit_code == 3
    said = place.says("init", "--restored")
    assert said.count("held, because it may have been uploaded since") == 2
    assert "1 landed file moved to" in said
    assert place.states() == ["held", "held"]
    with story.nothing_is_bought_or_lost(place):
        assert place.run().exit_code == 3
    return place


@IN_A_FILE
@pytest.mark.parametrize("decision", ["resubmit", "abandon --drop"])
def test_what_a_restored_ledger_holds_is_decided_all_at_once(story, decision):
    place = restored_with_two_planned(story)
    place.says("resolve", "restored", *decision.split(), "--yes", "--reason", "the provider's page")
    assert place.runs_to_the_end().exit_code == 0
    story.judge(place)
    assert story.paid(*([] if decision == "abandon --drop" else [FIRST]))
    place.land("first.txt", FIRST)
    place.land("second.txt", SECOND)
    assert place.runs_to_the_end().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)


@ON_A_SERVER
def test_what_a_restored_ledger_holds_is_decided_batch_by_batch(story):
    place = restored_with_two_planned(story)
    one, other = place.batch_ids()
    refused = place.ekyc("resolve", one, "resubmit")
    assert (refused.exit_code, "--yes" in told(refused)) == (2, True)
    place.says("resolve", one, "resubmit", "--yes")
    assert place.run().exit_code == 3
    assert place.states() == ["loaded", "held"]
    dropped = place.sent(other)
    place.says("resolve", other, "abandon", "--drop")
    assert place.run().exit_code == 0
    story.judge(place)
    assert set(story.charged) == set(FIRST) - dropped


@IN_A_FILE
def test_restored_said_twice_holds_nothing_that_was_decided(story):
    place = restored_with_two_planned(story)
    place.says("resolve", "restored", "resubmit", "--yes")
    assert place.run().exit_code == 0
    place.says("init", "--restored")
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


# --- what the ledger does not know ------------------------------------------------------------------------

STRAYS = {
    "batches/20260101-000000-abcdef-001.txt": ("batch", b"+41798285000\n"),
    ".keys/20260101-000000-abcdef-002.i64": ("batch", (41798285000).to_bytes(8, "little")),
    "raw/20260101-000000-abcdef-003.archive": ("archive", b"Number,telegram\n+41798285000,yes\n"),
    "inputs/" + "0123456789abcdef" * 4: ("landed file", b"+41798285000\n"),
    ".spool/0123456789abcdef.json": (
        "answer",
        b'{"attempt_id": "0123456789abcdef", "task_id": "d4g8o46p2jvh04o9uolg", "http_status": 200}',
    ),
}


def test_files_that_the_ledger_does_not_know_stop_buying_and_stay(story):
    place = story.place()
    place.is_brought_to("planned")
    place.land("second.txt", SECOND)
    for name, (_, content) in STRAYS.items():
        (place.data / name).parent.mkdir(exist_ok=True)
        (place.data / name).write_bytes(content)
    with story.nothing_is_bought_or_lost(place):
        ended = place.run()
        assert (ended.exit_code, "ekyc recover --set-aside" in told(ended)) == (3, True)
        assert "2 batches in batches/, 1 archive in raw/, 1 landed file in inputs/, 1 answer" in told(ended)
        shown = place.ekyc("recover", "--json")
        assert shown.exit_code == 3
        kinds = Counter(each["what"] for each in json.loads(shown.output)["files"])
        assert kinds == Counter(kind for kind, _ in STRAYS.values())
    place.says("recover", "--set-aside")
    for name, (_, content) in STRAYS.items():
        assert not (place.data / name).exists()
        assert [path.read_bytes() for path in (place.data / "set-aside").glob(f"*/{name}")] == [content]
    assert place.run().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)


@IN_A_FILE
def test_one_file_that_the_ledger_does_not_know_is_enough(story):
    place = story.place()
    place.land("first.txt", FIRST)
    for name, (_, content) in STRAYS.items():
        (place.data / name).parent.mkdir(exist_ok=True)
        (place.data / name).write_bytes(content)
        with story.nothing_is_bought_or_lost(place):
            assert place.run().exit_code == 3, name
        (place.data / name).unlink()
    assert place.run().exit_code == 0


@IN_A_FILE
def test_strays_that_are_set_aside_are_whole_and_no_longer_asked_about(story):
    place = Restored(story, "", "loaded", "over it").place
    strange = {name: content_of(place, name) for name in kept(place.data) if is_strange(place, name)}
    assert len(strange) == 4
    place.says("recover", "--set-aside")
    aside = place.data / "set-aside"
    assert {name: next(aside.glob(f"*/{name}")).read_bytes() for name in strange} == strange
    assert not any((place.data / name).exists() for name in strange)
    ended = place.run()
    assert (ended.exit_code, "ekyc init --restored" in told(ended)) == (3, True), told(ended)
    place.says("init", "--restored")
    assert place.run().exit_code == 0
    assert story.paid(FIRST, SECOND)


# --- the sweep --------------------------------------------------------------------------------------------


def test_a_planning_that_is_killed_anywhere_is_swept_and_done_again(story):
    """At each point between its first file and its upload; on a server at every sixth one."""
    first = planning(story, 0)
    points = first.run().points
    begin, end = points.index("before replace"), points.index("before balance")
    tried = [at for at in worth_a_kill(points) if begin < at <= end][:: 6 if story.server else 1]
    for number, at in enumerate(tried, start=1):
        place = planning(story, number)
        ended = place.run(kill_at=at)
        assert ended.signal == 9
        assert place.run().exit_code == 0, ended.point
        assert {path.stem for path in (place.data / "batches").iterdir()} == set(place.batch_ids())
        assert {path.stem for path in (place.data / ".keys").iterdir()} == set(place.batch_ids())
        assert not list((place.data / ".plans").glob("*"))
        assert place.landed() == []
        assert place.states() == ["loaded"], ended.point
    assert place.ekyc("recover").exit_code == 0
    assert set(story.charged.values()) == {1}
    assert len(story.charged) == 2 * (len(tried) + 1)


def planning(story, number):
    """A place of its own, with two numbers of its own."""
    place = story.place(f"planning-{number}")
    place.land("one.txt", [f"+4179829{number:03}{digit}" for digit in (1, 2)])
    return place
