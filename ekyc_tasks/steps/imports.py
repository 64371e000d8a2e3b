"""Take in an archive that was bought before this project was there: a LOADED batch like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import copyfileobj

from ekyc_tasks.disk import sha256_of, written
from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.keys import Keys, distinct
from ekyc_tasks.ledger import Batch, Ledger, NewBatch
from ekyc_tasks.loading import numbers_in
from ekyc_tasks.models import ArchiveLimits, BatchState, LoadReport
from ekyc_tasks.sent import write_batch
from ekyc_tasks.steps.load import load
from ekyc_tasks.steps.turns import planning_turn

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Given:
    """An archive, and what its bytes do not tell. ``checked_at`` is asked only where it is new."""

    archive: Path
    task_type: str
    task_id: str | None
    checked_at: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Import:
    """One archive taken in; no ``report``: these very bytes were here before."""

    batch: Batch
    report: LoadReport | None


def import_archive(
    given: Given, *, run_id: str, ledger: Ledger, folder: DataFolder, limits: ArchiveLimits
) -> Import:
    """Keep the archive and load it; every readable number of it counts as sent, and is known from then on.

    The same bytes are taken in once. Raises LoadFailed where nothing can be loaded: then nothing was kept.
    """
    digest = sha256_of(given.archive)
    batch = ledger.plans.batch_of_archive(digest)
    if batch is None:
        keys = distinct(_numbers(given, limits))
        batch = _kept(given, digest, keys, run_id=run_id, ledger=ledger, folder=folder)
    elif batch.state is not BatchState.FETCHED or not ledger.runs.claimed_to_replay(run_id, batch.batch_id):
        return Import(batch, None)
    report = load(batch.batch_id, run_id=run_id, ledger=ledger, folder=folder, limits=limits)
    return Import(ledger.history.batch(batch.batch_id), report)


def _kept(given: Given, digest: str, keys: Keys, *, run_id: str, ledger: Ledger, folder: DataFolder) -> Batch:
    """FETCHED: archive and numbers on disk, then the batch in the ledger. Killed between, it begins again."""
    batch_id = f"import-{digest[:_ID_LENGTH]}"
    with planning_turn(folder, ledger, run_id):  # planning sweeps files of unknown batches
        with (
            given.archive.open("rb") as source,
            written(folder.raw_file(batch_id), staging=folder.staging) as kept,
        ):
            copyfileobj(source, kept)
        sent = write_batch(folder, batch_id, keys)
        ledger.plans.imported(
            NewBatch(batch_id, len(keys), sent),
            task_type=given.task_type,
            task_id=given.task_id,
            archive_sha256=digest,
            archive_size=folder.raw_file(batch_id).stat().st_size,
            checked_at=given.checked_at(),
            run_id=run_id,
        )
    return ledger.history.batch(batch_id)


def _numbers(given: Given, limits: ArchiveLimits) -> Keys:
    try:
        return numbers_in(given.archive, task_type=given.task_type, limits=limits)
    except LoadFailed as error:
        name, why = given.archive.name, str(error)
        if why.startswith(f"{name} "):
            why = f"it{why.removeprefix(name)}"
        raise type(error)(f"{name} was not imported: {why}.") from None
