"""Back up the one ledger and the files that it knows, while runs go on.

What is written before the ledger hears of it is copied after the ledger, so that nothing that the copied
ledger knows is missing: lists, archives, landed files. What is written after the ledger has heard of it, or
goes once the ledger has it, is copied before: so the journal names no upload that the copied ledger lacks,
and an answer that has left the spool meanwhile is in the copied ledger.

Files have the same names in the backup as in the data folder. Those that may have other content tomorrow have
their digest in the name, so that a backup that is killed leaves the one before as it was; so has the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.installation.folder_marks import read_mark, write_mark
from ekyc_tasks.installation.manifests import (
    LEDGER,
    STAGING,
    Kept,
    Manifest,
    copy_exactly,
    copy_privately,
    digest_of,
    read_manifest,
    require_apart,
    version_name,
    write_manifest,
)
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.ledger.copies import LedgerFile, copied_out, digests_now, leftovers
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.atomic_files import discard, private_dir, publish, sha256_of, stage_file, try_lock

_MARK = ".ekyc-backup.json"  # whose backup it will be: there before anything else, so a killed one is known
_LOCK = "backup.lock"
_OF_EVERY_DISK = {"lost+found"}
_TRIES = 3  # snapshots, where an import is withdrawn while its files are copied
_MISSING = "is missing"
_VERSION = re.compile(r".+-[0-9a-f]{64}(\.\w+)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """A file of the data folder that is not as the ledger says; ``is_kept``: the backup has it as it was."""

    name: str
    why: str
    sha256: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Backup:
    """``copied`` files were new or had changed; the ledger is not among them."""

    folder: Path
    manifest: Manifest
    copied: int
    faults: tuple[Fault, ...]


def back_up(ledger: Ledger, site: Site, to: Path) -> Backup:
    """Make or renew the backup of this ledger in the folder ``to``; every file is read, there and here.

    ConfigurationError, and nothing changed, where the folder is not this ledger's, or holds a newer ledger.
    The same where the disk does not play along: then the backup before stays as it was, and saying it again
    goes on. A file that is not as the ledger says stops nothing; it is among the faults.
    """
    to = to.absolute()
    require_apart(to, site)
    with _alone(site.folder), _in_words(to):
        before = _open_manifest(to, ledger)
        shelf = BackupFolder(site.folder.root, to, before)
        for _ in range(_TRIES):
            manifest = _take(shelf, ledger, site)
            if not _has_moved_on(shelf, site):
                break
        write_manifest(to, manifest)
        _tidy(to, manifest, before)
    return Backup(to, manifest, shelf.copied, tuple(shelf.faults))


class BackupFolder:
    """The folder of the backup: what is kept there by now, and what is at fault."""

    def __init__(self, root: Path, to: Path, before: Manifest | None) -> None:
        self._root = root
        self._to = to
        self._before = {} if before is None else {kept.name: kept for kept in before.files}
        self.copied = 0
        self.begin()

    def begin(self) -> None:
        """Anew, with another snapshot; what was copied stays."""
        self.files: list[Kept] = []
        self.faults: list[Fault] = []

    def keep(self, source: Path, sha256: str) -> None:
        """A file of which the ledger knows the digest. One that is wrong here replaces none that is right."""
        name = str(source.relative_to(self._root))
        place = self._place(name, sha256)
        why, is_kept = _doubt(source, sha256), self._has(place, sha256)
        if why is None and not is_kept:
            is_kept = self._copies(source, place, sha256)
            why = None if is_kept else _MISSING
        if is_kept:
            self._note(name, place, sha256)
        if why is not None:
            self.faults.append(Fault(name, why, sha256, is_kept))

    def keep_as_it_is(self, source: Path) -> None:
        """A file that is there or not, and may change while it is copied: then the copy counts."""
        name = str(source.relative_to(self._root))
        try:
            sha256 = sha256_of(source)
            if not self._has(self._place(name, sha256, changes=True), sha256):
                sha256 = self._copy_of_now(source, name)
        except FileNotFoundError:
            return
        self._note(name, self._place(name, sha256, changes=True), sha256)

    def keep_ledger(self, file: Path) -> Kept:
        sha256 = sha256_of(file)
        place = version_name(LEDGER, sha256)
        if not self._has(place, sha256):
            self._copy(file, place, sha256)
        return Kept(LEDGER, place, file.stat().st_size, sha256)

    def _place(self, name: str, sha256: str, *, changes: bool = False) -> str:
        """Never that of another content that the manifest before names."""
        before = self._before.get(name)
        if before is not None and before.sha256 == sha256:
            return before.place
        is_taken = before is not None and before.place == name
        return version_name(name, sha256) if changes or is_taken else name

    def _has(self, place: str, sha256: str) -> bool:
        return digest_of(self._to / place) == sha256

    def _note(self, name: str, place: str, sha256: str) -> None:
        self.files.append(Kept(name, place, (self._to / place).stat().st_size, sha256))

    def _copies(self, source: Path, place: str, sha256: str) -> bool:
        """False: it was there a moment ago."""
        try:
            self._copy(source, place, sha256)
        except FileNotFoundError:
            return False
        self.copied += 1
        return True

    def _copy(self, source: Path, place: str, sha256: str) -> None:
        with stage_file(self._to / STAGING) as copy:
            copy_exactly(source, copy, sha256=sha256)
            publish(copy, self._to / place)

    def _copy_of_now(self, source: Path, name: str) -> str:
        with stage_file(self._to / STAGING) as copy:
            sha256 = copy_privately(source, copy)
            publish(copy, self._to / self._place(name, sha256, changes=True))
        self.copied += 1
        return sha256


def _take(shelf: BackupFolder, ledger: Ledger, site: Site) -> Manifest:
    """The order matters: see above."""
    folder = site.folder
    shelf.begin()
    own = (folder.upload_journal, folder.do_not_send, folder.landing_rules)
    for file in (*_answers(folder), *own):
        shelf.keep_as_it_is(file)
    made_at = ledger.now()
    with stage_file(folder.staging) as file, _alone_with(file):
        rows = copied_out(site.ledger_url, file)
        _keep_known(shelf, folder, file)
        kept = shelf.keep_ledger(file)
    return Manifest(
        ledger_id=_id_of(ledger),
        made_at=made_at,
        program=_program(),
        ledger=kept,
        rows=rows,
        files=tuple(shelf.files),
        missing=tuple(fault.name for fault in shelf.faults if not fault.is_kept),
    )


def _answers(folder: DataFolder) -> list[Path]:
    """Of the spool; what is hidden is half-written."""
    return sorted(path for path in folder.spool.glob("*.json") if not path.name.startswith("."))


def _keep_known(shelf: BackupFolder, folder: DataFolder, ledger_file: Path) -> None:
    with LedgerFile(ledger_file) as known:
        for batch_id, sha256, archive in known.batches():
            shelf.keep(folder.batch_file(batch_id), sha256)
            if archive is not None:
                shelf.keep(folder.raw_file(batch_id), archive)
        for digest in known.inputs():
            shelf.keep(folder.input_file(digest), digest)
            shelf.keep_as_it_is(folder.rejects_file(digest))


def _has_moved_on(shelf: BackupFolder, site: Site) -> bool:
    """Does the ledger say something else of these files by now? An import was withdrawn, or corrected."""
    doubtful = {Path(fault.name).stem: fault for fault in shelf.faults if not fault.name.startswith("inputs")}
    now = digests_now(site.ledger_url, list(doubtful)) if doubtful else {}
    return any(fault.sha256 not in now.get(batch_id, ()) for batch_id, fault in doubtful.items())


def _doubt(file: Path, sha256: str) -> str | None:
    """Why it is not what the ledger says; None where it is."""
    try:
        return None if sha256_of(file) == sha256 else "is not what the ledger recorded"
    except FileNotFoundError:
        return _MISSING
    except OSError as error:
        return f"cannot be read ({error.strerror})"


# --- the folder of the backup -----------------------------------------------------------------------------


def _open_manifest(to: Path, ledger: Ledger) -> Manifest | None:
    """The manifest that is there, once it is clear that the folder may be written to."""
    if not to.exists() and not to.parent.is_dir():
        raise ConfigurationError(f"{to.parent} does not exist. Mount or create it. Nothing was changed.")
    before = read_manifest(to)
    _require_ours(to, before, _id_of(ledger))
    if before is not None:
        _require_older(to, before, ledger)
    if read_mark(private_dir(to) / _MARK) is None:
        write_mark(to / _MARK, _id_of(ledger))
    return before


def _require_ours(to: Path, before: Manifest | None, ledger_id: str) -> None:
    mark = read_mark(to / _MARK) if before is None else None
    whose = before.ledger_id if before is not None else mark.ledger_id if mark is not None else None
    if whose is None and to.exists() and _holds_anything(to):
        raise ConfigurationError(
            f"{to} is not a backup, and not empty. Use an empty or a new folder. Nothing was changed."
        )
    if whose not in {None, ledger_id}:
        raise ConfigurationError(
            f"{to} is the backup of another ledger. Use another folder. Nothing was changed."
        )


def _holds_anything(to: Path) -> bool:
    """But for what a disk brings along, and a mark that was half-written when its backup was killed."""
    if not to.is_dir():
        return True
    return any(not _is_half_mark(path.name) and path.name not in _OF_EVERY_DISK for path in to.iterdir())


def _is_half_mark(name: str) -> bool:
    return name.startswith(f"{_MARK}.")


def _require_older(to: Path, before: Manifest, ledger: Ledger) -> None:
    """A ledger that was set back must not replace the only one that knows what was bought since."""
    file = to / before.ledger.place
    if digest_of(file) != before.ledger.sha256:
        return  # damaged, and of no use any more
    with LedgerFile(file) as kept:
        if any(set(part) - ledger.uploads.known(part) for part in kept.attempt_ids()):
            raise ConfigurationError(
                f"The backup in {to}, of {before.made_at:%Y-%m-%d %H:%M:%S} UTC, knows uploads that this "
                "ledger does not know. So this ledger is older, or was set back. Use another folder for its "
                "backup. Nothing was changed."
            )


def _tidy(to: Path, manifest: Manifest, before: Manifest | None) -> None:
    """Remove what only the manifest before named, and what backups left that were killed.

    Lists, archives and landed files stay, whatever the ledger knows: they may be the only ones.
    """
    names, places = {kept.name for kept in manifest.files}, manifest.places
    replaced = {kept.place for kept in before.files if kept.name in names} if before is not None else set()
    for path in to.rglob("*"):
        place = path.relative_to(to).as_posix()
        if place not in places and (place in replaced or _is_passing(place)) and not path.is_dir():
            discard(path)


def _is_passing(place: str) -> bool:
    top, _, name = place.rpartition("/")
    return top in {STAGING, ".spool"} or _is_half_mark(name) or _VERSION.fullmatch(name) is not None


@contextmanager
def _alone(folder: DataFolder) -> Iterator[None]:
    """One backup of a data folder at a time. The lock is there: a disk for backups may not support locks."""
    lock = try_lock(private_dir(folder.runs) / _LOCK)
    if lock is None:
        raise ConfigurationError("Another backup of this ledger is running. Try again when it has ended.")
    with lock:
        yield


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """Of a SQLite file that goes, what the database put beside it goes too."""
    try:
        yield
    finally:
        for path in leftovers(file):
            discard(path)


@contextmanager
def _in_words(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{error.strerror or type(error).__name__}, {error.filename or to}"
        raise ConfigurationError(
            f"The backup in {to} was not finished ({what}). An earlier backup in this folder is unchanged. "
            "Free some space or fix the permissions, and try again."
        ) from None


def _id_of(ledger: Ledger) -> str:
    if (ledger_id := ledger.identity.ledger_id()) is None:
        raise ConfigurationError("The ledger has no id yet. Run `ekyc run` or `ekyc init` first.")
    return ledger_id


def _program() -> str:
    try:
        return version("ekyc-tasks")
    except PackageNotFoundError:  # not installed, but run from its sources
        return ""
