"""`ekyc init` makes a ledger on purpose and takes answers; killed anywhere, it completes when said again."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections import Counter

import pytest
from support.stories import (  # noqa: F401 - fixtures
    FIRST,
    SECOND,
    THIRD,
    Backup,
    a_story,
    a_warm_process,
    rows,
    told,
    worth_a_kill,
)
from support.workstation import BIN, plain_environment

from ekyc_tasks.ledger import connect_ledger

pytestmark = pytest.mark.integration

MADE = ("init", "--no-budget", "--account", "new")
IN_A_FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def mark_of(place):
    return json.loads((place.data / ".ekyc.json").read_text())


def is_whole(place):
    """The folder and the ledger have one id, and it is ready."""
    mark = mark_of(place)
    with connect_ledger(place.ledger_url) as ledger:
        return mark["is_ready"] and ledger.identity.ledger_id() == mark["ledger_id"]


def dotenv_of(place):
    return (place.home / ".env").read_text()


# --- made -------------------------------------------------------------------------------------------------


def test_it_makes_a_ledger_that_buys_and_says_so_a_second_time(story):
    place = story.bare("home")
    said = place.says(*MADE)
    assert (
        f"was created in {place.data}, for {place.environment({})['EKYC_BASE_URL'].removeprefix('http://')}"
        in said
    )
    assert "ekyc run --limit 100" in said
    assert is_whole(place)
    mark = mark_of(place)
    for words in (MADE, ["init"]):
        assert "has its ledger" in place.says(*words)
    assert mark_of(place) == mark
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


@IN_A_FILE
@pytest.mark.parametrize("account", ["used", "shared"])
def test_it_keeps_what_was_said_of_the_account(story, account):
    place = story.bare("home")
    place.says("init", "--no-budget", "--account", account)
    assert any(account in answer for answer in rows(place.ledger_url)["answers"])


WORK = ("inputs", "batches", "raw", ".spool")


@IN_A_FILE
@pytest.mark.parametrize("work", WORK)
def test_it_refuses_a_folder_that_holds_work_of_another_ledger(story, work):
    place = story.bare("home")
    (place.data / work).mkdir(parents=True)
    (place.data / work / "20260101-000000-abcdef-001.txt").write_text("+41798285000\n")
    with story.nothing_happens(place):
        for words in (MADE, ["run"], ["up"]):
            ended = place.ekyc(*words)
            assert (ended.exit_code, str(place.data) in told(ended)) == (2, True), told(ended)
        assert place.run().exit_code == 2


def test_it_takes_a_folder_with_landed_files_and_other_things(story):
    place = story.bare("home")
    place.land("first.txt", FIRST)
    (place.data / "samples").mkdir()
    (place.data / "samples" / "numbers.txt").write_text("+41798285000\n")
    (place.data / "do-not-send.txt").write_text(f"{FIRST[0]}\n")
    for work in WORK:  # empty folders are nobody's
        (place.data / work).mkdir()
    place.says(*MADE)
    assert place.run().exit_code == 0
    assert story.paid(FIRST[1:])


LACKING = [
    ((), {"API_KEY": None}, ["EKYC_API_KEY", "--no-budget", "--account"]),
    ((), {}, ["--no-budget", "--account"]),
    (("--no-budget",), {}, ["--account"]),
    (("--account", "new"), {}, ["--no-budget"]),
    (("--price", "4.50", "--account", "new"), {}, ["--no-budget"]),
    (("--no-budget", "--account", "new"), {"API_KEY": None}, ["EKYC_API_KEY"]),
]


@IN_A_FILE
@pytest.mark.parametrize(("words", "settings", "asked"), LACKING)
def test_without_a_terminal_the_options_are_required(story, words, settings, asked):
    place = story.bare("home")
    with story.nothing_happens(place):
        ended = place.ekyc("init", *words, **settings)
    assert ended.exit_code == 2
    lacking = ended.result["sentences"][0].partition(" Example: ")[0]
    assert [word for word in ("EKYC_API_KEY", "--no-budget", "--account") if word in lacking] == asked
    assert "`EKYC_API_KEY=… ekyc init --no-budget --account new`" in ended.result["sentences"][0]


@pytest.mark.parametrize("words", [("--budget-month", "100"), ("--price", "a lot", "--budget-month", "100")])
@IN_A_FILE
def test_a_budget_that_cannot_be_kept_makes_nothing(story, words):
    place = story.bare("home")
    with story.nothing_happens(place):
        ended = place.ekyc("init", "--account", "new", *words)
        assert (ended.exit_code, "EKYC_PRICE_PER_10K" in told(ended)) == (2, True), told(ended)


@IN_A_FILE
def test_what_is_said_is_kept_beside_what_stood_there(story):
    place = story.bare("home")
    lines = "# ours\nEKYC_SETTLE=0\nOTHER='a word'"
    (place.home / ".env").write_text(lines)
    place.says("init", "--price", "4.50", "--budget-month", "100", "--account", "new")
    assert dotenv_of(place) == f"{lines}\nEKYC_PRICE_PER_10K=4.50\nEKYC_BUDGET_MONTH=100\n"
    assert (place.home / ".env").stat().st_mode & 0o777 == 0o600
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    [budget] = json.loads(place.says("plan", "--json"))["budgets"]
    assert (budget["of"], budget["limit"]) == ("month", "100")


@IN_A_FILE
def test_it_does_not_overrule_what_env_says(story):
    place = story.bare("home")
    (place.home / ".env").write_text("EKYC_PRICE_PER_10K=4.50\n")
    with story.nothing_happens(place):
        ended = place.ekyc("init", "--price", "9", "--budget-month", "100", "--account", "new")
        assert (ended.exit_code, "EKYC_PRICE_PER_10K" in told(ended)) == (2, True)


@IN_A_FILE
def test_an_answer_without_a_ledger_makes_none(story):
    place = story.bare("home")
    with story.nothing_happens(place):
        for answer in ("--moved", "--copy", "--restored", "--rebind", "--spent-elsewhere"):
            ended = place.ekyc("init", answer)
            assert (ended.exit_code, "ekyc init" in told(ended)) == (2, True), told(ended)


@IN_A_FILE
def test_two_answers_at_once_are_none(story):
    place = story.place()
    with story.nothing_happens(place):
        assert place.ekyc("init", "--moved", "--copy").exit_code == 2


# --- at a terminal ----------------------------------------------------------------------------------------

CONTROLLED = (
    "import fcntl, os, sys, termios;fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def typed(place, words, answers, **settings):
    """What a person sees who gives these answers, each once its question is there; and the exit code."""
    own = plain_environment() | place.environment({"API_KEY": None} | settings) | {"TERM": "dumb"}
    screen, terminal = pty.openpty()
    command = [sys.executable, "-c", CONTROLLED, str(BIN / "ekyc"), *words]
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=own, cwd=place.home,
        start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    seen = ""
    for question, answer in answers:
        while question not in seen or not seen.endswith(" "):  # which comes once it listens
            seen += read_from(screen)
        os.write(screen, f"{answer}\n".encode())
        seen = f"{seen.replace(question, 'asked', 1)}"
    while more := read_from(screen):
        seen += more
    os.close(screen)
    return seen, process.wait(timeout=30)


def read_from(screen):
    """ "" once nobody holds the other end any more."""
    ready, _, _ = select.select([screen], [], [], 60)
    assert ready, "nothing is said"
    try:
        return os.read(screen, 4096).decode()
    except OSError:
        return ""


@IN_A_FILE
def test_at_a_terminal_it_asks_and_the_key_is_not_seen(story):
    place = story.bare("home")
    answers = [
        ("API key", story.sandbox.api_key),
        ("Price of 10,000", "4.50"),
        ("Most to spend in one month", "100"),
        ("bought anything elsewhere before", "n"),
    ]
    seen, code = typed(place, ["init"], answers)
    assert (code, "was created in" in seen) == (0, True), seen
    assert story.sandbox.api_key not in seen
    assert dotenv_of(place) == (
        f"EKYC_API_KEY={story.sandbox.api_key}\nEKYC_PRICE_PER_10K=4.50\nEKYC_BUDGET_MONTH=100\n"
    )
    assert (place.home / ".env").stat().st_mode & 0o777 == 0o600
    place.settings["API_KEY"] = None
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


@IN_A_FILE
def test_at_a_terminal_it_asks_what_became_of_a_ledger(story):
    original = story.place()
    original.is_brought_to("planned")
    copy = story.copied(original)
    _, code = typed(copy, ["init"], [("moved, copy or restored?", "copy")])
    assert code == 0
    assert copy.run().exit_code == 0
    assert story.uploads == 0


# --- killed -----------------------------------------------------------------------------------------------


def test_init_that_was_killed_anywhere_is_said_again_and_completes(story):
    """At each point; on a server at every sixth one. Nothing runs in between."""
    words = ("init", "--price", "4.50", "--budget-month", "100", "--account", "new")
    points = story.bare("undisturbed").ekyc(*words).points
    for at in worth_a_kill(points)[:: 6 if story.server else 1]:
        place = story.bare(f"home-{at}")
        assert place.ekyc(*words, kill_at=at).signal == signal.SIGKILL
        in_between = place.run()
        is_done = (place.data / ".ekyc.json").exists() and mark_of(place)["is_ready"]
        assert in_between.exit_code == (0 if is_done else 2), f"{points[at - 1]}: {told(in_between)}"
        place.says(*words)
        assert is_whole(place)
        assert dotenv_of(place) == "EKYC_PRICE_PER_10K=4.50\nEKYC_BUDGET_MONTH=100\n"
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


@IN_A_FILE
def test_a_key_that_init_was_killed_with_lies_in_no_file_but_env(story):
    words = ("init", "--price", "4.50", "--budget-month", "100", "--account", "new")
    for at in (1, 2, 3):
        place = story.bare(f"home-{at}")
        place.ekyc(*words, kill_at=at)
        place.says(*words)
        assert {path.name for path in place.home.iterdir()} == {".env", "data"}


def planned_and_landed(story):
    """FIRST is planned, SECOND has landed."""
    place = story.place()
    place.is_brought_to("planned")
    place.land("second.txt", SECOND)
    return place


def uploaded_since(story):
    """THIRD is loaded; FIRST was planned and SECOND had not landed when the ledger was backed up. Both are
    bought since, and the second answer was lost."""
    place = story.place()
    place.land("third.txt", THIRD)
    assert place.run().exit_code == 0
    place.land("first.txt", FIRST)
    place.run(dies="before submit")
    place.lets_go()
    backup = Backup.of(place)
    assert place.run().exit_code == 0
    place.land("second.txt", SECOND)
    place.run(dies="after create")
    place.lets_go()
    backup.put_back("over it")
    return place


ANSWERS = {
    "init --moved": (planned_and_landed, []),
    "init --copy": (planned_and_landed, []),
    "init --restored": (uploaded_since, ["recover --import"]),
    "recover --import": (uploaded_since, []),
}


@IN_A_FILE
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_was_killed_anywhere_is_said_again_and_completes(story, answer):
    """Each time in a fresh copy of the folder, whose place is a question, too. Nothing is sent in between."""
    make, before = ANSWERS[answer]
    template = make(story)
    bought = story.charged
    for words in before:
        template.says(*words.split())
    whole = story.copied(template, "undisturbed")
    points = whole.ekyc(*answer.split()).points
    expected = state_of(whole)
    for at in worth_a_kill(points):
        place = story.copied(template, f"copy-{at}")
        assert place.ekyc(*answer.split(), kill_at=at).signal == signal.SIGKILL
        if answer != "init --moved" and points[at - 1].startswith("after"):  # moved, it may buy
            in_between = place.run(MAX_WAIT="0")
            assert in_between.exit_code in {0, 2, 3}, f"{points[at - 1]}: {told(in_between)}"
        assert story.charged == bought, points[at - 1]
        place.says(*answer.split())
        assert state_of(place) == expected, f"{at}: {points[at - 1]}"
        assert is_whole(place)
    ends = {"init --moved": goes_on, "init --copy": buys_only_what_is_new}.get(answer, is_decided)
    ends(story, whole)


def state_of(place):
    """What became of which numbers, and what lies where, whatever the time is. A run in between may have got
    on with what is paid for."""
    is_bought = {"submitted", "fetched", "loaded"}
    states = Counter(
        ("bought" if batch.state in is_bought else batch.state, place.sent(batch.batch_id))
        for batch in place.batches()
    )
    lying = {}
    for name in ("landing", "set-aside", "inputs", "batches"):
        files = [path for path in (place.data / name).rglob("*") if path.is_file()]
        lying[name] = sorted(path.read_bytes() for path in files)
    return states, lying


def goes_on(story, place):
    assert place.runs_to_the_end().exit_code == 0
    assert story.paid(FIRST, SECOND)


def buys_only_what_is_new(story, place):
    place.land("new.txt", [*FIRST, *THIRD])
    assert place.runs_to_the_end().exit_code == 0
    assert story.paid(THIRD)


def is_decided(story, place):
    for words in ("recover --import", "init --restored"):
        place.says(*words.split())
    place.decides()
    place.land("again.txt", [*FIRST, *SECOND, *THIRD])
    assert place.run().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND, THIRD)
    assert place.dataset() == Counter((*FIRST, *SECOND, *THIRD))
