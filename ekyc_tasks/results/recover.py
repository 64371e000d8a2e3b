"""Take in files that the ledger does not know, or put them aside. Nothing is removed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ekyc_tasks.errors import EkycError
from ekyc_tasks.exchange import spool
from ekyc_tasks.installation import upload_journal
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.orphans import Strays, find_strays, task_of
from ekyc_tasks.installation.setup import put_aside
from ekyc_tasks.installation.upload_journal import Upload
from ekyc_tasks.ledger import NewBatch
from ekyc_tasks.models import ArchiveLimits, BatchState
from ekyc_tasks.phone.msisdns import Msisdns, distinct
from ekyc_tasks.planning.lock import planning_lock
from ekyc_tasks.results.import_archive import Given, Importer
from ekyc_tasks.storage.batch_files import keys_in, write_batch
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import publish, sha256_of
from ekyc_tasks.support.clock import FIRST_ANSWERS

_MAGIC = ((b"PAR1", ".parquet"), (b"\x1f\x8b", ".txt.gz"), (b"\x28\xb5\x2f\xfd", ".txt.zst"))
_SAID = {
    BatchState.FETCHED: "its archive was found; the next run loads it",
    BatchState.SUBMITTED: "its task is known; the next run waits for it and fetches it",
    BatchState.HELD: "it is not known whether it was sent; decide with `ekyc resolve`",
}


@dataclass(frozen=True, slots=True)
class Recovered:
    """What happened to one unknown file, for a table."""

    what: str
    name: str
    outcome: str


class Recovery:
    """One look at the strays, and what a person wants done with them."""

    def __init__(self, context: StepContext, *, task_type: str, limits: ArchiveLimits) -> None:
        self._context = context
        self._ledger = context.ledger
        self._folder = context.folder
        self._task_type = task_type
        self._limits = limits
        self._uploads = newest_uploads(context.folder)

    def take_in(self) -> list[Recovered]:
        """Batches become batches of the ledger again, as far as their files and the journal tell; landed
        files land again. What can be taken in as nothing is put aside."""
        with planning_lock(self._context):
            strays = find_strays(self._folder, self._ledger)
            created = {batch_id: self._create(batch_id) for batch_id in strays.batches}
            upload_journal.bring_home(self._folder, self._ledger, run_id=self._context.run_id)
            spool.bring_home(self._folder, self._ledger, run_id=self._context.run_id)
            done = [self._batch(batch_id, is_list=is_list) for batch_id, is_list in created.items()]
            done += [self._land_again(path) for path in strays.inputs]
        lone = [path for path in strays.archives if path.stem not in created]
        done += [self._archive(path) for path in lone]
        done += [self._answer(path) for path in strays.answers if path.exists()]
        return done

    def set_aside(self) -> list[Recovered]:
        """Moved away unchanged, each under its own name: the ledger continues without them."""
        with planning_lock(self._context):
            strays = find_strays(self._folder, self._ledger)
            return [self._aside(path) for path in files_of(strays, self._folder)]

    def _create(self, batch_id: str) -> bool:
        """False where its files hold no list of numbers: they are put aside."""
        try:
            keys = self._keys(batch_id)
        except (OSError, ValueError):
            for path in self._folder.files_of(batch_id):
                if path.exists():
                    self._aside(path)
            return False
        upload = self._uploads.get(batch_id)
        archive = self._folder.raw_file(batch_id)
        is_there = archive.exists()
        self._ledger.plans.found(
            NewBatch(batch_id, len(keys), write_batch(self._folder, batch_id, keys)),
            task_type=upload.task_type if upload and upload.task_type else self._task_type,
            archive=(sha256_of(archive), archive.stat().st_size, self._time_written(archive))
            if is_there
            else None,
            why="its files were found, but the ledger did not know it",
            run_id=self._context.run_id,
        )
        return True

    def _batch(self, batch_id: str, *, is_list: bool) -> Recovered:
        if not is_list:
            return Recovered("batch", batch_id, "is not a list of numbers; moved to `set-aside`")
        state = self._ledger.history.batch(batch_id).state
        return Recovered("batch", batch_id, f"is now {state}: {_SAID[state]}")

    def _time_written(self, path: Path) -> datetime:
        """Or now, where a copy gave the file a time that cannot be true: no row belongs to 1970."""
        now = self._context.clock.now()
        written = datetime.fromtimestamp(min(int(path.stat().st_mtime), int(now.timestamp())), UTC)
        return written if written >= FIRST_ANSWERS else now

    def _keys(self, batch_id: str) -> Msisdns:
        text, binary = self._folder.files_of(batch_id)
        parts = list(keys_in(text)) if text.exists() else [np.fromfile(binary, dtype=np.int64)]
        keys = distinct(np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
        if not len(keys):
            raise ValueError("no number")
        return keys

    def _land_again(self, path: Path) -> Recovered:
        """Its numbers are planned again; those in its batches are in flight or known: not bought again."""
        name = f"recovered-{path.name[:12]}{ending_of(path)}"
        staged = self._folder.staging / name
        staged.write_bytes(path.read_bytes())
        publish(staged, self._folder.landing / name)
        path.chmod(0o600)
        self._aside(path)
        return Recovered(
            "landed file", path.name[:12], f"was copied to the landing folder as {name}; see `ekyc plan`"
        )

    def _archive(self, path: Path) -> Recovered:
        importer = Importer(self._context, self._limits)
        given = Given(path, self._task_type, None, None, written_at=lambda: self._time_written(path))
        try:
            batch_id = importer.take(given).batch.batch_id
        except EkycError as error:
            self._aside(path)
            return Recovered("archive", path.name, f"cannot be imported ({error}); moved to `set-aside`")
        self._aside(path)
        return Recovered("archive", path.name, f"was imported as batch {batch_id}")

    def _answer(self, path: Path) -> Recovered:
        task = task_of(path) or "unknown"
        self._aside(path)
        return Recovered(
            "answer", path.name, f"names task {task}, which belongs to no batch here; moved to `set-aside`"
        )

    def _aside(self, path: Path) -> Recovered:
        name = path.relative_to(self._folder.root)
        place = put_aside(path, self._folder, name)
        return Recovered("file", str(name), f"was moved to {place.relative_to(self._folder.root)}")


def newest_uploads(folder: DataFolder) -> dict[str, Upload]:
    """By batch, its newest upload in the journal; one whose task is known before one whose is not."""
    found: dict[str, Upload] = {}
    for upload in upload_journal.uploads(folder).values():
        before = found.get(upload.batch_id)
        if before is None or upload.task_id or not before.task_id:
            found[upload.batch_id] = upload
    return found


def files_of(strays: Strays, folder: DataFolder) -> Iterator[Path]:
    for batch_id in strays.batches:
        yield from (path for path in folder.files_of(batch_id) if path.exists())
    yield from (*strays.archives, *strays.inputs, *strays.answers)


def ending_of(path: Path) -> str:
    """What a landed file was called once, by its bytes: names and contents of landed files have to agree."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as members:
            return ".xlsx" if any(name.startswith("xl/") for name in members.namelist()) else ".zip"
    ending = next((ending for magic, ending in _MAGIC if head.startswith(magic)), None)
    return ending or (".csv" if any(mark in head for mark in (b",", b";", b"\t", b"|")) else ".txt")
