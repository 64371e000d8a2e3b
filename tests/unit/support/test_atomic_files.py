"""Whole files or none, private, and durable in the right order."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from ekyc_tasks.support import atomic_files


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.fixture
def open_umask():
    """The most generous there is: what is private then is private by our doing."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def folders(tmp_path):
    """Where files are finished, and where they are made."""
    return tmp_path / "final", tmp_path / "staging"


def test_new_folders_are_private_and_existing_ones_are_left_alone(tmp_path, open_umask):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o775)
    assert atomic_files.private_dir(shared / "a" / "b") == shared / "a" / "b"
    assert [mode(path) for path in (shared, shared / "a", shared / "a" / "b")] == [0o775, 0o700, 0o700]
    atomic_files.private_dir(shared)
    assert mode(shared) == 0o775


def test_a_written_file_is_private_whole_and_alone(folders, open_umask):
    final, staging = folders
    with atomic_files.write_file(final / "deep" / "file", staging=staging) as file:
        file.write(b"content")
        assert not (final / "deep").exists()
        assert [mode(path) for path in staging.iterdir()] == [0o600]
    assert (final / "deep" / "file").read_bytes() == b"content"
    assert mode(final / "deep" / "file") == 0o600
    assert mode(final / "deep") == mode(staging) == 0o700
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("before", [None, b"before"])
def test_a_block_that_fails_changes_nothing(folders, error, before):
    final, staging = folders
    path = atomic_files.private_dir(final) / "file"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error):
        write_half(path, staging, error)
    assert (path.read_bytes() if path.exists() else None) == before
    assert list(staging.iterdir()) == []


def write_half(path, staging, error):
    with atomic_files.write_file(path, staging=staging) as file:
        file.write(b"half")
        raise error


class Witness:
    """Notes every fsync and rename, and fails at the one it is told to."""

    def __init__(self, monkeypatch, fails_at=None):
        self.seen = []
        self._fails_at = fails_at
        fsync, replace = os.fsync, atomic_files.Path.replace

        def seen_fsync(descriptor):
            self._note("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink()))
            fsync(descriptor)

        def seen_replace(path, target):
            self._note("rename", str(target))
            return replace(path, target)

        monkeypatch.setattr("ekyc_tasks.support.atomic_files.os.fsync", seen_fsync)
        monkeypatch.setattr("ekyc_tasks.support.atomic_files.Path.replace", seen_replace)

    def _note(self, what, where):
        if len(self.seen) == self._fails_at:
            raise OSError(5, "Input/output error")
        self.seen.append((what, where))


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="/proc names descriptors")


@needs_proc
def test_bytes_are_on_disk_before_the_name_and_the_name_before_we_go_on(folders, monkeypatch):
    final, staging = folders
    atomic_files.private_dir(final)
    atomic_files.private_dir(staging)
    witness = Witness(monkeypatch)
    with atomic_files.write_file(final / "file", staging=staging) as file:
        file.write(b"content")
        staged = str(next(staging.iterdir()))
    assert witness.seen == [
        ("fsync", staged),
        ("rename", str(final / "file")),
        ("fsync", str(final)),
    ]


@needs_proc
def test_new_folders_are_on_disk_with_their_names(tmp_path, monkeypatch):
    witness = Witness(monkeypatch)
    atomic_files.private_dir(tmp_path / "a" / "b")
    assert witness.seen == [("fsync", str(tmp_path)), ("fsync", str(tmp_path / "a"))]


@needs_proc
@pytest.mark.parametrize(("fails_at", "is_there"), [(0, False), (1, False), (2, True)])
def test_a_disk_that_fails_leaves_a_whole_file_or_none(folders, monkeypatch, fails_at, is_there):
    final, staging = folders
    atomic_files.private_dir(final)
    atomic_files.private_dir(staging)
    Witness(monkeypatch, fails_at)
    with (
        pytest.raises(OSError, match="Input/output"),
        atomic_files.write_file(final / "file", staging=staging) as file,
    ):
        file.write(b"content")
    assert (final / "file").exists() is is_there
    assert not is_there or (final / "file").read_bytes() == b"content"
    assert list(staging.iterdir()) == []


def test_staged_paths_are_new_each_time_and_gone_afterwards(tmp_path):
    with (
        atomic_files.stage_file(tmp_path / "staging") as first,
        atomic_files.stage_file(tmp_path / "staging") as second,
    ):
        assert first != second
        first.write_bytes(b"left over")
    assert list((tmp_path / "staging").iterdir()) == []


def test_an_existing_file_is_opened_empty_and_keeps_its_mode(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o640)
    with atomic_files.open_private(path) as file:
        file.write(b"x")
    assert (path.read_bytes(), mode(path)) == (b"x", 0o640)


@pytest.mark.parametrize("content", [b"", b"x" * 300_000])
def test_the_digest_is_that_of_the_bytes(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert atomic_files.sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_lock_is_had_by_one_and_free_again_afterwards(tmp_path):
    path = tmp_path / "lock"
    first = atomic_files.try_lock(path)
    assert atomic_files.try_lock(path) is None
    first.close()
    second = atomic_files.try_lock(path)
    assert second is not None
    second.close()


def test_who_waits_for_a_lock_gets_it_when_it_is_free(tmp_path):
    path, order = tmp_path / "new" / "lock", []

    def wait():
        with atomic_files.hold_lock(path):
            order.append("second")

    with atomic_files.hold_lock(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.05)
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]


def test_a_file_that_cannot_be_discarded_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    atomic_files.discard(tmp_path / "file")
    atomic_files.discard(tmp_path / "file")
    atomic_files.discard(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_waited_for_only_so_long(tmp_path):
    path = tmp_path / "lock"
    with (
        atomic_files.hold_lock(path),
        pytest.raises(TimeoutError),
        atomic_files.hold_lock(path, patience=0.05),
    ):
        raise AssertionError("it is somebody else's")
    with atomic_files.hold_lock(path, patience=0.05):
        assert path.exists()


def test_what_killed_processes_left_is_swept_away_and_what_is_in_work_is_not(tmp_path):
    for name, age in (("left", 61), ("in-work", 59)):
        path = tmp_path / name
        path.touch()
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    atomic_files.sweep(tmp_path, older_than=60)
    assert [path.name for path in tmp_path.iterdir()] == ["in-work"]


def test_nothing_to_sweep_is_no_trouble(tmp_path):
    atomic_files.sweep(tmp_path / "missing", older_than=60)
