"""Take in an archive that was bought before this project was there: a LOADED batch like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError, InputError, LoadFailed
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.write_intents import intent
from ekyc_tasks.intake import arrival, take_copy
from ekyc_tasks.ledger import IMPORT_PREFIX, Batch, NewBatch
from ekyc_tasks.models import ArchiveLimits, BatchState, LoadReport
from ekyc_tasks.phone.msisdns import Msisdns, distinct
from ekyc_tasks.planning.lock import planning_lock
from ekyc_tasks.results.load import load
from ekyc_tasks.results.load_archive import numbers_in
from ekyc_tasks.storage.batch_files import write_batch
from ekyc_tasks.storage.dataset import dataset_path, quarantine_path, withdraw
from ekyc_tasks.support.atomic_files import discard, publish, sha256_of, stage_file
from ekyc_tasks.tabular import verdict_of

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Given:
    """An archive, and facts that its bytes do not show; None where a fact is not given.

    ``written_at`` is the time of an archive whose time is not given, asked only where it is new. A
    correction is one that may be known already, as something else.
    """

    archive: Path
    task_type: str
    task_id: str | None
    checked_at: datetime | None
    written_at: Callable[[], datetime]
    is_correction: bool = False

    @property
    def name(self) -> str:
        return self.archive.name


@dataclass(frozen=True, slots=True)
class Import:
    """One archive taken in; no ``report``: these very bytes were here before."""

    batch: Batch
    report: LoadReport | None


class Importer:
    """Takes in one archive after the other."""

    def __init__(self, context: StepContext, limits: ArchiveLimits) -> None:
        self._context = context
        self._ledger = context.ledger
        self._folder = context.folder
        self._limits = limits

    def take(self, given: Given) -> Import:
        """Keep the archive and load it; every readable number of it counts as sent, and is known then.

        The same bytes are taken in once: ConfigurationError where they are known as something else, unless
        that is corrected. Raises LoadFailed where nothing can be loaded: then nothing was kept, and a newer
        version may import it.
        """
        digest = sha256_of(given.archive)
        known = self._ledger.plans.batch_of_archive(digest)
        if known is None:
            return self._load(self._keep(given, digest), given)
        if _differs(known, given):
            return self._load(self._correct(known, given, digest), given)
        if known.state is BatchState.FETCHED and self._read_claims(known):
            return self._load(known, given)
        return Import(known, None)

    def _keep(self, given: Given, digest: str, *, instead_of: Batch | None = None) -> Batch:
        """FETCHED: archive and numbers on disk, then the batch in the ledger. Killed between, it begins
        again."""
        batch_id = _batch_id(given, digest)
        checked_at = given.checked_at or given.written_at()
        keys = self._numbers(given)
        kept = self._folder.raw_file(batch_id)
        with (
            planning_lock(self._context),  # others sweep what is not committed
            intent(self._folder, batch_id) as files,
        ):
            files.announce(kept, *self._folder.files_of(batch_id))
            self._copy(given, digest, kept)
            if instead_of is not None:
                self._forget(instead_of)
            self._ledger.plans.imported(
                NewBatch(batch_id, len(keys), write_batch(self._folder, batch_id, keys)),
                task_type=given.task_type,
                task_id=given.task_id,
                archive_sha256=digest,
                archive_size=kept.stat().st_size,
                checked_at=checked_at,
                run_id=self._context.run_id,
            )
        return self._ledger.history.batch(batch_id)

    def _numbers(self, given: Given) -> Msisdns:
        try:
            found = numbers_in(given.archive, task_type=given.task_type, limits=self._limits)
        except LoadFailed as error:
            why = str(error)
            if why.startswith(f"{given.name} "):
                why = f"it{why.removeprefix(given.name)}"
            raise type(error)(f"{given.name} was not imported: {why}.") from None
        if not len(found):
            raise LoadFailed(
                f"{given.name} was not imported, and nothing was kept: it has no readable number. Name an "
                "archive with answers."
            )
        return distinct(found)

    def _copy(self, given: Given, digest: str, kept: Path) -> None:
        with stage_file(self._folder.staging) as copy:
            if take_copy(arrival(given.archive, None), copy) != digest:
                raise InputError(
                    f"{given.name} changed while it was read. Import it when it no longer changes."
                )
            publish(copy, kept)

    def _load(self, batch: Batch, given: Given) -> Import:
        try:
            report = load(batch.batch_id, self._context, self._limits)
        except LoadFailed as error:
            if not batch.is_import:
                raise
            with (
                planning_lock(self._context),
                intent(self._folder, batch.batch_id) as files,
            ):
                files.announce_gone(*self._files(batch.batch_id))
                self._forget(batch)
                self._remove_files(batch.batch_id, given)
            raise type(error)(f"{given.name} was not imported, and nothing was kept. {error}") from None
        return Import(self._ledger.history.batch(batch.batch_id), report)

    def _correct(self, known: Batch, given: Given, digest: str) -> Batch:
        """The same bytes with the corrected facts; facts that are not given stay as they were."""
        what = f"{given.name} is already here as {_in_words(known)}"
        if not known.is_import:
            raise ConfigurationError(
                f"{what}. It was bought by this ledger and is not changed. Leave out this file."
            )
        if not given.is_correction:
            raise ConfigurationError(
                f"{what}. It was not changed. To import it again as you say now, add --correct "
                f"--task-type {given.task_type}."
            )
        if not self._read_claims(known):
            raise ConfigurationError(f"{what}, and a run is using it. Correct it when that run has ended.")
        said = replace(
            given,
            task_id=given.task_id or known.task_id,
            checked_at=given.checked_at or known.checked_at,
        )
        return self._keep(said, digest, instead_of=known)

    def _read_claims(self, batch: Batch) -> bool:
        return self._ledger.runs.claimed_to_replay(self._context.run_id, batch.batch_id)

    def _forget(self, batch: Batch) -> None:
        """Rows first: killed before the ledger knows, it is still an import that can be corrected."""
        batch_id, folder = batch.batch_id, self._folder
        if batch.checked_at is not None:
            withdraw(dataset_path(folder.warehouse, batch.task_type, batch.checked_at, batch_id))
        withdraw(quarantine_path(folder.quarantine, batch.task_type, batch_id))
        self._ledger.plans.import_withdrawn(batch_id, run_id=self._context.run_id)

    def _remove_files(self, batch_id: str, given: Given) -> None:
        """But not the very file that was named, which may be the last copy."""
        for path in self._files(batch_id):
            if path.exists() and not path.samefile(given.archive):
                discard(path)

    def _files(self, batch_id: str) -> tuple[Path, ...]:
        return self._folder.raw_file(batch_id), *self._folder.files_of(batch_id)


def _batch_id(given: Given, digest: str) -> str:
    """The archive is kept under it: what a list says only by its name, the kept name says too."""
    word = {True: "registered-", False: "unregistered-", None: ""}[verdict_of(given.name)]
    return f"{IMPORT_PREFIX}{word}{digest[:_ID_LENGTH]}"


def _differs(known: Batch, given: Given) -> bool:
    """Is something said that is not so?"""
    kept_as, named = verdict_of(known.batch_id), verdict_of(given.name)
    return (
        (known.is_import and None not in {kept_as, named} and kept_as is not named)
        or known.task_type != given.task_type
        or given.checked_at not in {None, known.checked_at}
        or given.task_id not in {None, known.task_id}
    )


def _in_words(batch: Batch) -> str:
    at = f", checked at {batch.checked_at:%Y-%m-%d %H:%M:%S} UTC" if batch.checked_at else ""
    return f"batch {batch.batch_id} of {batch.task_type}{at}, task {batch.task_id or 'unknown'}"
