"""A backup is whole at every moment, and a restored ledger buys nothing before somebody has looked."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np
import pytest
from rich.console import Console
from sqlalchemy import MetaData, select
from support import kill_points
from support.version_before import HOST, as_postgres, connected, unpacked

from ekyc_tasks.cli.backup import back_up as back_up_command
from ekyc_tasks.cli.backup import restore_from as restore_command
from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.exchange.spool import bring_home, keep
from ekyc_tasks.installation import backup as backups
from ekyc_tasks.installation import open_one, open_questions
from ekyc_tasks.installation import upload_journal as journal
from ekyc_tasks.installation.backup import back_up
from ekyc_tasks.installation.folder_marks import read_mark, write_mark
from ekyc_tasks.installation.manifests import MANIFEST, read_manifest
from ekyc_tasks.installation.restore import restore
from ekyc_tasks.installation.setup import make
from ekyc_tasks.intake.rules import ReadingRules, as_text
from ekyc_tasks.ledger import LandedFile, Link, NewBatch, connect_ledger, glance_at, make_ledger
from ekyc_tasks.ledger.copies import LedgerFile
from ekyc_tasks.models import Account, BatchState, Disposition, Doubt, Outcome, UploadResult
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.storage.batch_files import write_batch
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.atomic_files import private_dir, sha256_of, try_lock

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
BOTH = ("sqlite", "postgresql")
PAIRS = [(one, other) for one in BOTH for other in BOTH]
LEASE = timedelta(minutes=1)
READING = as_text(ReadingRules(columns=("Mobile",), region="CH"))
PLANNED, SUBMITTING, SUBMITTED = BatchState.PLANNED, BatchState.SUBMITTING, BatchState.SUBMITTED
HELD, REFUSED = BatchState.HELD, BatchState.REFUSED


# --- places -----------------------------------------------------------------------------------------------


@pytest.fixture
def database_url(request, tmp_path):
    """Addresses of databases that nobody has opened yet; a file's is None, for it lies in its data folder."""
    made = []

    def address(kind):
        if kind == "sqlite":
            return None
        server = request.getfixturevalue("postgres")
        made.append(server.new_database())
        return made[-1]

    yield address
    for url in made:
        request.getfixturevalue("postgres").drop_database(url)


def site_at(data, url=None, host=HOST):
    folder = DataFolder(data, data / "landing", data / "warehouse")
    return Site(folder, url or f"sqlite:///{data / 'ledger.db'}", host, has_named_ledger=url is not None)


@pytest.fixture
def every_state(tmp_path, database, database_url):
    """The folder of the version before, taken over: a batch in each state, of both databases."""
    return taken_over(tmp_path, database_url(database))


def taken_over(tmp_path, url=None):
    data = unpacked(tmp_path / "before")
    if url is not None:
        as_postgres(data, url)
    site = site_at(data, url)
    open_one(site).close()
    return site


def small_site(data, url=None):
    """Two batches of one landed file: one bought and fetched, one planned; and an answer in the spool."""
    site = site_at(data, url)
    make(site, account=Account.NEW)
    with open_one(site) as ledger:
        ledger.runs.opened("run", host="here", lease=LEASE)
        landed(site, ledger, "file", "batch-1", "batch-2", "batch-3")
        bought(site, ledger, "batch-1")
        fetched(site, ledger, "batch-1", b"answers")
        bought(site, ledger, "batch-2", spooled=True)
    site.folder.do_not_send.write_text("+41791234567\n")
    site.folder.landing_rules.write_text('[[files]]\nmatch = "*"\n')
    return site


def landed(site, ledger, file_id, *batch_ids):
    """A landed file and its batches, as planning leaves them."""
    content = f"{file_id}\n".encode()
    digest = written(site.folder.inputs / "new", content)
    (site.folder.inputs / "new").rename(site.folder.input_file(digest)).chmod(0o400)
    new = [NewBatch(each, 20, write_batch(site.folder, each, keys_of(each))) for each in batch_ids]
    file = LandedFile(
        file_id,
        "f.txt",
        digest,
        len(content),
        "/f.txt",
        file_id,
        "tg_avatar",
        ledger.now(),
        "run",
        0,
        reading=READING,
    )
    ledger.plans.planned(
        landed=[file],
        new_batches=new,
        links=[Link(file_id, each, Disposition.BATCHED, 20) for each in batch_ids],
        task_type="tg_avatar",
        run_id="run",
    )


def keys_of(batch_id):
    start = 41791000000 + int(batch_id.rpartition("-")[2]) * 100
    return np.arange(start, start + 20, dtype=np.int64)


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return sha256_of(path)


def bought(site, ledger, batch_id, *, spooled=False):
    """An upload that was accepted; ``spooled``: the ledger has not heard of it yet."""
    attempt = ledger.uploads.intended(
        uuid4().hex, batch_id, run_id="run", deadline=LEASE, price=None, budget=NO_BUDGET, balance=None
    )
    journal.note_upload(site.folder, attempt, ledger.history.batch(batch_id))
    result = UploadResult(Outcome.ACCEPTED, "created", 200, task_id=f"task-{batch_id}")
    answer = keep(site.folder, attempt.attempt_id, result)
    if not spooled:
        ledger.uploads.accepted(attempt.attempt_id, result, run_id="run")
        answer.unlink()


def fetched(site, ledger, batch_id, content):
    digest = written(site.folder.raw_file(batch_id), content)
    ledger.progress.fetched(batch_id, sha256=digest, size=len(content), checked_at=ledger.now(), run_id="run")


def backed_up(site, to):
    with open_one(site) as ledger:
        return back_up(ledger, site, to)


def content_of(url):
    """Every row of every table, by its key."""
    tables = MetaData()
    with connected(url) as connection:
        tables.reflect(connection)
        return {
            name: {tuple(row[column.name] for column in table.primary_key): dict(row) for row in rows}
            for name, table in tables.tables.items()
            if name != "alembic_version"
            for rows in [connection.execute(select(table)).mappings().all()]
        }


def files_in(folder):
    """What lies there: by name, its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def untouched(folder):
    """Changes with every write, even of the same bytes."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


# --- there and back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_what_comes_back_is_what_was_there_and_nothing_of_it_is_bought(
    source, target, tmp_path, database_url
):
    here = taken_over(tmp_path, database_url(source))
    written(here.folder.do_not_send, b"+41791234567\n")
    there = site_at(tmp_path / "there" / "data", database_url(target))
    backup = backed_up(here, tmp_path / "copy")
    assert (backup.faults, backup.copied, backup.manifest.rows["batches"]) == ((), 24, 13)
    before = files_in(tmp_path / "copy")
    restored = restore(tmp_path / "copy", there)
    assert files_in(tmp_path / "copy") == before
    assert_same_but_restored(content_of(here.ledger_url), content_of(there.ledger_url))
    assert_same_files(here, there, backup.manifest)
    with open_one(there) as ledger:
        assert open_questions(ledger, there) == []
        assert ledger.decisions.doubted(Doubt.RESTORED) == restored.held
        assert {batch.state for batch in ledger.history.batches()} == set(BatchState) - {PLANNED, REFUSED}
        # The next event gets a number of its own.
        batch = restored.held[0]
        assert ledger.decisions.resubmitted(batch.batch_id, sources=[HELD], why="a test")
        newest = [event.event_id for event in ledger.history.events(batch.batch_id)]
        assert newest == sorted(set(newest))
    assert not there.folder.restoring.exists()


def assert_same_but_restored(before, after):
    waited = {key for (key,), row in before["batches"].items() if row["state"] in {"planned", "refused"}}
    assert len(waited) == 2 + 1
    for (key,), row in before["batches"].items():
        held = {"state": "held", "doubt": "restored", "owner": None} if key in waited else {}
        assert after["batches"][key,] == row | held
    for key, row in before["files"].items():
        assert after["files"][key] == row | ({"replan": 2} if row["replan"] else {})
    for key, row in before["runs"].items():
        ended = after["runs"][key]["ended_at"]
        assert ended is not None
        assert after["runs"][key] == row | ({"ended_at": ended} if row["ended_at"] is None else {})
    for table in ("attempts", "file_batches"):
        assert after[table] == before[table] != {}
    for table, new in (("events", len(waited)), ("answers", 1)):
        assert before[table].items() <= after[table].items()
        assert len(after[table]) == len(before[table]) + new
    own = {("place",), ("journal_from",), ("warehouse_since",)}  # of the place and the moment
    assert {key: row for key, row in after["facts"].items() if key not in own} == {
        key: row for key, row in before["facts"].items() if key not in own
    }
    assert after["facts"]["place",] != before["facts"]["place",]
    assert after.keys() == before.keys()


def assert_same_files(here, there, manifest):
    names = {kept.name for kept in manifest.files}
    ours, theirs = files_in(here.folder.root), files_in(there.folder.root)
    assert {name: theirs[name] for name in names} == {name: ours[name] for name in names}
    kept = (
        "batches",
        "raw",
        "inputs",
        "quarantine/landing",
        "do-not-send.txt",
        "landing.toml",
        ".uploads.jsonl",
        ".spool",
    )
    assert names == {name for name in ours if name.startswith(kept)}
    modes = {path.stat().st_mode & 0o777 for path in there.folder.inputs.iterdir()}
    others = {path.stat().st_mode & 0o777 for path in there.folder.batches.iterdir()}
    assert (modes, others) == ({0o400}, {0o600})


def test_landed_files_are_put_aside_and_an_answer_that_was_on_its_way_comes_home(tmp_path):
    here, there = small_site(tmp_path / "data"), site_at(tmp_path / "there")
    backed_up(here, tmp_path / "copy")
    written(there.folder.landing / "more" / "again.txt", b"+41791000000\n")
    restored = restore(tmp_path / "copy", there)
    assert not list(there.folder.landing.rglob("*.txt"))
    assert [path.read_bytes() for path in restored.landed] == [b"+41791000000\n"]
    with open_one(there) as ledger:
        assert states(ledger) == {"batch-1": "fetched", "batch-2": "submitting", "batch-3": "held"}
        ledger.runs.opened("later", host="here", lease=LEASE)
        assert bring_home(there.folder, ledger, run_id="later") == 1
        assert states(ledger)["batch-2"] == "submitted"


def states(ledger):
    return {batch.batch_id: batch.state.value for batch in ledger.history.batches()}


def test_landing_and_warehouse_of_their_own_place_are_bound(tmp_path):
    here = small_site(tmp_path / "data")
    backed_up(here, tmp_path / "copy")
    folder = DataFolder(tmp_path / "there", tmp_path / "landing", tmp_path / "warehouse")
    there = Site(folder, f"sqlite:///{tmp_path / 'db' / 'ledger.db'}", HOST, has_named_ledger=True)
    restore(tmp_path / "copy", there)
    marks = [read_mark(file) for file in (folder.mark, folder.landing_mark, folder.warehouse_mark)]
    with open_one(there) as ledger:
        assert {mark.ledger_id for mark in marks} == {ledger.identity.ledger_id()}


def test_a_journal_of_a_lost_ledger_is_not_taken_for_that_of_the_restored_one(tmp_path):
    here, there = small_site(tmp_path / "data"), site_at(tmp_path / "there")
    backed_up(here, tmp_path / "copy")
    journal_of_another(tmp_path / "another.db", there.folder.root / "ledger.db-wal")
    restore(tmp_path / "copy", there)
    with open_one(there) as ledger:
        assert len(ledger.history.batches()) == 3
    assert len(list(there.folder.set_aside.rglob("ledger.db-wal"))) == 1


def journal_of_another(database, journal):
    """The part of a SQLite database that a crash leaves beside its file."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE strange (thing)")
    connection.commit()
    journal.parent.mkdir(parents=True)
    shutil.copy(database.with_name(f"{database.name}-wal"), journal)
    connection.close()


def test_how_files_were_read_and_the_rules_for_new_ones_come_back(tmp_path):
    here, there = small_site(tmp_path / "data"), site_at(tmp_path / "there")
    backed_up(here, tmp_path / "copy")
    restore(tmp_path / "copy", there)
    assert there.folder.landing_rules.read_bytes() == here.folder.landing_rules.read_bytes()
    with open_one(there) as ledger:
        assert [file.reading for file in ledger.history.files()] == [READING]


def test_what_lies_where_a_file_belongs_is_put_aside(tmp_path):
    here, there = small_site(tmp_path / "data"), site_at(tmp_path / "there")
    backed_up(here, tmp_path / "copy")
    written(there.folder.do_not_send, b"somebody's own\n")
    restore(tmp_path / "copy", there)
    assert there.folder.do_not_send.read_text() == "+41791234567\n"
    [aside] = there.folder.set_aside.rglob("do-not-send.txt")
    assert aside.read_text() == "somebody's own\n"


# --- again and again --------------------------------------------------------------------------------------


def test_a_second_backup_copies_nothing(every_state, tmp_path):
    copy = tmp_path / "copy"
    first = backed_up(every_state, copy)
    before = untouched(copy)
    second = backed_up(every_state, copy)
    assert (first.copied, second.copied, second.faults) == (23, 0, ())
    assert second.manifest == replace(first.manifest, made_at=second.manifest.made_at)
    changed = {name for name, stamp in untouched(copy).items() if before.get(name) != stamp}
    assert changed == {MANIFEST}
    assert untouched(copy).keys() == before.keys()


def test_what_is_new_or_has_changed_is_copied_and_what_was_replaced_goes(tmp_path):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    first = backed_up(site, copy)
    written(site.folder.do_not_send, b"+41790000000\n")
    with open_one(site) as ledger:
        bring_home(site.folder, ledger, run_id="run")
        fetched(site, ledger, "batch-2", b"more answers")
        bought(site, ledger, "batch-3")
    second = backed_up(site, copy)
    assert second.copied == 3  # an archive, the list, the journal
    gone, new = first.manifest.places - second.manifest.places, second.manifest.places - first.manifest.places
    kinds = ["do-not-send", "ledger", ".uploads"]
    assert sorted(gone - spooled(gone)) == sorted(place for place in gone if place.startswith(tuple(kinds)))
    assert len(gone) == len(kinds) + 1
    assert len(new) == len(kinds) + 1
    assert files_in(copy).keys() == second.manifest.places | {MANIFEST, ".ekyc-backup.json"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in copy.rglob("*"))


def spooled(places):
    return {place for place in places if place.startswith(".spool/")}


@pytest.mark.parametrize(
    "pattern", ["batches/batch-1.txt", "raw/*", "inputs/*", "do-not-send*", "ledger-*.db"]
)
def test_a_flipped_byte_in_the_backup_is_found_and_replaced(pattern, tmp_path):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    first = backed_up(site, copy)
    [file] = copy.glob(pattern)
    content = file.read_bytes()
    flip(file)
    second = backed_up(site, copy)
    assert file.read_bytes() == content
    assert (second.copied, second.manifest.files) == (pattern != "ledger-*.db", first.manifest.files)
    restore(copy, site_at(tmp_path / "there"))


@pytest.mark.parametrize("pattern", ["batches/batch-1.txt", "raw/*", "inputs/*"])
def test_a_flipped_byte_in_the_data_folder_is_told_and_replaces_no_good_copy(pattern, tmp_path):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    first = backed_up(site, copy)
    [file] = site.folder.root.glob(pattern)
    flip(file)
    before = untouched(copy)
    second = backed_up(site, copy)
    assert [(fault.why, fault.is_kept) for fault in second.faults] == [
        ("is not what the ledger recorded", True)
    ]
    assert second.manifest.files == first.manifest.files
    assert {name for name, stamp in untouched(copy).items() if before[name] != stamp} == {MANIFEST}


def test_a_file_that_is_lost_everywhere_is_told_at_every_step(tmp_path):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    site.folder.raw_file("batch-1").unlink()
    backup = backed_up(site, copy)
    assert [(fault.name, fault.why, fault.is_kept) for fault in backup.faults] == [
        ("raw/batch-1.archive", "is missing", False)
    ]
    restored = restore(copy, site_at(tmp_path / "there"))
    assert restored.manifest.missing == ("raw/batch-1.archive",)


def test_the_copy_of_a_lost_file_is_kept(tmp_path):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    backed_up(site, copy)
    site.folder.raw_file("batch-1").unlink()
    backup = backed_up(site, copy)
    assert [(fault.why, fault.is_kept) for fault in backup.faults] == [("is missing", True)]
    there = site_at(tmp_path / "there")
    restore(copy, there)
    assert there.folder.raw_file("batch-1").read_bytes() == b"answers"


# --- while others write -----------------------------------------------------------------------------------


def test_a_backup_made_while_runs_go_on_is_of_one_moment(database, database_url, tmp_path):
    site, copy = small_site(tmp_path / "data", database_url(database)), tmp_path / "copy"
    with writers(site):
        made = [looked_through(backed_up(site, copy)) for _ in range(5)]
    assert [made[0], made[-1]] == sorted({made[0], made[-1]}), "nobody wrote meanwhile"
    last = backed_up(site, copy)
    restore(copy, site_at(tmp_path / "there"))
    assert last.manifest.rows["batches"] > made[0]


def looked_through(backup):
    """How many batches it has; all of it belongs together, and no file that its ledger knows is lacking."""
    manifest, to = backup.manifest, backup.folder
    assert backup.faults == ()
    kept = {each.name: each.sha256 for each in manifest.files}
    assert all(sha256_of(to / each.place) == each.sha256 for each in (manifest.ledger, *manifest.files))
    with LedgerFile(to / manifest.ledger.place) as ledger:
        assert ledger.damage() is None
        for batch_id, sha256, archive in ledger.batches():
            assert kept[f"batches/{batch_id}.txt"] == sha256
            assert archive is None or kept[f"raw/{batch_id}.archive"] == archive
        assert all(kept[f"inputs/{digest}"] == digest for digest in ledger.inputs())
        known = {attempt for part in ledger.attempt_ids() for attempt in part}
    [uploads] = to.glob(".uploads-*.jsonl")
    lines = [json.loads(line) for line in uploads.read_text().splitlines() if line]
    assert {line["attempt_id"] for line in lines} <= known
    assert {Path(name).stem for name in spooled(kept)} <= known
    return manifest.rows["batches"]


@contextmanager
def writers(site, threads=2):
    """Plans, uploads and archives, one after the other, in each of the threads; none of them may fail."""
    stop, failed = threading.Event(), []

    def write(which):
        index = which * 1000
        try:
            with connect_ledger(site.ledger_url) as ledger:
                while not stop.is_set():
                    index += 1
                    one_more(site, ledger, f"{which}-{index}")
        except BaseException as error:
            failed.append(error)
            raise

    def one_more(site, ledger, name):
        with turn:  # as for all who plan
            landed(site, ledger, f"file-{name}", f"batch-{name}")
        bought(site, ledger, f"batch-{name}", spooled=True)
        bring_home(site.folder, ledger, run_id="run")
        fetched(site, ledger, f"batch-{name}", name.encode())

    turn = threading.Lock()
    workers = [threading.Thread(target=write, args=(which,)) for which in range(1, threads + 1)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert failed == []


@pytest.fixture
def right_after_the_snapshot(monkeypatch):
    """Has something done in the middle of the next backup."""

    def has_it_done(what):
        def copied_out(url, file):
            rows = as_it_is(url, file)
            monkeypatch.setattr(backups, "copied_out", as_it_is)
            with connect_ledger(url) as ledger:
                what(ledger)
            return rows

        as_it_is = backups.copied_out
        monkeypatch.setattr(backups, "copied_out", copied_out)

    return has_it_done


def test_what_is_known_right_after_the_snapshot_is_not_lost(tmp_path, right_after_the_snapshot):
    """An answer leaves the spool for a ledger that the backup does not have; an upload begins."""
    site, there = small_site(tmp_path / "data"), site_at(tmp_path / "there")

    def go_on(ledger):
        assert bring_home(site.folder, ledger, run_id="run") == 1
        bought(site, ledger, "batch-3")

    right_after_the_snapshot(go_on)
    looked_through(backed_up(site, tmp_path / "copy"))
    restore(tmp_path / "copy", there)
    with open_one(there) as ledger:
        ledger.runs.opened("later", host="here", lease=LEASE)
        bring_home(there.folder, ledger, run_id="later")
        assert states(ledger) == {"batch-1": "fetched", "batch-2": "submitted", "batch-3": "held"}


def test_an_import_that_is_withdrawn_meanwhile_is_no_damage(tmp_path, right_after_the_snapshot):
    site, copy = small_site(tmp_path / "data"), tmp_path / "copy"
    with open_one(site) as ledger:
        imported(site, ledger, "import-1", b"bought before")

    def withdraw(ledger):
        ledger.plans.import_withdrawn("import-1", run_id="run")
        site.folder.raw_file("import-1").unlink()
        site.folder.batch_file("import-1").unlink()

    right_after_the_snapshot(withdraw)
    backup = backed_up(site, copy)
    assert (backup.faults, backup.manifest.rows["batches"]) == ((), 3)
    restore(copy, site_at(tmp_path / "there"))


def imported(site, ledger, batch_id, archive, numbers="batch-9"):
    digest = written(site.folder.raw_file(batch_id), archive)
    list_digest = write_batch(site.folder, batch_id, keys_of(numbers))
    with ledger.plans.turn("run"):
        ledger.plans.imported(
            NewBatch(batch_id, 20, list_digest),
            task_type="tg_avatar",
            task_id=None,
            archive_sha256=digest,
            archive_size=len(archive),
            checked_at=ledger.now(),
            run_id="run",
        )


def test_another_content_under_the_same_name_leaves_the_backup_before_as_it_was(tmp_path):
    """An import that is corrected keeps its id, and may have other numbers."""
    site, copy, older = small_site(tmp_path / "data"), tmp_path / "copy", tmp_path / "older"
    with open_one(site) as ledger:
        imported(site, ledger, "import-1", b"bought before")
        first = back_up(ledger, site, copy)
        ledger.plans.import_withdrawn("import-1", run_id="run")
        imported(site, ledger, "import-1", b"bought before", numbers="batch-8")
        shutil.copytree(copy, older)
        second = back_up(ledger, site, copy)
    assert (second.copied, second.faults) == (1, ())
    shutil.copytree(copy, older, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    assert read_manifest(older) == first.manifest
    restore(older, site_at(tmp_path / "there"))
    restore(copy, site_at(tmp_path / "here"))
    third = backed_up(site, copy)
    assert third.copied == 0


# --- what is refused --------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    return small_site(tmp_path / "data")


def refusals_of_backup(tmp_path, site):
    """By name, a folder that is none for a backup, and the words that say why."""
    other = small_site(tmp_path / "other")
    backed_up(other, tmp_path / "backup of another")
    shutil.copytree(tmp_path / "backup of another", tmp_path / "begun by another")
    (tmp_path / "begun by another" / MANIFEST).unlink()
    written(tmp_path / "full" / "letter.txt", b"dear")
    written(tmp_path / "file", b"")
    damaged = json.loads((tmp_path / "backup of another" / MANIFEST).read_bytes())
    written(tmp_path / "newer" / MANIFEST, json.dumps(damaged | {"format": 2}).encode())
    written(tmp_path / "torn" / MANIFEST, b'{"format": 1, ')
    damaged["files"][0]["place"] = "../file"
    written(tmp_path / "astray" / MANIFEST, json.dumps(damaged).encode())
    return {
        "inside": (site.folder.root / "backup", "must not be inside one another"),
        "around": (tmp_path, "must not be inside one another"),
        "another's": (tmp_path / "backup of another", "is the backup of another ledger"),
        "another's, begun": (tmp_path / "begun by another", "is the backup of another ledger"),
        "full": (tmp_path / "full", "is not a backup, and not empty"),
        "a file": (tmp_path / "file", "is not a backup, and not empty"),
        "away": (tmp_path / "disk" / "backup", "disk does not exist. Mount"),
        "newer": (tmp_path / "newer", "newer version"),
        "torn": (tmp_path / "torn", "is damaged"),
        "astray": (tmp_path / "astray", "is damaged"),
    }


def test_no_other_folder_is_taken_for_that_of_a_backup(tmp_path, site):
    refusals = refusals_of_backup(tmp_path, site)
    before = files_in(tmp_path)
    for name, (folder, words) in refusals.items():
        with open_one(site) as ledger, pytest.raises(ConfigurationError, match=words) as refused:
            back_up(ledger, site, folder)
        assert "Nothing was changed" in str(refused.value), name
    assert changed_besides_locks(before, tmp_path) == set()


def changed_besides_locks(before, folder):
    now = files_in(folder)
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    return {name for name in changed if ".lock" not in name and "ledger.db-" not in name}


def test_an_empty_folder_and_a_new_disk_are_taken(tmp_path, site):
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    assert backed_up(site, tmp_path / "disk").faults == ()


def test_a_ledger_that_was_set_back_does_not_replace_the_backup_of_the_newer_one(tmp_path, site):
    shutil.copytree(site.folder.root, tmp_path / "snapshot")
    with open_one(site) as ledger:
        bought(site, ledger, "batch-3")
    backed_up(site, tmp_path / "copy")
    before = files_in(tmp_path / "copy")
    for path in site.folder.root.glob("ledger.db*"):
        path.unlink()
    shutil.copy(tmp_path / "snapshot" / "ledger.db", site.folder.root)
    with open_one(site) as ledger, pytest.raises(ConfigurationError, match="was set back"):
        back_up(ledger, site, tmp_path / "copy")
    assert files_in(tmp_path / "copy") == before


def test_one_backup_at_a_time(tmp_path, site):
    lock = try_lock(private_dir(site.folder.runs) / "backup.lock")
    with lock, pytest.raises(ConfigurationError, match="Another backup of this ledger is running"):
        backed_up(site, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert backed_up(site, tmp_path / "copy").faults == ()


def test_a_disk_that_does_not_play_along_leaves_the_backup_before(tmp_path, site):
    copy = tmp_path / "copy"
    first = backed_up(site, copy)
    with open_one(site) as ledger:
        bring_home(site.folder, ledger, run_id="run")
        fetched(site, ledger, "batch-2", bytes(4_000_000))
    with (
        largest_file(1_000_000),
        pytest.raises(ConfigurationError, match=r"was not finished .*Free some space"),
    ):
        backed_up(site, copy)
    assert read_manifest(copy) == first.manifest
    assert not list((copy / ".staging").iterdir())
    restore(copy, site_at(tmp_path / "there"))
    assert backed_up(site, copy).copied == 1


@contextmanager
def largest_file(size):
    """As on a disk that is full: no file of this process may grow beyond it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def damage_manifest(copy, **values):
    document = json.loads((copy / MANIFEST).read_bytes())
    (copy / MANIFEST).write_text(json.dumps(document | values))


def forget_file(copy):
    files = json.loads((copy / MANIFEST).read_bytes())["files"]
    damage_manifest(copy, files=[file for file in files if not file["name"].startswith("raw/")])


def change_ledger(copy, statement):
    """And make the manifest agree."""
    [file] = copy.glob("ledger-*.db")
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()
    new = file.rename(copy / f"ledger-{sha256_of(file)}.db")
    ledger = {"name": "ledger.db", "place": new.name, "sha256": sha256_of(new), "size": new.stat().st_size}
    damage_manifest(copy, ledger=ledger)


DAMAGES = {
    "a list": (
        lambda copy: flip(copy / "batches" / "batch-1.txt"),
        "damaged .missing or changed: batches/batch-1.txt",
    ),
    "an archive": (
        lambda copy: flip(copy / "raw" / "batch-1.archive"),
        "damaged .missing or changed: raw/batch-1.archive",
    ),
    "a lost list": (
        lambda copy: (copy / "batches" / "batch-2.txt").unlink(),
        "damaged .missing or changed: batches/batch-2.txt",
    ),
    "many": (
        lambda copy: shutil.rmtree(copy / "batches"),
        "damaged .missing or changed: batches/batch-1.txt, ",
    ),
    "the ledger": (lambda copy: flip(next(copy.glob("ledger-*.db"))), "damaged .missing or changed: ledger-"),
    "a lost ledger": (
        lambda copy: next(copy.glob("ledger-*.db")).unlink(),
        "damaged .missing or changed: ledger-",
    ),
    "another ledger": (lambda copy: change_ledger(copy, "DELETE FROM answers"), "is not the one that the"),
    "another id": (lambda copy: damage_manifest(copy, ledger_id="another"), "is not the one that the"),
    "a broken reference": (
        lambda copy: change_ledger(copy, "DELETE FROM runs"),
        "its ledger is broken: a row",
    ),
    "a newer ledger": (
        lambda copy: change_ledger(copy, "UPDATE alembic_version SET version_num = '9999'"),
        "newer version",
    ),
    "a file not named": (forget_file, "disagree about raw/batch-1.archive"),
    "a torn manifest": (lambda copy: (copy / MANIFEST).write_text("{"), "ekyc-backup.json is damaged"),
    "a newer manifest": (lambda copy: damage_manifest(copy, format=2), "newer version"),
    "no manifest": (
        lambda copy: (copy / MANIFEST).unlink(),
        "is not a backup, or its backup was not finished",
    ),
    "no folder": (shutil.rmtree, "is not a backup"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_not_restored(damage, tmp_path, site):
    copy, there = tmp_path / "copy", site_at(tmp_path / "there")
    backed_up(site, copy)
    harm, words = DAMAGES[damage]
    harm(copy)
    with pytest.raises(ConfigurationError, match=words) as refused:
        restore(copy, there)
    assert "Nothing was changed" in str(refused.value)
    assert not there.folder.root.exists()


def test_only_pages_of_a_ledger_that_are_whole_are_restored(tmp_path, site):
    """Where file and manifest agree, and the database does not."""
    copy, there = tmp_path / "copy", site_at(tmp_path / "there")
    backed_up(site, copy)
    [file] = copy.glob("ledger-*.db")
    content = bytearray(file.read_bytes())
    content[4096:8192] = bytes(4096)
    file.write_bytes(content)
    change_ledger(copy, "SELECT 1")
    with pytest.raises(ConfigurationError, match="its ledger is broken"):
        restore(copy, there)
    assert not there.folder.root.exists()


def test_a_restore_replaces_nothing_that_is_there(tmp_path, site, database, database_url):
    copy = tmp_path / "copy"
    backed_up(site, copy)
    mine = small_site(tmp_path / "mine", database_url(database))
    work = site_at(tmp_path / "work")
    written(work.folder.batch_file("old"), b"+41791234567\n")
    ledger = site_at(tmp_path / "nothing", mine.ledger_url)
    marked = site_at(tmp_path / "marked")
    marked.folder.root.mkdir()
    write_mark(marked.folder.mark, "another")
    bound = Site(DataFolder(tmp_path / "new", mine.folder.root, tmp_path / "new" / "w"), "sqlite:////x", HOST)
    outpost = Site(DataFolder(tmp_path / "new", tmp_path / "landing", tmp_path / "w"), bound.ledger_url, HOST)
    outpost.folder.landing.mkdir()
    write_mark(outpost.folder.landing_mark, "another")
    before = files_in(tmp_path)
    for place, words in (
        (mine, "already belongs to a ledger"),
        (work, "already belongs to a ledger"),
        (marked, "already belongs to a ledger"),
        (ledger, "There is already a ledger at"),
        (bound, "belongs to another ledger"),
        (outpost, "belongs to another ledger"),
        (site_at(tmp_path / "host", host="elsewhere"), "Correct EKYC_BASE_URL"),
        (site_at(copy / "there"), "must not be inside one another"),
    ):
        with pytest.raises(ConfigurationError, match=words) as refused:
            restore(copy, place)
        assert "Nothing was changed" in str(refused.value)
    assert changed_besides_locks(before, tmp_path) == set()


def test_only_the_backup_that_was_interrupted_goes_on(tmp_path, site):
    there = site_at(tmp_path / "there")
    backed_up(site, tmp_path / "one")
    backed_up(site, tmp_path / "other")
    with open_one(site) as ledger:
        bring_home(site.folder, ledger, run_id="run")
        fetched(site, ledger, "batch-2", bytes(4_000_000))
    backed_up(site, tmp_path / "one")
    with (
        largest_file(1_000_000),
        pytest.raises(ConfigurationError, match=r"was interrupted .*Free some space"),
    ):
        restore(tmp_path / "one", there)
    refused_everywhere(there)
    with pytest.raises(ConfigurationError, match=r"this is another backup. Run `ekyc restore .*/one` again"):
        restore(tmp_path / "other", there)
    restore(tmp_path / "one", there)
    with pytest.raises(ConfigurationError, match="belongs to a ledger"):
        restore(tmp_path / "one", there)


# --- the commands -----------------------------------------------------------------------------------------


@pytest.fixture
def ekyc(monkeypatch, tmp_path):
    """What a command prints, and its exit code."""

    def call(command, folder, site, *, as_json=False):
        settings = {"HOME": tmp_path, "DATA_DIR": site.folder.root, "BASE_URL": f"http://{HOST}"}
        for name, value in settings.items():
            monkeypatch.setenv(f"EKYC_{name}", str(value))
        out = Console(file=StringIO(), width=1000)
        code = command(folder, out, as_json=as_json)
        return code, out.file.getvalue()

    return call


def test_the_commands_say_what_was_done(ekyc, tmp_path, site):
    copy, there = tmp_path / "copy", site_at(tmp_path / "there")
    code, said = ekyc(back_up_command, copy, site)
    assert code == 0
    assert f"Backup of 3 batches, 9 files, 0.1 MB in {copy}; 9 files were new.\n" in said
    assert "Every file was read back and is correct." in said
    made_at = read_manifest(copy).made_at
    code, said = ekyc(restore_command, copy, there)
    assert code == 0
    restored = f"The backup of {made_at:%Y-%m-%d %H:%M:%S} UTC was restored into {there.folder.root}"
    assert f"{restored}: 3 batches," in said
    assert "Batches: 1 fetched, 1 held, 1 submitting." in said
    assert f"Uploads after {made_at:%Y-%m-%d %H:%M:%S} UTC are not in it. So everything" in said
    assert "is held (1 batch). Compare with the provider's web page" in said
    assert "`ekyc resolve restored resubmit`" in said


def test_the_same_as_plain_data(ekyc, tmp_path, site):
    copy, there = tmp_path / "copy", site_at(tmp_path / "there")
    made = json.loads(ekyc(back_up_command, copy, site, as_json=True)[1])
    assert (made["batches"], made["files"], made["copied"], made["faults"]) == (3, 9, 9, [])
    restored = json.loads(ekyc(restore_command, copy, there, as_json=True)[1])
    same = ("made_at", "ledger_id", "batches", "files", "bytes", "missing")
    assert {name: restored[name] for name in same} == {name: made[name] for name in same}
    assert restored["states"]["held"] == {"batches": 1, "numbers": 20}
    assert (restored["held"], restored["waiting_files"], restored["set_aside"]) == (["batch-3"], 0, [])


def test_a_backup_that_is_not_whole_is_not_silent(ekyc, tmp_path, site):
    copy, there = tmp_path / "copy", site_at(tmp_path / "there")
    ekyc(back_up_command, copy, site)
    flip(site.folder.batch_file("batch-1"))
    code, said = ekyc(back_up_command, copy, site)
    assert code == 3
    assert (
        "batches/batch-1.txt is not what the ledger recorded. The backup has a good copy: copy it back."
        in said
    )
    (copy / "batches" / "batch-1.txt").unlink()
    code, said = ekyc(back_up_command, copy, site)
    assert (code, "the backup has no copy: batches/batch-1.txt" in said) == (3, True)
    assert json.loads(ekyc(back_up_command, copy, site, as_json=True)[1])["missing"] == [
        "batches/batch-1.txt"
    ]
    code, said = ekyc(restore_command, copy, there)
    assert (code, "The backup lacks 1 file that its ledger knows (batches/batch-1.txt)." in said) == (
        3,
        True,
    )


# --- killed at every point --------------------------------------------------------------------------------


class Forks:
    """A warm process that forks for each piece of work: what is killed is a process of its own."""

    def __init__(self, folder):
        self._folder = folder
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, work, site, other, *, kill_at=None):
        """The points that it passed; None where it was killed."""
        request = {
            "work": work,
            "root": str(self._folder),
            "data": str(site.folder.root),
            "url": site.ledger_url if site.has_named_ledger else None,
            "other": str(other),
            "kill_at": kill_at,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        assert ended["signal"] in {0, signal.SIGKILL}, ended
        assert ended["signal"] or "points" in ended, ended
        return ended.get("points")

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)


@pytest.fixture
def in_memory():
    """A folder where that can be: a kill takes nothing from the disk, so nothing has to wait for it."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        yield Path(folder)


@pytest.fixture
def forks(in_memory):
    forks = Forks(in_memory)
    yield forks
    forks.close()


def serve():
    """In the warm process: fork, work, tell how it ended."""
    with TemporaryDirectory() as folder:  # what the first use would load
        make_ledger(f"sqlite:///{folder}/ledger.db").close()
    for line in sys.stdin:
        request = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            work(request, writer)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        ended = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **json.loads(said or "{}")}
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


def work(request, writer):
    site = site_at(Path(request["data"]), request["url"])
    killer = kill_points.Killer(request["kill_at"])
    kill_points.install(killer, root=Path(request["root"]))
    try:
        if request["work"] == "backup":
            backed_up(site, Path(request["other"]))
        else:
            restore(Path(request["other"]), site)
        said = {"points": killer.passed}
    except BaseException as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    os.write(writer, json.dumps(said).encode())
    os._exit(0)


def tiny_site(data):
    """A batch that was bought and fetched, and a planned one: few points to be killed at."""
    site = site_at(data)
    make(site, account=Account.NEW)
    with open_one(site) as ledger:
        ledger.runs.opened("run", host="here", lease=LEASE)
        landed(site, ledger, "file", "batch-1", "batch-2")
        bought(site, ledger, "batch-1")
        fetched(site, ledger, "batch-1", b"answers")
    return site


def test_killed_at_any_point_a_backup_leaves_the_one_before_whole(in_memory, forks):
    """And what it leaves is of use to the next."""
    site, before = tiny_site(in_memory / "data"), in_memory / "before"
    backed_up(site, before)
    with open_one(site) as ledger:
        landed(site, ledger, "another", "batch-3")
        bought(site, ledger, "batch-3")
    points = forks.run("backup", site, shutil.copytree(before, in_memory / "whole"))
    assert points.count("after replace") == 5  # the journal, a list, a landed file, the ledger, the manifest
    seen = []
    for at in range(1, len(points) + 1):
        copy = shutil.copytree(before, in_memory / f"copy-{at}")
        assert forks.run("backup", site, copy, kill_at=at) is None
        seen.append(batches_of(restored_from(copy, in_memory)))
        if at % 8 == 0:
            assert backed_up(site, copy).faults == ()
            assert files_in(copy).keys() == files_in(in_memory / "whole").keys()
        shutil.rmtree(copy)
    was, now = ["batch-1", "batch-2"], ["batch-1", "batch-2", "batch-3"]
    assert seen == [was] * seen.count(was) + [now] * seen.count(now)
    assert seen.count(was) > seen.count(now) > 0


def restored_from(copy, folder):
    there = site_at(folder / "there")
    restore(copy, there)
    return there


def batches_of(site):
    """And away with it."""
    with open_one(site) as ledger:
        found = list(states(ledger))
        assert all(site.folder.batch_file(batch_id).exists() for batch_id in found)
    shutil.rmtree(site.folder.root)
    return found


def test_the_first_backup_that_is_killed_is_gone_on_with(in_memory, forks):
    site = tiny_site(in_memory / "data")
    forks.run("backup", site, in_memory / "whole")  # makes folders of the data folder, too
    points = len(forks.run("backup", site, in_memory / "again"))
    for at in range(1, points + 1, 3):  # each file has five points, so all of them are met
        copy = in_memory / f"copy-{at}"
        assert forks.run("backup", site, copy, kill_at=at) is None
        if not (copy / MANIFEST).exists():
            with pytest.raises(ConfigurationError, match="is not a backup"):
                restore(copy, site_at(in_memory / "there"))
        assert backed_up(site, copy).faults == ()
        assert files_in(copy).keys() == files_in(in_memory / "whole").keys()
        shutil.rmtree(copy)
    assert batches_of(restored_from(in_memory / "whole", in_memory)) == ["batch-1", "batch-2"]


@pytest.fixture
def free_place(database, in_memory, request):
    """A folder and a database with an empty ledger, or none; once more each time."""
    count = iter(range(1000))

    @contextmanager
    def place():
        data = in_memory / f"there-{next(count)}"
        if database == "sqlite":
            yield site_at(data)
        else:
            with request.getfixturevalue("postgres").ledger() as url:
                yield site_at(data, url)
        shutil.rmtree(data)

    return place


def test_killed_at_any_point_a_restore_goes_on_and_nothing_else_does(database, free_place, in_memory, forks):
    copy = in_memory / "copy"
    backed_up(tiny_site(in_memory / "data"), copy)
    with free_place() as there:
        points = forks.run("restore", there, copy)
        expected = told(there)
    interrupted = 0
    # Files are the same with both databases: the second begins with the first commit.
    first = 1 if database == "sqlite" else points.index("before commit") + 1
    for at in range(first, len(points) + 1):
        with free_place() as there:
            assert forks.run("restore", there, copy, kill_at=at) is None
            if there.folder.restoring.exists():
                interrupted += 1
                refused_everywhere(there)
            if there.folder.restoring.exists() or not there.folder.mark.exists():
                restore(copy, there)
            assert told(there) == expected
    assert len(points) - first - 10 < interrupted < len(points)


def told(site):
    """What a restored place holds, but for moments and places."""
    with open_one(site) as ledger:
        assert open_questions(ledger, site) == []
        histories = {
            batch_id: [(event.from_state, event.to_state) for event in ledger.history.events(batch_id)]
            for batch_id in states(ledger)
        }
        answers = [(answer.question, answer.answer) for answer in ledger.identity.answers()]
        found = states(ledger), histories, answers
    hidden = (".staging", ".runs", "ledger.db", ".ledger.db", ".planning", ".ekyc")
    names = {name for name in files_in(site.folder.root) if not name.startswith(hidden)}
    assert not [name for name in files_in(site.folder.root) if "restoring" in name]
    return *found, names


def refused_everywhere(site):
    """Nobody else may use a folder that is being filled; nobody finds anything to buy in it either."""
    with pytest.raises(ConfigurationError, match=r"A restore into .* was interrupted"):
        open_one(site)
    if glance_at(site.ledger_url).ledger_id is not None:
        with connect_ledger(site.ledger_url) as ledger:
            assert states(ledger) == {"batch-1": "fetched", "batch-2": "held"}


if __name__ == "__main__":
    serve()
