"""`ekyc import`: archives from before become loaded batches, once, and their numbers are known."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from support.archive_files import DOCUMENTED, HEADER, NUMBERS, write_zip
from support.installed import made

from ekyc_tasks.cli import main
from ekyc_tasks.errors import ConfigurationError, LoadFailed
from ekyc_tasks.exchange.resolve import Resolution, resolve
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake import arrival
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.models import BatchState, Decision
from ekyc_tasks.planning.plan import Planner, PlanPolicy
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.clock import SystemClock

pytestmark = pytest.mark.integration

DIRTY = DOCUMENTED + "hello,yes,,,,,,\n"


@pytest.fixture
def ekyc(tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("EKYC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    made(tmp_path / "data", "https://api.ekycpro.com")

    def ekyc(*words):
        monkeypatch.setattr("sys.argv", ["ekyc", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out

    return ekyc


@pytest.fixture
def refused(ekyc):
    """The one reason why one archive was not imported, and the exit code."""

    def refused(*words):
        code, said = ekyc("import", *words, "--json")
        found = json.loads(said)
        assert found["imported"] == []
        (failure,) = found["failed"]
        return code, failure["why"]

    return refused


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    return DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")


def address(folder):
    return f"sqlite:///{folder.root / 'ledger.db'}"


def batches(folder):
    with open_ledger(address(folder)) as ledger:
        return ledger.history.batches()


def files(folder):
    return {
        path: path.read_bytes()
        for name in ("batches", "keys", "raw", "warehouse", "quarantine")
        for path in (folder.root / name).rglob("*")
        if path.is_file()
    }


def test_an_archive_becomes_a_loaded_batch(ekyc, folder, tmp_path):
    archive = write_zip(tmp_path / "old.zip", {"t/all.csv": DIRTY})
    code, said = ekyc("import", archive, "--checked-at", "2026-01-02T03:04:05Z", "--json")
    (document,) = json.loads(said)["imported"]
    assert (code, document["is_new"], document["counts"]["accepted"], document["counts"]["unreadable"]) == (
        0, True, 3, 1,
    )  # fmt: skip
    (batch,) = batches(folder)
    assert (batch.state, batch.numbers, batch.counts.missing) == (BatchState.LOADED, 3, 0)
    assert batch.checked_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert folder.batch_file(batch.batch_id).read_text().split() == list(NUMBERS)
    assert folder.raw_file(batch.batch_id).read_bytes() == archive.read_bytes()
    rows = pl.read_parquet(document["dataset"], hive_partitioning=False)
    assert rows["number"].to_list() == list(NUMBERS)
    assert set(rows["batch_id"]) == {batch.batch_id}


def test_the_same_bytes_are_imported_once(ekyc, folder, tmp_path):
    archive = write_zip(tmp_path / "old.zip", {"all.csv": DIRTY})
    ekyc("import", archive)
    before = files(folder)
    again = tmp_path / "copy.zip"
    again.write_bytes(archive.read_bytes())
    code, said = ekyc("import", archive, again, "--json")
    assert code == 0
    assert [each["is_new"] for each in json.loads(said)["imported"]] == [False, False]
    assert files(folder) == before
    assert len(batches(folder)) == 1


def test_its_numbers_are_known_to_the_next_plan(ekyc, tmp_path, folder):
    now = datetime.now(UTC) - timedelta(days=1)
    ekyc("import", write_zip(tmp_path / "old.zip", {"all.csv": DOCUMENTED}), "--checked-at", now.isoformat())
    asked = tmp_path / "ask.txt"
    asked.write_text("\n".join([*NUMBERS, "+41798284699"]))
    code, said = ekyc("plan", asked, "--json")
    assert code == 0
    (file,) = json.loads(said)["files"]
    assert (file["lines"], file["known"]) == (4, 3)


def test_it_can_be_replayed(ekyc, folder, tmp_path):
    ekyc("import", write_zip(tmp_path / "old.zip", {"all.csv": DIRTY}))
    before = files(folder)
    code, said = ekyc("replay", "--all", "--json")
    assert (code, json.loads(said)["replayed"][0]["has_changed"]) == (0, False)
    assert files(folder) == before


def test_what_cannot_be_loaded_is_not_kept_and_stops_no_other(ekyc, folder, tmp_path):
    good = write_zip(tmp_path / "good.zip", {"all.csv": DOCUMENTED})
    bad = write_zip(tmp_path / "bad.zip", {"readme.txt": "hello"})
    code, said = ekyc("import", bad, tmp_path / "none.zip", good, "--json")
    found = json.loads(said)
    assert code == 3
    assert [failure["exit_code"] for failure in found["failed"]] == [3, 5]
    assert found["failed"][0]["why"].startswith("bad.zip was not imported: it has no table of results")
    assert [batch.state for batch in batches(folder)] == [BatchState.LOADED]
    assert len(list(folder.raw.iterdir())) == 1


def test_a_refusal_names_the_archive_once(ekyc, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"%PDF-1.7")
    _, said = ekyc("import", tmp_path / "bad.zip", "--json")
    (failure,) = json.loads(said)["failed"]
    assert failure["why"] == (
        "bad.zip was not imported: it is a PDF, not a result archive. Export the result again as CSV or XLSX."
    )


def test_an_import_that_died_before_it_was_loaded_goes_on(ekyc, folder, tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "old.zip", {"all.csv": DOCUMENTED})

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ekyc_tasks.results.import_archive.load", dies)
        assert ekyc("import", archive)[0] == 130
    assert [batch.state for batch in batches(folder)] == [BatchState.FETCHED]
    code, said = ekyc("import", archive, "--json")
    assert (code, json.loads(said)["imported"][0]["is_new"]) == (0, True)
    assert [batch.state for batch in batches(folder)] == [BatchState.LOADED]


# --- what cannot be imported leaves nothing behind ------------------------------------------------------


@pytest.mark.parametrize("rows", ["SECRET number,yes,,,,,,\n" * 2, ""], ids=["unreadable", "header only"])
def test_an_archive_without_a_readable_number_is_refused_and_not_kept(refused, ekyc, folder, tmp_path, rows):
    archive = tmp_path / "all.csv"
    archive.write_text(f"{HEADER}\n{rows}")
    code, why = refused(archive)
    assert (code, batches(folder), files(folder)) == (3, [], {})
    assert why == (
        "all.csv was not imported, and nothing was kept: it has no readable number. Name an archive with "
        "answers."
    )
    assert ekyc("replay", "--all")[0] == 0


def test_a_list_goes_on_saying_its_verdict_by_the_name_that_it_is_kept_under(ekyc, folder, tmp_path):
    for name, number in (("activated.txt", NUMBERS[0]), ("unregistered.csv", NUMBERS[1])):
        (tmp_path / name).write_text(number)
        assert ekyc("import", tmp_path / name)[0] == 0
    assert [batch.is_import for batch in batches(folder)] == [True, True]
    before = files(folder)
    assert ekyc("replay", "--all")[0] == 0
    assert files(folder) == before
    rows = pl.read_parquet(folder.warehouse / "**/*.parquet", hive_partitioning=False)
    assert dict(rows.select("number", "telegram").iter_rows()) == {NUMBERS[0]: True, NUMBERS[1]: False}
    numbers = json.loads(ekyc("status", "--json")[1])["numbers"]
    assert (numbers["sent"], numbers["imported"], numbers["accepted"], numbers["missing"]) == (0, 2, 2, 0)


def test_a_list_that_had_another_name_is_told_and_corrected(refused, ekyc, tmp_path, folder):
    (tmp_path / "activated.txt").write_text(NUMBERS[0])
    ekyc("import", tmp_path / "activated.txt")
    other = (tmp_path / "activated.txt").rename(tmp_path / "unregistered.txt")
    code, why = refused(other)
    assert (code, "add --correct" in why) == (2, True)
    assert ekyc("import", other, "--correct", "--task-type", "tg_avatar")[0] == 0
    rows = pl.read_parquet(folder.warehouse / "**/*.parquet", hive_partitioning=False)
    assert rows.select("number", "telegram").rows() == [(NUMBERS[0], False)]


def fails_to_load(patch, words="its counts do not add up"):
    def fails(batch_id, *_):
        raise LoadFailed(f"Batch {batch_id} cannot be loaded: {words}.")

    patch.setattr("ekyc_tasks.results.import_archive.load", fails)


@pytest.fixture
def unloaded(ekyc, tmp_path, monkeypatch):
    """An archive whose import was interrupted before it was loaded."""
    archive = write_zip(tmp_path / "old.zip", {"all.csv": DOCUMENTED})
    with monkeypatch.context() as patch:
        patch.setattr("ekyc_tasks.results.import_archive.load", lambda *_, **__: sys.exit(130))
        ekyc("import", archive)
    return archive


def test_an_import_that_was_left_unloaded_can_be_got_rid_of_by_importing_it_again(
    refused, ekyc, folder, unloaded, monkeypatch
):
    (batch,) = batches(folder)
    assert batch.state is BatchState.FETCHED
    with open_ledger(address(folder)) as ledger, pytest.raises(ConfigurationError, match="archive again"):
        asyncio.run(resolve(batch.batch_id, Resolution(Decision.ABANDON, "me"), ledger=ledger, provider=None))
    kept = folder.raw_file(batch.batch_id)
    unloaded.unlink()
    with monkeypatch.context() as patch:
        fails_to_load(patch)
        assert refused(kept)[0] == 3
    assert batches(folder) == []
    assert list(files(folder)) == [kept]  # what somebody named is not taken from him
    assert ekyc("import", kept)[0] == 0  # after an upgrade, say
    assert [batch.state for batch in batches(folder)] == [BatchState.LOADED]


def test_files_that_counted_on_an_import_are_planned_again_without_it(
    refused, folder, tmp_path, unloaded, monkeypatch
):
    batch_id = batches(folder)[0].batch_id
    asked = tmp_path / "ask.txt"
    asked.write_text("\n".join(NUMBERS))
    with open_ledger(address(folder)) as ledger:
        ledger.runs.opened("one", host="here", lease=timedelta(days=1))
        context = StepContext("one", ledger, folder, SystemClock())
        planner = Planner(context, PlanPolicy(task_type="tg_avatar", batch_size=10))
        (file,) = planner.run([arrival(asked, None)]).files
        assert [link.batch_id for link in ledger.history.links(batch_id=batch_id)] == [batch_id]
        assert (file.counts.in_flight, ledger.plans.to_plan_again("tg_avatar")) == (3, [])
        ledger.runs.ended("one")
    with monkeypatch.context() as patch:
        fails_to_load(patch)
        refused(unloaded)
    with open_ledger(address(folder)) as ledger:
        assert [each.file_id for each in ledger.plans.to_plan_again("tg_avatar")] == [file.file_id]


@pytest.mark.parametrize("text", ["yesterday", "2099-01-01", "9999-12-31", "0001-01-01"])
def test_a_time_that_cannot_be_is_refused_before_anything_is_kept(ekyc, folder, tmp_path, text):
    archive = write_zip(tmp_path / "new.zip", {"all.csv": DOCUMENTED})
    assert ekyc("import", archive, "--checked-at", text) == (2, "")
    assert files(folder) == {}


def test_a_file_from_the_future_asks_when_its_answers_were_made(refused, folder, tmp_path):
    archive = write_zip(tmp_path / "new.zip", {"all.csv": DOCUMENTED})
    os.utime(archive, (4_070_908_800, 4_070_908_800))  # 2099
    code, why = refused(archive)
    assert (code, batches(folder), files(folder)) == (2, [], {})
    assert "new.zip has a time that is in the future. Give the time of the answers with --checked-at" in why


def test_an_archive_that_changes_while_it_is_read_is_not_kept(refused, folder, tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "new.zip", {"all.csv": DOCUMENTED})
    monkeypatch.setattr("ekyc_tasks.results.import_archive.take_copy", lambda *_: "another digest")
    code, why = refused(archive)
    assert (code, batches(folder), files(folder)) == (5, [], {})
    assert "changed while it was read" in why


# --- known bytes, and what is said of them --------------------------------------------------------------


@pytest.fixture
def known(ekyc, folder, tmp_path):
    """Imported as `tg`, of 2 January."""
    archive = write_zip(tmp_path / "c14.zip", {"all.csv": DIRTY})
    words = ["--task-type", "tg", "--checked-at", "2026-01-02", "--task-id", "d4g"]
    assert ekyc("import", archive, *words)[0] == 0
    return archive


def test_what_was_here_before_says_as_what(ekyc, known, folder, monkeypatch):
    (batch,) = batches(folder)
    code, said = ekyc("import", known, "--task-type", "tg", "--json")
    assert code == 0
    assert json.loads(said)["imported"] == [
        {
            "archive": str(known),
            "is_new": False,
            "batch_id": batch.batch_id,
            "task_type": "tg",
            "checked_at": "2026-01-02T00:00:00+00:00",
        }
    ]
    monkeypatch.chdir(known.parent)
    assert "already imported: tg, 2026-01-02 00:00:00" in ekyc("import", known.name, "--task-type", "tg")[1]


@pytest.mark.parametrize(
    "words",
    [
        ["--task-type", "tg_avatar"],
        [],  # the default is tg_avatar
        ["--task-type", "tg", "--checked-at", "2026-01-03"],
        ["--task-type", "tg", "--task-id", "d4h"],
    ],
)
def test_known_bytes_that_are_said_to_be_something_else_are_told(refused, known, folder, words):
    before = files(folder), batches(folder)
    code, why = refused(known, *words)
    assert (code, (files(folder), batches(folder))) == (2, before)
    assert "of tg, checked at 2026-01-02 00:00:00 UTC, task d4g. It was not changed." in why
    assert "add --correct --task-type tg" in why


def test_a_wrong_import_is_corrected(ekyc, known, folder):
    (wrong,) = batches(folder)
    ekyc("import", known, "--task-type", "tg", "--json")
    code, said = ekyc("import", known, "--task-type", "tg_avatar", "--correct", "--json")
    assert (code, json.loads(said)["imported"][0]["task_type"]) == (0, "tg_avatar")
    (batch,) = batches(folder)
    assert (batch.state, batch.task_type, batch.task_id) == (BatchState.LOADED, "tg_avatar", "d4g")
    assert batch.checked_at == wrong.checked_at  # what is not said stays
    assert not list((folder.warehouse / "tg").rglob("*.parquet"))
    assert not list((folder.quarantine / "tg").rglob("*.parquet"))
    assert len(list(folder.warehouse.rglob("*.parquet"))) == 1
    assert ekyc("import", known, "--task-type", "tg_avatar", "--correct", "--json")[0] == 0
    assert ekyc("replay", "--all")[0] == 0


def test_another_time_is_corrected_from_the_kept_archive(ekyc, known, folder):
    known.unlink()
    kept = folder.raw_file(batches(folder)[0].batch_id)
    words = ["--task-type", "tg", "--checked-at", "2026-01-03", "--correct"]
    assert ekyc("import", kept, *words)[0] == 0
    (path,) = folder.warehouse.rglob("*.parquet")
    assert path.parent.name == "checked_date=2026-01-03"
    assert kept.exists()


def test_a_correction_that_cannot_be_loaded_changes_nothing(refused, known, folder):
    before = files(folder)
    assert refused(known, "--task-type", "tg_active", "--correct")[0] == 3
    assert files(folder) == before
    assert [(batch.state, batch.task_type) for batch in batches(folder)] == [(BatchState.LOADED, "tg")]


def test_a_correction_that_cannot_be_copied_changes_nothing(refused, known, folder, monkeypatch):
    before = files(folder)
    monkeypatch.setattr("ekyc_tasks.results.import_archive.take_copy", lambda *_: "another digest")
    assert refused(known, "--task-type", "tg_avatar", "--correct")[0] == 5
    assert files(folder) == before
    assert [(batch.state, batch.task_type) for batch in batches(folder)] == [(BatchState.LOADED, "tg")]


def test_a_correction_says_its_task_type(ekyc, known):
    assert ekyc("import", known, "--checked-at", "2026-01-03", "--correct") == (2, "")


def test_what_this_project_bought_itself_is_not_corrected(refused, known, folder):
    with sqlite3.connect(folder.root / "ledger.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE batches SET batch_id = '20260102-1'")
    connection.close()
    before = files(folder), batches(folder)
    code, why = refused(known, "--task-type", "tg_avatar", "--correct")
    assert (code, (files(folder), batches(folder))) == (2, before)
    assert "Leave out this file" in why


def test_what_a_living_run_is_at_is_not_corrected(refused, known, folder):
    with open_ledger(address(folder)) as ledger:
        ledger.runs.opened("one", host="here", lease=timedelta(days=1))
        assert ledger.runs.claimed_to_replay("one", batches(folder)[0].batch_id)
        code, why = refused(known, "--task-type", "tg_avatar", "--correct")
    assert (code, "a run is using it" in why) == (2, True)
    assert [batch.task_type for batch in batches(folder)] == ["tg"]


def test_what_this_project_bought_itself_is_kept_however_it_loads(refused, known, folder, monkeypatch):
    with sqlite3.connect(folder.root / "ledger.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("UPDATE batches SET batch_id = '20260102-1', state = 'fetched'")
    connection.close()
    before = files(folder)
    fails_to_load(monkeypatch)
    assert refused(known, "--task-type", "tg")[0] == 3
    assert (files(folder), [batch.state for batch in batches(folder)]) == (before, [BatchState.FETCHED])
