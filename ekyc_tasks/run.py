"""One run: what it owns, until when it waits, and what went wrong on the way."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from ekyc_tasks import spool
from ekyc_tasks.disk import private_dir, sweep
from ekyc_tasks.errors import ConfigurationError, EkycError, LeaseLost
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.lease import end_dead_runs, run_lease
from ekyc_tasks.ledger import Batch, Ledger, open_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.settings import Settings
from ekyc_tasks.steps.heal import can_heal

log = logging.getLogger(__name__)
T = TypeVar("T")
_LOOK_AGAIN = 0.5  # seconds between two looks at what other runs have in hand
_SHOWN = 3  # batches named in one sentence
_ABANDONED = 24 * 3600.0  # seconds; files are staged for minutes


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence for a person, and the exit code that it stands for (0: just to know)."""

    text: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What loading a batch found: rows and cells in quarantine by reason, and what is unlike the contract."""

    quarantined: Mapping[str, int] = field(default_factory=dict)
    drift: Sequence[str] = ()


@dataclass(slots=True)
class Run:
    """Made by `started_run`. ``until``: when to stop waiting for the provider."""

    run_id: str
    task_type: str
    ledger: Ledger
    folder: DataFolder
    until: datetime
    problems: list[Problem] = field(default_factory=list)
    findings: dict[str, Findings] = field(default_factory=dict)

    def underway(self) -> list[str]:
        """Our batches that are paid for and not loaded yet."""
        return [batch.batch_id for batch in self._ours(BatchState.SUBMITTED, BatchState.FETCHED)]

    def has_archive(self, batch_id: str) -> bool:
        return self.ledger.history.batch(batch_id).state is BatchState.FETCHED

    def found(self, batch_id: str, findings: Findings) -> None:
        self.findings[batch_id] = findings
        if not self.ledger.history.batch(batch_id).accepted:
            self.note("none of its numbers was answered; ask the provider why", 0, batch_id=batch_id)

    def has_curable_refusal(self) -> bool:
        return can_heal(self.task_type, ledger=self.ledger)

    def to_submit(self, limit: int | None = None) -> list[str]:
        """Our planned batches, as many as fit into ``limit`` numbers."""
        fitting = []
        left = self._left(limit)
        for batch in self._ours(BatchState.PLANNED):
            if left is None or batch.numbers <= left:
                fitting.append(batch.batch_id)
                left = None if left is None else left - batch.numbers
        return fitting

    def one_by_one(self, limit: int | None = None) -> Iterator[str]:
        """What to submit: our planned batches, and then those that busier runs still have before them."""
        tried: set[str] = set()
        while (batch_id := self._next_to_submit(limit, tried)) is not None:
            tried.add(batch_id)
            yield batch_id

    def _next_to_submit(self, limit: int | None, tried: set[str]) -> str | None:
        ours = (batch_id for batch_id in self.to_submit(limit) if batch_id not in tried)
        return next(ours, None) or self.ledger.runs.relieved(
            self.run_id, largest=self._left(limit), but=tried
        )

    def _left(self, limit: int | None) -> int | None:
        return None if limit is None else limit - self.ledger.uploads.numbers_sent(self.run_id)

    def owns(self, batch_id: str) -> bool:
        return self.ledger.history.batch(batch_id).owner == self.run_id

    async def attempt(self, work: Awaitable[T], *, batch_id: str | None = None) -> T | None:
        """The result of ``work``, or None with the problem noted: other batches go on."""
        try:
            return await work
        except LeaseLost as error:  # whoever has the batch now goes on with it
            self.note(str(error), 0, batch_id=batch_id)
        except EkycError as error:
            self.note(str(error), error.exit_code, batch_id=batch_id)
        except OSError as error:  # a full disk, a lost permission: the file's fault, not this program's
            where = f" ({error.filename})" if error.filename else ""
            what = error.strerror or type(error).__name__
            self.note(f"{what}{where}: mend that; the next run goes on", 2, batch_id=batch_id)
        except Exception as error:  # a defect met by one batch must not stop the others
            log.exception("A defect of this program")
            self.note(
                f"unexpected {type(error).__name__}; run with --debug to see more", 1, batch_id=batch_id
            )
        return None

    async def wait_for_others(self) -> None:
        """Our own work is done and our lease ends, so that two runs never wait for each other. What other
        living runs have in hand is theirs; it is waited for, no longer than ``until``."""
        self.ledger.runs.ended(self.run_id)
        while others := self.ledger.runs.in_hand():
            if datetime.now(UTC) >= self.until:
                self.note(f"Another run is still at work on {', '.join(others[:_SHOWN])}", 6)
                return
            await asyncio.sleep(_LOOK_AGAIN)
            end_dead_runs(self.ledger, self.folder.runs)

    def note(self, text: str, exit_code: int, *, batch_id: str | None = None) -> None:
        text = without_numbers(text)  # files may be named like anything
        named = text if batch_id is None or batch_id in text else f"Batch {batch_id}: {text}"
        problem = Problem(named if named.endswith((".", "!", "?")) else f"{named}.", exit_code)
        if problem not in self.problems:
            self.problems.append(problem)

    def _ours(self, *states: BatchState) -> Sequence[Batch]:
        return self.ledger.history.batches(states=states, owner=self.run_id)


@contextmanager
def started_run(settings: Settings) -> Iterator[Run]:
    """Open the ledger under a lease, bring the spool home, hold what dead runs left, claim the rest."""
    folder = settings.folder
    prepare_folder(folder, with_landing=settings.landing_dir is None)
    for staging in (folder.staging, folder.warehouse_staging):
        sweep(staging, older_than=_ABANDONED)
    with (
        _own_ledger(settings) as ledger,
        run_lease(ledger, runs=folder.runs, lease=settings.lease) as run_id,
    ):
        spool.bring_home(folder, ledger, run_id=run_id)
        take_over(ledger, run_id)
        yield Run(run_id, settings.task_type, ledger, folder, until=datetime.now(UTC) + settings.max_wait)


def take_over(ledger: Ledger, run_id: str) -> None:
    """Hold what dead runs were uploading, unless nothing left their machine, and claim what they own."""
    ledger.runs.left_behind(run_id)
    ledger.runs.unsent(run_id)
    ledger.runs.claimed(run_id)


@contextmanager
def _own_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger, if it is this provider's; nothing is changed in another's."""
    with open_ledger(settings.ledger_address) as ledger:
        ledger.facts.belongs_to_host(settings.host)
        yield ledger


def prepare_folder(folder: DataFolder, *, with_landing: bool) -> None:
    """Make what is missing, and see that it can be written.

    A landing folder of its own place is not made: not being there, it may be not mounted. The warehouse is
    made by the first load, after money was spent: so what stands in its way is told now.
    """
    warehouse = folder.warehouse
    if warehouse.exists() and not (warehouse.is_dir() and os.access(warehouse, os.W_OK | os.X_OK)):
        raise ConfigurationError(
            f"The warehouse {warehouse} is no folder that can be written to; mend that or set "
            "EKYC_WAREHOUSE_DIR."
        )
    try:
        for place in (folder.root, folder.staging, folder.spool, folder.runs):
            private_dir(place)
            tempfile.TemporaryFile(dir=place).close()
        if with_landing:
            private_dir(folder.landing)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder.root} cannot be written to ({error.strerror}); "
            "mend its permissions or set EKYC_DATA_DIR."
        ) from None
