"""What a plan or an import is about to write, on disk before the first of its files.

Only files of such a list whose plan is known not to have been committed may be removed. What no list names
and no ledger knows may be the only record of something bought: it stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import discard, fsync, private_dir


class Intent:
    """An open list; `announce` names files in it before they are written."""

    def __init__(self, folder: DataFolder, name: str) -> None:
        self._root = folder.root
        self._file = folder.plans / name
        self._names: list[str] = []

    def announce(self, *files: Path) -> None:
        """Durable when it returns. Files that are there already are not ours, and not named."""
        self.announce_gone(*(file for file in files if not file.exists()))

    def announce_gone(self, *files: Path) -> None:
        """The same for files that are there, and whose record is about to be withdrawn."""
        names = [f"{file.relative_to(self._root)}\n" for file in files]
        if not names:
            return
        if not self._names:
            private_dir(self._file.parent)
        self._append(names)
        if not self._names:
            fsync(self._file.parent)
        self._names += names

    def close(self) -> None:
        """What it names is committed, or gone."""
        if self._names:
            discard(self._file)

    def leave(self) -> None:
        """For the next plan to sweep. Another one may have done so while this one slept, list and all."""
        if self._names and not self._file.exists():
            self._append(self._names)

    def _append(self, names: Sequence[str]) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write("".join(names).encode())
            file.flush()
            os.fsync(descriptor)


@contextmanager
def intent(folder: DataFolder, name: str) -> Iterator[Intent]:
    """Closed when the block ends well; otherwise the list stays, and the next plan sweeps what it names."""
    opened = Intent(folder, name)
    try:
        yield opened
    except BaseException:
        with suppress(OSError):
            opened.leave()
        raise
    opened.close()


def sweep_uncommitted(folder: DataFolder, is_known: Callable[[Sequence[Path]], set[Path]]) -> None:
    """Remove what plans announced and never committed: files first, then their list.

    To be called with the planning lock held, so that no living plan is swept. ``is_known`` tells
    which of the files the ledger knows; these stay.
    """
    for file, named in _lists(folder):
        known = is_known(named)
        for path in named:
            if path not in known:
                discard(path)
        discard(file)


def list_announced(folder: DataFolder) -> set[Path]:
    """Files of plans that are being made, or that the next plan sweeps."""
    return {path for _, named in _lists(folder) for path in named}


def _lists(folder: DataFolder) -> Iterator[tuple[Path, list[Path]]]:
    for file in sorted(folder.plans.glob("*")) if folder.plans.is_dir() else ():
        try:
            lines = file.read_text().splitlines(keepends=True)
        except (OSError, ValueError):
            continue
        # A line without its end was torn by a crash, and nothing of it was written yet.
        yield file, [folder.root / line.rstrip("\n") for line in lines if line.endswith("\n")]
