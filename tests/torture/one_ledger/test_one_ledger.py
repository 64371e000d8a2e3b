"""One ledger: a wrong setting or an unmounted volume makes nothing, deletes nothing and buys nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.raw_server import unused_port
from support.stories import (  # noqa: F401 - fixtures
    FIRST,
    SECOND,
    THIRD,
    Place,
    Story,
    a_story,
    a_warm_process,
    changes,
    told,
    tree,
)
from support.workstation import ROOT, plain_environment

pytestmark = pytest.mark.integration

ELSEWHERE = [f"+4179828{index:04}" for index in range(5000, 5008)]  # in folders that a typo may name
MADE = ("init", "--no-budget", "--account", "new")
COMMANDS = {
    "run": ["run"],
    "up": ["up"],
    "import": ["import", "ARCHIVE"],
    "resolve": ["resolve", "HELD", "abandon"],
    "replay": ["replay", "--all"],
    "recover": ["recover", "--set-aside"],
}
FLOWS = {"check-numbers": "run", "replay deployment": "replay flow", "resolve deployment": "resolve flow"}
WRITES = ("run", "up", "import", "resolve", "replay", "check-numbers")
BUYS = ("run", "up", "check-numbers")


@dataclass(frozen=True)
class World:
    """A ledger with a loaded batch and a held one, a file that waits, and folders that are not its own."""

    story: Story
    place: Place
    held: str
    server: object

    def called(self, name, **settings):
        """One command or deployment that would write."""
        if name in FLOWS:
            return self.place.work(FLOWS[name], settings=settings)
        archive = str(next((self.place.data / "raw").iterdir()))
        stands_for = {"ARCHIVE": archive, "HELD": self.held}
        return self.place.ekyc(*(stands_for.get(word, word) for word in COMMANDS[name]), **settings)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory, warm):
    server = request.getfixturevalue("postgres")
    of_ledger = server if request.param == "postgresql" else None
    with Story(tmp_path_factory.mktemp(request.param), warm, of_ledger) as story:
        place = story.place()
        for name in ("landing", "warehouse"):
            place.settings[f"{name.upper()}_DIR"] = str(story.root / "volume" / name)
        (story.root / "volume" / "landing").mkdir(parents=True)
        place.says("init", "--moved")
        place.land("first.txt", FIRST)
        assert place.run().exit_code == 0
        place.land("second.txt", SECOND)
        place.run(dies="after create")
        assert place.run().exit_code == 3
        place.land("third.txt", THIRD)
        for name in ("empty", "with files"):
            (story.root / name).mkdir()
        (story.root / "with files" / "numbers.csv").write_text("\n".join(ELSEWHERE))
        yield World(story, place, place.batch_ids()[-1], server)


# --- typos ------------------------------------------------------------------------------------------------


def data_dir_away(world):
    return {"DATA_DIR": str(world.place.home / "dtaa")}


def data_dir_empty(world):
    return {"DATA_DIR": str(world.story.root / "empty")}


def data_dir_with_files(world):
    return {"DATA_DIR": str(world.story.root / "with files")}


def home_away(world):
    return {"HOME": str(world.story.root / "hmoe"), "DATA_DIR": None}


def home_empty(world):
    return {"HOME": str(world.story.root / "empty"), "DATA_DIR": None}


def file_away(world):
    return {"LEDGER_URL": f"sqlite:///{world.place.data / 'leger.db'}"}


def file_in_no_folder(world):
    return {"LEDGER_URL": f"sqlite:///{world.story.root / 'nowhere' / 'ledger.db'}"}


def database_empty(world):
    return {"LEDGER_URL": world.server.url("template1")}


def database_away(world):
    return {"LEDGER_URL": world.server.url("legder")}


def server_away(_):
    return {"LEDGER_URL": f"postgresql://ekyc:secret@127.0.0.1:{unused_port()}/ledger"}


def landing_away(world):
    return {"LANDING_DIR": str(world.story.root / "lnding")}


def landing_with_files(world):
    return {"LANDING_DIR": str(world.story.root / "with files")}


def landing_inside(_):
    return {"LANDING_DIR": None}


def warehouse_away(world):
    return {"WAREHOUSE_DIR": str(world.story.root / "warehuose")}


def warehouse_empty(world):
    return {"WAREHOUSE_DIR": str(world.story.root / "empty")}


def warehouse_inside(_):
    return {"WAREHOUSE_DIR": None}


def base_url(world):
    return {"BASE_URL": world.story.sandbox.base_url.replace("127.0.0.1", "localhost")}


OF_PATHS = [
    data_dir_away, data_dir_empty, data_dir_with_files, home_away, home_empty, file_away, file_in_no_folder,
    database_empty, database_away, server_away, landing_away, landing_with_files, landing_inside,
    warehouse_away, warehouse_empty, warehouse_inside,
]  # fmt: skip


@pytest.mark.parametrize("typo", OF_PATHS)
def test_a_typo_ends_every_command_that_would_write_with_code_2_and_makes_nothing(world, typo):
    wrong = typo(world)
    with world.story.nothing_happens(world.place):
        for name in ("run", "import", "check-numbers") if world.place.url else WRITES:
            ended = world.called(name, **wrong)
            assert ended.exit_code == 2, f"{name}: {told(ended)}"
            says_what_to_do(ended, wrong)
    assert database_is_empty(world.server)


@pytest.mark.smoke
@pytest.mark.parametrize("typo", [data_dir_away, file_away])
def test_the_other_deployments_and_recover_end_as_well(world, typo):
    with world.story.nothing_happens(world.place):
        for name in ("recover", "replay deployment", "resolve deployment"):
            assert world.called(name, **typo(world)).exit_code == 2, name


def says_what_to_do(ended, wrong):
    """What was found where, from which setting, and what to do."""
    said = ended.result["sentences"][0]
    setting, value = next(iter(wrong.items()))
    assert f"EKYC_{setting}" in said
    assert "correct" in said.lower()
    if value is not None and not value.startswith("postgresql"):
        assert value.removeprefix("sqlite:///") in said
    assert "secret" not in said
    assert "sesame" not in said
    assert said.endswith(".")


def database_is_empty(server):
    import psycopg  # noqa: PLC0415

    with psycopg.connect(server.url("template1")) as connection:
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        return connection.execute(query).fetchone() == (0,)


def test_another_host_gets_no_call_and_no_key(world):
    wrong = base_url(world)
    with world.story.nothing_happens(world.place):
        for name in BUYS:
            ended = world.called(name, **wrong)
            assert ended.exit_code == 2, f"{name}: {told(ended)}"
            says_what_to_do(ended, {"BASE_URL": wrong["BASE_URL"].removeprefix("http://")})


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_task_is_not_adopted_by_the_word_of_another_host(story):
    place = story.place()
    place.is_brought_to("held")
    task = story.sandbox.tasks[-1].task_id
    with story.nothing_happens(place):
        ended = place.ekyc(
            "resolve", *place.batch_ids(), "adopt", task, **base_url(World(story, place, "", ""))
        )
    assert (ended.exit_code, "EKYC_BASE_URL" in told(ended)) == (2, True), told(ended)


# --- volumes that are not mounted -------------------------------------------------------------------------


def emptied(folder: Path) -> Path:
    """The folder without its volume: an empty mount point."""
    away = folder.with_name(f"{folder.name} (not mounted)")
    folder.rename(away)
    folder.mkdir()
    return away


def away(folder: Path) -> Path:
    return folder.rename(folder.with_name(f"{folder.name} (not mounted)"))


def mounted(folder: Path, volume: Path) -> None:
    if folder.exists():
        folder.rmdir()
    volume.rename(folder)


@pytest.mark.parametrize("unmounted", [emptied, away])
def test_without_its_data_volume_nothing_happens_and_with_it_all_goes_on(story, unmounted):
    place = story.place()
    place.is_brought_to("planned")
    place.land("second.txt", SECOND)
    volume = unmounted(place.data)
    before = tree(story.root)
    for name in ("run", "up", "import", "replay"):
        words = [{"ARCHIVE": str(story.root / "nothing")}.get(word, word) for word in COMMANDS[name]]
        ended = place.ekyc(*words)
        assert (ended.exit_code, str(place.data) in told(ended)) == (2, True), told(ended)
        assert ("Mount " in told(ended)) == (place.url is not None)
    assert place.run().exit_code == 2
    assert tree(story.root) == before
    assert story.uploads == 0

    mounted(place.data, volume)
    assert place.run().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND)


@pytest.mark.parametrize(
    ("which", "unmounted"), [("landing", emptied), ("warehouse", away), ("volume", emptied)]
)
def test_without_a_volume_of_its_own_place_nothing_happens(story, which, unmounted):
    volume = story.root / "volume"
    own = {"LANDING_DIR": str(volume / "landing"), "WAREHOUSE_DIR": str(volume / "warehouse")}
    place = story.bare("original", **own).is_made()
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    place.land("second.txt", SECOND)
    place.run(dies="before load")
    place.lets_go()
    place.land("third.txt", THIRD)

    folder = volume if which == "volume" else volume / which
    taken = unmounted(folder)
    with story.nothing_happens(place):
        for ended in (place.run(), place.ekyc("run"), place.ekyc("replay", "--all")):
            assert ended.exit_code == 2, told(ended)
            setting = "EKYC_WAREHOUSE_DIR" if which == "warehouse" else "EKYC_LANDING_DIR"
            assert (setting in told(ended), "Mount " in told(ended)) == (True, True)

    mounted(folder, taken)
    assert place.run().exit_code == 0
    story.judge(place)
    assert story.paid(FIRST, SECOND, THIRD)
    assert place.dataset() == Counter((*FIRST, *SECOND, *THIRD))


@pytest.mark.parametrize("which", ["LANDING_DIR", "WAREHOUSE_DIR"])
def test_another_folder_that_is_meant_is_taken_by_a_persons_word(story, which):
    place = story.place()
    place.land("first.txt", FIRST)
    assert place.run().exit_code == 0
    place.settings[which] = str(story.root / "new place")
    assert place.run().exit_code == 2
    (story.root / "new place").mkdir()
    place.says("init", "--moved")
    place.land("second.txt", SECOND)
    assert place.run().exit_code == 0
    assert story.paid(FIRST, SECOND)


# --- two of one -------------------------------------------------------------------------------------------


def test_two_ledgers_and_one_folder_are_refused(story):
    mine, other = story.place("mine"), story.place("other")
    other.is_brought_to("planned")
    wrong = {"LEDGER_URL": other.ledger_url}
    with story.nothing_happens(mine, other):
        for words in (["run"], ["up"], MADE, *WORDS_ABOUT_IT):
            ended = mine.ekyc(*words, **wrong)
            assert (ended.exit_code, "EKYC_LEDGER_URL" in told(ended)) == (2, True), told(ended)
        ended = mine.run(**wrong)
        assert ended.exit_code == 2
        assert "belongs to ledger" in told(ended)
    assert other.run().exit_code == mine.run().exit_code == 0
    assert story.paid(FIRST)


@pytest.mark.parametrize("folder", ["not there", "of another", "with landed files"])
def test_one_ledger_and_two_folders_are_refused(story, folder):
    mine = story.place("mine")
    mine.is_brought_to("planned")
    there = story.root / "there"
    if folder == "of another":
        there = story.place("other").data
    elif folder == "with landed files":
        (there / "landing").mkdir(parents=True)
        (there / "landing" / "numbers.txt").write_text("\n".join(SECOND))
    wrong = {"DATA_DIR": str(there), "LEDGER_URL": mine.ledger_url}
    with story.nothing_happens(mine):
        for words in (["run"], ["up"], MADE, *WORDS_ABOUT_IT):
            ended = mine.ekyc(*words, **wrong)
            assert (ended.exit_code, str(there) in told(ended)) == (2, True), told(ended)
        assert mine.run(**wrong).exit_code == 2
    assert mine.run().exit_code == 0
    assert story.paid(FIRST)


WORDS_ABOUT_IT = (["init", "--moved"], ["init", "--copy"], ["init", "--restored"])


# --- commands that only look ------------------------------------------------------------------------------

UNKNOWN = "20261124-140500-1a2b3c-001"
LOOKS = [
    *("status", "status --json", f"status {UNKNOWN}", "plan", "plan FILE", "doctor", "export first.txt"),
    *(f"resolve {UNKNOWN} abandon", "resolve restored resubmit --yes", "replay --all"),
    *("recover", "recover --import"),
]


@pytest.mark.parametrize("there", ["nothing", "an empty data folder", "landed files"])
def test_what_only_looks_makes_no_folder_and_no_ledger(story, there):
    place = story.bare("home")
    if there == "nothing":
        place.home.rmdir()
    elif there == "an empty data folder":
        place.data.mkdir()
    elif there == "landed files":
        place.land("first.txt", FIRST)
    file = story.root / "named.txt"
    file.write_text("\n".join(SECOND))
    before = tree(story.root)
    for words in LOOKS:
        ended = place.ekyc(*(str(file) if word == "FILE" else word for word in words.split()))
        assert ended.exit_code == 2, f"{words}: {told(ended)}"
        assert "ekyc init" in told(ended), f"{words}: {told(ended)}"
        assert tree(story.root) == before, words
    assert story.uploads == 0


def test_what_only_looks_makes_no_landing_folder(story):
    place = story.place()
    (place.data / "landing").rmdir()
    for words in (["status"], ["plan"], ["doctor"], ["replay", "--all"], ["recover"]):
        place.ekyc(*words)
        assert not (place.data / "landing").exists(), words


# --- `ekyc up` --------------------------------------------------------------------------------------------


def test_up_without_a_ledger_ends_with_code_2_and_the_command_to_type(story):
    place = story.bare("home")
    with story.nothing_happens(place):
        ended = place.ekyc("up")
    assert (ended.exit_code, "create a ledger with `ekyc init`" in told(ended)) == (2, True)


@pytest.mark.parametrize("question", ["place", "strays"])
def test_up_ends_at_once_with_an_open_question(story, question):
    place = story.place()
    place.is_brought_to("planned")
    if question == "place":
        place.home = place.home.rename(story.root / "elsewhere")
    else:
        (place.data / "batches" / "20260101-000000-abcdef-001.txt").write_text(f"{THIRD[0]}\n")
    with story.nothing_happens(place):
        ended = place.ekyc("up")
    assert ended.exit_code == 3, told(ended)
    assert {"place": "ekyc init --moved", "strays": "ekyc recover"}[question] in ended.result["sentences"][0]


# --- the sandbox ------------------------------------------------------------------------------------------


def test_a_run_in_the_sandbox_touches_nothing_real(story):
    place = story.place()
    place.is_brought_to("planned")
    real = place.environment({})
    (place.home / ".env").write_text("".join(f"{name}={value}\n" for name, value in real.items()))
    file = story.root / "mine.txt"
    file.write_text("\n".join(ELSEWHERE))
    before = tree(story.root)
    ended = place.work("ekyc", arguments=["run", "--sandbox", str(file)])
    assert ended.exit_code == 0, told(ended)
    assert "The sandbox charged 8 numbers in 1 task" in ended.output
    own = ("original/data/sandbox", "original/data/.demo")
    assert (
        changes(
            before, {name: is_now for name, is_now in tree(story.root).items() if not name.startswith(own)}
        )
        == {}
    )
    assert story.uploads == 0
    assert place.run().exit_code == 0
    assert story.paid(FIRST)


def of_a_real_host(story):
    """Its settings name the sandbox now."""
    place = story.bare("home", BASE_URL="https://api.ekycpro.com").is_made()
    place.land("first.txt", FIRST)
    place.settings["BASE_URL"] = story.sandbox.base_url
    return place


def test_a_ledger_of_a_real_host_refuses_the_sandbox(story):
    place = of_a_real_host(story)
    with story.nothing_is_bought_or_lost(place):
        for words in (["run"], ["run", "--limit", "3"], ["plan"], ["doctor"], ["up"]):
            ended = place.ekyc(*words)
            said = " ".join(told(ended).split())
            assert ended.exit_code == 2, said
            host = story.sandbox.base_url.removeprefix("http://")
            assert f"belongs to api.ekycpro.com, not to {host}" in said
            assert "EKYC_BASE_URL" in said


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_it_refuses_before_prefect_is_there(story):
    place = of_a_real_host(story)
    program = (
        "import atexit, sys; from ekyc_tasks.cli import main;"
        "atexit.register(lambda: print('Prefect is here:', 'prefect' in sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run"],
        cwd=ROOT,
        env=plain_environment() | place.environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, "belongs to api.ekycpro.com" in done.stderr) == (2, True)
    assert done.stdout == "Prefect is here: False\n"
