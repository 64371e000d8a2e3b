"""`ekyc import`: archives from before become loaded batches, once, and their numbers are known."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from archive_files import DOCUMENTED, NUMBERS, write_zip

from ekyc_tasks.cli import main
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.models import BatchState

pytestmark = pytest.mark.integration

DIRTY = DOCUMENTED + "hello,yes,,,,,,\n"


@pytest.fixture
def ekyc(tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("EKYC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))

    def ekyc(*words):
        monkeypatch.setattr("sys.argv", ["ekyc", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out

    return ekyc


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    return DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")


def batches(folder):
    with open_ledger(f"sqlite:///{folder.root / 'ledger.db'}") as ledger:
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
    assert found["failed"][0]["why"].startswith("bad.zip was not imported: it holds no table of results")
    assert [batch.state for batch in batches(folder)] == [BatchState.LOADED]
    assert len(list(folder.raw.iterdir())) == 1


def test_a_refusal_names_the_archive_once(ekyc, tmp_path):
    (tmp_path / "bad.zip").write_bytes(b"%PDF-1.7")
    _, said = ekyc("import", tmp_path / "bad.zip", "--json")
    (failure,) = json.loads(said)["failed"]
    assert failure["why"] == (
        "bad.zip was not imported: it is a PDF, not a result archive; export the result as CSV or XLSX again."
    )


def test_an_import_that_died_before_it_was_loaded_goes_on(ekyc, folder, tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "old.zip", {"all.csv": DOCUMENTED})

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ekyc_tasks.steps.imports.load", dies)
        assert ekyc("import", archive)[0] == 130
    assert [batch.state for batch in batches(folder)] == [BatchState.FETCHED]
    code, said = ekyc("import", archive, "--json")
    assert (code, json.loads(said)["imported"][0]["is_new"]) == (0, True)
    assert [batch.state for batch in batches(folder)] == [BatchState.LOADED]
