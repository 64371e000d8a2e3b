"""Whole files or none: staging → fsync → rename → fsync of the folder. What we create is private."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

_LOOK_AGAIN_SECONDS = 0.1  # between two looks at somebody else's lock


def private_dir(path: Path) -> Path:
    """Make it (0700, with its parents) if it is not there; an existing folder keeps its mode."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        fsync(folder.parent)
    return path


def fsync(path: Path) -> None:
    """Of a file, its bytes; of a folder, the names in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(staged: Path, final: Path) -> None:
    """Move a finished file of the same file system to its place, durably and at once."""
    fsync(staged)
    private_dir(final.parent)
    staged.replace(final)
    fsync(final.parent)


@contextmanager
def stage_file(staging: Path) -> Iterator[Path]:
    """A new private path to write to; whatever is still there afterwards is removed."""
    path = private_dir(staging) / uuid4().hex
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def sweep(staging: Path, *, older_than: float) -> None:
    """Remove what killed processes left behind: a file untouched for so many seconds is not in use."""
    with suppress(OSError):  # not there yet, or not ours to clean
        for path in staging.iterdir():
            if time.time() - path.stat().st_mtime > older_than:
                discard(path)


@contextmanager
def write_file(final: Path, *, staging: Path) -> Iterator[BinaryIO]:
    """A file (0600) that appears at ``final`` when the block ends well, and never otherwise."""
    with stage_file(staging) as path:
        with open_private(path) as file:
            yield file
            file.flush()
        publish(path, final)


def open_private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def hold_lock(path: Path, *, patience: float | None = None) -> Iterator[None]:
    """Wait for, and hold, an exclusive lock on a file; the kernel lets go of it when we die.

    TimeoutError after ``patience`` seconds; without, somebody who is asleep is waited for.
    """
    private_dir(path.parent)
    with open_private(path) as file:
        if patience is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _lock_within(file, patience)
        yield


def _lock_within(file: BinaryIO, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
        time.sleep(_LOOK_AGAIN_SECONDS)


def try_lock(path: Path) -> BinaryIO | None:
    """The open file whose lock is ours now, or None when somebody living holds it."""
    file = open_private(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def discard(path: Path) -> None:
    """Remove a file that is no longer needed; if this is not possible, it is not an error."""
    with suppress(OSError):
        path.unlink()
