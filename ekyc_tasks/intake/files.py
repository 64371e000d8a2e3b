"""Files in the landing folder, as they were when we looked, and private copies of them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.containers import has_known_ending
from ekyc_tasks.support.atomic_files import open_private

COPY_BYTES = 1 << 18

# Written by browsers, download tools, editors and spreadsheets while the real file is not there yet.
_UNFINISHED_ENDINGS = (".part", ".tmp", ".crdownload")
_HIDDEN_STARTS = (".", "~$")
_CHANGED = "{} changed while it was read. It is read again when it no longer changes."


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file as it was seen once. Two arrivals are equal when nothing shows that the file was touched.

    ``name`` is relative to the landing folder, with ``/`` on all systems. ``has_landed`` says that the
    file is in the landing folder, and is removed from there once it is planned.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    inode: int
    # A copy that keeps its source's times shows only here that it has replaced what was seen.
    ctime_ns: int = 0
    has_landed: bool = True

    @property
    def identity(self) -> str:
        """Differs whenever the file may hold other bytes; at most 80 characters."""
        return f"{self.inode:x}.{self.size:x}.{self.mtime_ns:x}.{self.ctime_ns:x}"

    @property
    def written_at(self) -> float:
        """When bytes of it were last written, in seconds of the file system's clock, which may be ahead of
        ours. A file that was written elsewhere and then renamed in has stood still already."""
        return self.mtime_ns / 1e9

    def is_unchanged(self) -> bool:
        """Whether the same file is still there, unchanged."""
        try:
            return self._is(self.path.stat())
        except OSError:
            return False

    def require_unchanged(self) -> None:
        if not self.is_unchanged():
            raise InputError(_CHANGED.format(self.name))

    def _is(self, status: os.stat_result) -> bool:
        return self.identity == _stat_all(self.path, self.name, status).identity


def arrivals(landing: Path) -> list[Arrival]:
    """The regular files in the landing folder and below, by name.

    Left out: what is hidden or in a hidden folder, or in one that is named like a file, what somebody
    is still downloading or editing, and symbolic links. Raises ConfigurationError when a folder cannot
    be listed.
    """
    return sorted(_find(landing, landing), key=lambda each: each.name)


def sentences_of_ignored(landing: Path) -> list[str]:
    """A sentence for each folder and each link that is named like a file: they are not opened."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(landing):
        folders[:] = [name for name in folders if not name.startswith(_HIDDEN_STARTS)]
        for name in filter(has_known_ending, (*folders, *files)):
            path = Path(folder) / name
            shown = path.relative_to(landing).as_posix()
            if path.is_symlink() and not name.startswith(_HIDDEN_STARTS):
                found[shown] = f"{shown} is a link; links are not followed. Put the file itself there."
            elif name in folders:
                found[shown] = (
                    f"{shown} is a folder with the name of a file. Put a file there, or rename the folder."
                )
        folders[:] = [name for name in folders if not has_known_ending(name)]
    return [found[name] for name in sorted(found)]


def arrival(path: Path, landing: Path | None) -> Arrival:
    """A file that a person named; it may be a link. Raises InputError when it is not a readable file."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Check the name.") from None
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path} is not a file. Name each file.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} cannot be read. Check its permissions.")
    whole = path.absolute() if path.is_symlink() else path.resolve()
    if landing is not None and not path.is_symlink() and whole.is_relative_to(landing.resolve()):
        return _stat_all(whole, whole.relative_to(landing.resolve()).as_posix(), status)
    return _stat_all(whole, path.name, status, has_landed=False)


def take_copy(arrival: Arrival, into: Path) -> str:
    """Copy the file's bytes into a private file (0600); their SHA-256 in hex.

    Raises InputError when the file cannot be read, or is not (or does not stay) the one that was seen,
    and ConfigurationError when the copy cannot be written. What was copied until then is left behind.
    """
    digest = hashlib.sha256()
    try:
        with open_private(into) as copy:
            for data in _bytes_of(arrival):
                digest.update(data)
                copy.write(data)
    except OSError as error:  # reading has no part in it: its errors are InputErrors already
        message = (
            f"{into.parent} cannot be written to: {error.strerror}. Free some space, or fix its permissions."
        )
        raise ConfigurationError(message) from None
    return digest.hexdigest()


def _find(folder: Path, landing: Path) -> Iterator[Arrival]:
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry in listing if not entry.name.startswith(_HIDDEN_STARTS)]
    except OSError as error:
        message = (
            f"The landing folder {folder} cannot be listed: {error.strerror}. "
            "Create it, or correct EKYC_LANDING_DIR."
        )
        raise ConfigurationError(message) from None
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not has_known_ending(entry.name):
            yield from _find(Path(entry.path), landing)
        elif entry.is_file(follow_symlinks=False) and not entry.name.lower().endswith(_UNFINISHED_ENDINGS):
            with suppress(FileNotFoundError):  # gone since it was listed
                path = Path(entry.path)
                yield _stat_all(path, path.relative_to(landing).as_posix(), entry.stat(follow_symlinks=False))


def _stat_all(path: Path, name: str, status: os.stat_result, has_landed: bool = True) -> Arrival:
    return Arrival(
        path=path,
        name=name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
        ctime_ns=status.st_ctime_ns,
        has_landed=has_landed,
    )


def _bytes_of(arrival: Arrival) -> Iterator[bytes]:
    arrival.require_unchanged()
    try:
        with arrival.path.open("rb") as file:
            while data := file.read(COPY_BYTES):
                yield data
            if not arrival._is(os.fstat(file.fileno())):
                raise InputError(_CHANGED.format(arrival.name))
    except OSError as error:
        raise InputError(f"{arrival.name} cannot be read: {error.strerror}. Check its permissions.") from None
