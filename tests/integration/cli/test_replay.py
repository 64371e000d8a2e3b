"""`ekyc replay`: from kept archives, the same bytes, one event more, never a worse dataset than before."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from support.archive_files import DOCUMENTED, NUMBERS, zip_bytes
from support.installed import made

from ekyc_tasks.cli import main
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import NewBatch, open_ledger
from ekyc_tasks.models import ArchiveLimits, BatchState
from ekyc_tasks.normalize import values
from ekyc_tasks.reporting.summary import status_document
from ekyc_tasks.results.load import load
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.clock import SystemClock

pytestmark = pytest.mark.integration

CHECKED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIRTY = DOCUMENTED + "+41798284652,no,,,,,,\n"
FETCHED, LOADED, SUBMITTED = BatchState.FETCHED, BatchState.LOADED, BatchState.SUBMITTED


class Keep:
    """A ledger with batches whose archives are kept, and the command line pointed at it."""

    def __init__(self, home, monkeypatch, capsys):
        root = home / "data"
        self.folder = DataFolder(root=root, landing=root / "landing", warehouse=root / "warehouse")
        made(root, "https://api.ekycpro.com")
        for folder in (self.folder.batches, self.folder.raw):
            folder.mkdir(parents=True)
        self.address = f"sqlite:///{root / 'ledger.db'}"
        self.ledger = open_ledger(self.address)
        self.ledger.runs.opened("one", host="here", lease=timedelta(days=1))
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def fetched(self, batch_id, members, numbers=NUMBERS):
        sent = "".join(f"{number}\n" for number in numbers).encode()
        self.folder.batch_file(batch_id).write_bytes(sent)
        new = NewBatch(batch_id, len(numbers), sha256(sent).hexdigest())
        self.ledger.plans.planned(landed=[], new_batches=[new], links=[], task_type="tg_avatar", run_id="one")
        self.set(batch_id, state=SUBMITTED, task_id="d4g24nep2jvh04o9uoh0")
        archive = zip_bytes(members)
        self.folder.raw_file(batch_id).write_bytes(archive)
        self.ledger.progress.fetched(
            batch_id,
            sha256=sha256(archive).hexdigest(),
            size=len(archive),
            checked_at=CHECKED_AT,
            run_id="one",
        )

    def loaded(self, batch_id, members, numbers=NUMBERS):
        self.fetched(batch_id, members, numbers)
        load(batch_id, StepContext("one", self.ledger, self.folder, SystemClock()), ArchiveLimits())

    def set(self, batch_id, **values):
        names = ", ".join(f"{name} = ?" for name in values)
        with sqlite3.connect(self.folder.root / "ledger.db") as connection:
            query = f"UPDATE batches SET {names} WHERE batch_id = ?"  # noqa: S608 - our names
            connection.execute(query, (*values.values(), batch_id))
        connection.close()

    def replay(self, *words):
        self._monkeypatch.setattr("sys.argv", ["ekyc", "replay", *words])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    def replayed(self, *words):
        code, said, _ = self.replay(*words, "--json")
        return code, json.loads(said)

    def state(self, batch_id):
        return self.ledger.history.batch(batch_id).state

    def why(self, batch_id):
        return self.ledger.history.events(batch_id)[-1].why

    def files(self):
        return {path: path.read_bytes() for path in self.folder.root.rglob("*.parquet")}


@pytest.fixture
def keep(tmp_path, monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("EKYC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    keep = Keep(tmp_path, monkeypatch, capsys)
    with keep.ledger:
        yield keep


def released(keep):
    keep.ledger.runs.ended("one")
    return keep


def test_the_same_code_gives_the_same_bytes_and_one_event_more(keep):
    keep.loaded("b1", {"all.csv": DIRTY})
    before, events = keep.files(), len(keep.ledger.history.events("b1"))
    code, document = released(keep).replayed("b1")
    assert (code, document["failed"], len(before)) == (0, [], 2)
    assert document["replayed"][0]["has_changed"] is False
    assert keep.files() == before
    assert len(keep.ledger.history.events("b1")) == events + 1
    assert keep.why("b1") == "loaded again: 3 rows accepted, 1 quarantined, 0 missing"
    assert keep.state("b1") is LOADED


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_a_replay_never_decides_on_the_time_again(keep, year):
    """What an older version has stored stays where it is, so that no row is there twice."""
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    stored = datetime(year, 1, 1, tzinfo=UTC)
    keep.set("b1", checked_at=f"{stored:%Y-%m-%d %H:%M:%S}".rjust(19, "0"))
    for path in keep.files():
        path.unlink()
    code, _ = released(keep).replayed("b1")
    assert (code, keep.ledger.history.batch("b1").checked_at) == (0, stored)


@pytest.mark.parametrize("is_first_seen", [True, False])
def test_the_report_says_whether_the_time_is_the_provider_s(keep, is_first_seen):
    keep.fetched("b1", {"all.csv": DOCUMENTED})
    seen = CHECKED_AT if is_first_seen else CHECKED_AT + timedelta(seconds=1)
    keep.ledger.progress.exported("b1", seen, run_id="one")
    code, document = released(keep).replayed("b1")
    said = "The provider gave no time of the results that can be right."
    assert (code, said in keep.why("b1")) == (0, is_first_seen)
    assert any(said in line for line in document["replayed"][0]["drift"]) is is_first_seen


def test_other_code_replaces_the_file_at_the_same_path_and_the_counts(keep, monkeypatch):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    before = keep.files()
    monkeypatch.setattr(values, "NOT_DETERMINED", ("", "30-35"))  # as after an upgrade
    code, document = released(keep).replayed("--all")
    assert (code, document["replayed"][0]["has_changed"]) == (0, True)
    assert list(keep.files()) == list(before)
    assert keep.files() != before


def test_all_takes_fetched_and_loaded_batches_and_no_others(keep):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    keep.fetched("b2", {"all.csv": DOCUMENTED})
    keep.fetched("b3", {"all.csv": DOCUMENTED})
    keep.set("b3", state=BatchState.ABANDONED)
    code, document = released(keep).replayed("--all")
    assert code == 0
    assert [each["batch_id"] for each in document["replayed"]] == ["b1", "b2"]
    assert keep.state("b2") is LOADED
    assert keep.ledger.history.batch("b2").accepted == 3
    assert keep.ledger.runs.alive() == []


def test_one_that_cannot_be_loaded_keeps_what_it_was_and_stops_no_other(keep):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    before = keep.files()
    keep.loaded("b2", {"all.csv": DOCUMENTED})
    broken = zip_bytes({"readme.txt": "hello"})
    keep.folder.raw_file("b1").write_bytes(broken)
    keep.set("b1", archive_sha256=sha256(broken).hexdigest())
    code, document = released(keep).replayed("b1", "b2")
    assert code == 3
    assert [each["batch_id"] for each in document["replayed"]] == ["b2"]
    assert "no table of results" in document["failed"][0]["why"]
    assert keep.state("b1") is LOADED
    assert "no table of results" in keep.why("b1")
    assert keep.files().items() >= before.items()


def test_status_says_why_a_batch_cannot_be_loaded_and_its_history_what_was_odd(keep):
    keep.fetched("b1", {"readme.txt": "hello"})
    keep.fetched("b2", {"all.csv": "Number,telegram\n+41798284651,yes\n"})
    assert [sentence for sentence in status_document(keep.ledger)["open"] if "not finished" in sentence]
    _, document = released(keep).replayed("--all")
    assert status_document(keep.ledger)["open"] == [document["failed"][0]["why"]]
    assert keep.why("b2").startswith("1 row accepted, 0 quarantined, 2 missing. Column avatar is missing. ")


@pytest.mark.parametrize("kept", ["raw_file", "batch_file"])
@pytest.mark.parametrize("how", ["missing", "no longer as"])
def test_what_was_kept_must_be_what_it_was(keep, kept, how):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    before = keep.files()
    path = getattr(keep.folder, kept)("b1")
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    code, said, _ = released(keep).replay("b1")
    assert (code, keep.state("b1"), keep.files()) == (3, LOADED, before)
    assert f"{path} is {how}" in said
    assert "Restore it from a backup" in keep.why("b1")


def test_a_living_run_keeps_its_batch(keep):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    code, said, _ = keep.replay("b1")
    assert (code, "a run that is still going" in said) == (2, True)
    assert keep.ledger.history.batch("b1").owner == "one"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "use --all"),
        (["b1", "--all"], "use --all"),
        (["nowhere"], "There is no batch nowhere"),
        (["b1"], "Batch b1 is submitted. Only fetched and loaded batches"),
    ],
)
def test_what_cannot_be_replayed_is_said(keep, words, sentence):
    keep.fetched("b1", {"all.csv": DOCUMENTED})
    keep.set("b1", state=SUBMITTED)
    code, said, complaint = released(keep).replay(*words)
    assert code == 2
    assert sentence in said + complaint


def test_an_unwritable_warehouse_is_a_sentence(keep):
    keep.loaded("b1", {"all.csv": DOCUMENTED})
    for path in keep.files():
        path.unlink()
    folder = keep.folder.warehouse / "tg_avatar" / "checked_date=2026-01-02"
    folder.rmdir()
    folder.write_text("in the way")
    code, said, _ = released(keep).replay("b1")
    assert (code, "Fix this, then replay the batch" in said) == (2, True)


def test_nothing_to_replay_is_well(keep):
    assert released(keep).replay("--all")[:2] == (0, "No batch has an archive yet.\n")
