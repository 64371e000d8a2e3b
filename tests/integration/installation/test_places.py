"""What tells a place from a copy of it, and that looking at it costs SQLite none of its locks."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from support.installed import made, site_of

from ekyc_tasks.installation import places
from ekyc_tasks.installation.places import fingerprint, is_same_folder, is_same_ledger, is_seen, place_of
from ekyc_tasks.ledger import connect_ledger

pytestmark = pytest.mark.integration

HOST = "https://api.ekycpro.com"
VISIT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(*(value for (value,) in connection.execute("SELECT value FROM facts WHERE name = 'said'")))
connection.close()
"""


@pytest.fixture
def data(tmp_path):
    return made(tmp_path / "data", HOST)


def place(data):
    site = site_of(data, HOST)
    with connect_ledger(site.ledger_url) as ledger:
        return place_of(ledger, site)


def test_looking_at_the_place_loses_no_commit(data):
    """A process that closes any descriptor of a file loses its locks on it. The next visitor then takes
    himself for the last one, and removes the journal that we go on writing to."""
    site = site_of(data, HOST)
    with connect_ledger(site.ledger_url) as ledger:
        ledger.identity.note(said="before")
        place_of(ledger, site)
        assert visited(data) == "before"
        ledger.identity.note(said="after")
        assert visited(data) == "after"


def visited(data):
    """What another process reads."""
    command = [sys.executable, "-c", VISIT, str(data / "ledger.db")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_copy_is_another_place(data, tmp_path):
    shutil.copytree(data, tmp_path / "copy")
    here, there = place(data), place(tmp_path / "copy")
    assert not is_same_folder(here, there)
    assert not is_same_ledger(here, there)


def test_a_renamed_folder_is_the_same_one_under_another_path(data, tmp_path):
    before = place(data)
    data.rename(tmp_path / "elsewhere")
    after = place(tmp_path / "elsewhere")
    assert is_same_folder(before, after)
    assert is_same_ledger(before, after)
    assert not is_seen(before, after)


def test_a_link_and_another_host_name_change_nothing(data, tmp_path, monkeypatch):
    before = place(data)
    (tmp_path / "link").symlink_to(data)
    monkeypatch.setattr("socket.gethostname", lambda: "another-container")
    after = place(tmp_path / "link")
    assert is_same_folder(before, after)
    assert is_seen(before, after)
    assert after["host"] == "another-container"


def test_another_file_in_its_place_is_another_ledger(data):
    before = place(data)
    shutil.copy(data / "ledger.db", data / "backup.db")
    (data / "backup.db").rename(data / "ledger.db")
    assert not is_same_ledger(before, place(data))


def test_where_a_file_system_tells_no_generation_the_inode_counts(data, tmp_path, monkeypatch):
    before = place(data)
    monkeypatch.setattr(places, "_generation", lambda _: None)
    assert "." not in fingerprint(data)
    assert is_same_folder(before, place(data))
    shutil.copytree(data, tmp_path / "copy")
    assert not is_same_folder(before, place(tmp_path / "copy"))


def test_a_used_again_inode_is_another_folder_by_its_generation():
    one, other = {"folder": "131.7", "ledger": "9/131.7"}, {"folder": "131.8", "ledger": "9/131.8"}
    assert not is_same_folder(one, other)
    assert not is_same_ledger(one, other)
