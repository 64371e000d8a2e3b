"""One run: what it owns, until when it waits, and what went wrong on the way."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ekyc_tasks.errors import ConfigurationError, ExitCode, LeaseLost
from ekyc_tasks.exchange import spool
from ekyc_tasks.installation import Question, open_one, open_questions
from ekyc_tasks.installation.questions import note_writer
from ekyc_tasks.intake.rules import read_landing_rules
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState, states_where
from ekyc_tasks.planning.batching import fit_into
from ekyc_tasks.planning.repack import can_repack
from ekyc_tasks.runs.lease import end_dead_runs, run_lease
from ekyc_tasks.settings import Settings
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import private_dir, sweep
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.safe_errors import reportable

T = TypeVar("T")
_LOOK_AGAIN_SECONDS = 0.5  # between two looks at what other runs have in hand
_BATCHES_NAMED = 3  # in one sentence
_STALE_STAGING_SECONDS = 24 * 3600.0  # files are staged for minutes


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence for a person, and the exit code that it stands for (DONE: just to know)."""

    text: str
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class Findings:
    """What loading a batch found: rows and cells in quarantine by reason, and what is unlike the contract."""

    quarantined: Mapping[str, int] = field(default_factory=dict)
    drift: Sequence[str] = ()


@dataclass(slots=True)
class Run:
    """Made by `start_run`. ``until``: when to stop waiting for the provider."""

    run_id: str
    task_type: str
    ledger: Ledger
    folder: DataFolder
    until: datetime
    questions: Sequence[Question] = ()
    obstacles: Sequence[Problem] = ()  # to planning: nothing is bought, what is paid for continues
    knows_account: bool = False  # it was asked, before the first upload, what the account spent
    has_dealt: bool = False  # something was bought or fetched
    to_approve: tuple[int, str] | None = None  # so many numbers wait for a person; in words, with their cost
    problems: list[Problem] = field(default_factory=list)
    findings: dict[str, Findings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for question in self.questions:
            self.ask(question)
        for obstacle in self.obstacles:
            self.note(obstacle.text, obstacle.exit_code)

    @property
    def may_buy(self) -> bool:
        """Nothing is planned or sent while a question about the ledger itself is open, or while it is not
        known how files are to be read."""
        return not self.questions and not self.obstacles

    def ask(self, question: Question) -> None:
        self.questions = [*(each for each in self.questions if each != question), question]
        self.note(question.text, ExitCode.PERSON_NEEDED)

    def hear_approval(self, told: Mapping[str, Any] | None) -> None:
        """What `plan_files` says of a plan that waits for a person; None: it does not."""
        if told is not None:
            self.to_approve = told["numbers"], told["what"]
            self.note(told["sentence"], ExitCode.PERSON_NEEDED)

    def hear_account(self, told: Mapping[str, Any] | None) -> None:
        """What `check_spending` or `remember_spending` returned; None: it could not ask, which is noted."""
        if told is None:
            return
        self.knows_account = True
        if told["question"]:
            self.ask(Question(*told["question"]))
        if told["note"]:
            self.note(told["note"], ExitCode.DONE)

    def underway(self) -> list[str]:
        """Our batches that are paid for and not loaded yet."""
        return [batch.batch_id for batch in self._ours(*states_where(lambda state: state.is_underway))]

    def is_fetched(self, batch_id: str) -> bool:
        return self.ledger.history.batch(batch_id).state is BatchState.FETCHED

    def note_findings(self, batch_id: str, findings: Findings) -> None:
        self.findings[batch_id] = findings
        if not self.ledger.history.batch(batch_id).accepted:
            why = "no answer for any of its numbers. Ask the provider why"
            self.note(why, ExitCode.DONE, batch_id=batch_id)

    def has_curable_refusal(self) -> bool:
        return can_repack(self.task_type, ledger=self.ledger)

    def to_submit(self, limit: int | None = None) -> list[str]:
        """Our planned batches, as many as fit into ``limit`` numbers."""
        planned = self._ours(BatchState.PLANNED)
        fitting = fit_into(self._count_left(limit), planned, lambda batch: batch.numbers)
        return [batch.batch_id for batch in fitting]

    def one_by_one(self, limit: int | None = None) -> Iterator[str]:
        """What to submit: our planned batches, and then those that busier runs still have before them."""
        tried: set[str] = set()
        while (batch_id := self._next_to_submit(limit, tried)) is not None:
            tried.add(batch_id)
            yield batch_id

    def _next_to_submit(self, limit: int | None, tried: set[str]) -> str | None:
        ours = (batch_id for batch_id in self.to_submit(limit) if batch_id not in tried)
        return next(ours, None) or self.ledger.runs.relieved(
            self.run_id, largest=self._count_left(limit), but=tried
        )

    def _count_left(self, limit: int | None) -> int | None:
        return None if limit is None else limit - self.ledger.uploads.numbers_sent(self.run_id)

    def owns(self, batch_id: str) -> bool:
        return self.ledger.history.batch(batch_id).owner == self.run_id

    async def attempt(self, work: Awaitable[T], *, batch_id: str | None = None) -> T | None:
        """The result of ``work``, or None with the problem noted: other batches continue."""
        try:
            return await work
        except LeaseLost as error:  # the run that has the batch now continues with it
            self.note(str(error), ExitCode.DONE, batch_id=batch_id)
        except Exception as error:  # of its batch alone, be it a full disk or a defect
            shown = reportable(error)
            self.note(str(shown), shown.exit_code, batch_id=batch_id)
        return None

    async def wait_for_others(self) -> None:
        """Our own work is done and our lease ends, so that two runs never wait for each other. What other
        living runs have in hand is theirs; it is waited for, no longer than ``until``."""
        self.ledger.runs.ended(self.run_id)
        while others := self.ledger.runs.in_hand():
            if datetime.now(UTC) >= self.until:
                named = ", ".join(others[:_BATCHES_NAMED])
                self.note(f"Another run is still working on {named}", ExitCode.WAITING)
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            end_dead_runs(self.ledger, self.folder.runs)

    def note(self, text: str, exit_code: ExitCode, *, batch_id: str | None = None) -> None:
        text = without_numbers(text)  # the name of a file may contain a number
        named = text if batch_id is None or batch_id in text else f"Batch {batch_id}: {text}"
        problem = Problem(named if named.endswith((".", "!", "?")) else f"{named}.", exit_code)
        if problem not in self.problems:
            self.problems.append(problem)

    def _ours(self, *states: BatchState) -> Sequence[Batch]:
        return self.ledger.history.batches(states=states, owner=self.run_id)


@contextmanager
def start_run(settings: Settings) -> Iterator[Run]:
    """Open the one ledger under a lease, import the spool, hold what dead runs left, claim all other batches.

    ConfigurationError, with nothing made, deleted or sent, where the ledger and the folders that the settings
    name do not belong together, or to another provider. What a person must say first is in `Run.questions`.
    """
    site, folder = settings.site, settings.folder
    with open_one(site) as ledger:
        ledger.facts.belongs_to_host(site.host)
        prepare_folder(folder, with_landing=settings.landing_dir is None)
        for staging in (folder.staging, folder.warehouse_staging):
            sweep(staging, older_than=_STALE_STAGING_SECONDS)
        with run_lease(ledger, runs=folder.runs, lease=settings.lease) as run_id:
            spool.bring_home(folder, ledger, run_id=run_id)
            take_over(ledger, run_id)
            note_writer(ledger, site)
            yield Run(
                run_id,
                settings.task_type,
                ledger,
                folder,
                until=datetime.now(UTC) + settings.max_wait,
                questions=open_questions(ledger, site),
                obstacles=list(_find_obstacles(folder)),
            )


def _find_obstacles(folder: DataFolder) -> Iterator[Problem]:
    try:
        read_landing_rules(folder.landing_rules)
    except ConfigurationError as error:
        yield Problem(str(error), error.exit_code)


def take_over(ledger: Ledger, run_id: str) -> None:
    """Hold what dead runs were uploading, unless nothing left their machine, and claim what they own."""
    ledger.runs.left_behind(run_id)
    ledger.runs.unsent(run_id)
    ledger.runs.claimed(run_id)


def prepare_folder(folder: DataFolder, *, with_landing: bool) -> None:
    """Make what is missing in a data folder that is there, and see that it can be written.

    A landing folder of its own place is not made: not being there, it may be not mounted.
    """
    try:
        for place in _working_places(folder):
            private_dir(place)
        if with_landing:
            private_dir(folder.landing)
    except OSError as error:
        raise _unwritable(folder, error) from None
    check_folder(folder)


def check_folder(folder: DataFolder) -> None:
    """ConfigurationError where a run could not write; nothing is made.

    The warehouse is made by the first load, after money was spent: so any obstacle is reported now.
    """
    warehouse = folder.warehouse
    if warehouse.exists() and not (warehouse.is_dir() and os.access(warehouse, os.W_OK | os.X_OK)):
        raise ConfigurationError(
            f"The warehouse {warehouse} is not a folder that can be written to. Fix this, or set "
            "EKYC_WAREHOUSE_DIR."
        )
    if warehouse.exists() and warehouse.stat().st_dev != warehouse.parent.stat().st_dev:
        raise ConfigurationError(
            f"The warehouse {warehouse} is the root folder of a disk, so files prepared beside it cannot be "
            "moved into it. Set EKYC_WAREHOUSE_DIR to a folder on that disk."
        )
    try:
        for place in _working_places(folder):
            if place.exists():
                tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise _unwritable(folder, error) from None


def _working_places(folder: DataFolder) -> tuple[Path, ...]:
    return (folder.root, folder.staging, folder.spool, folder.runs)


def _unwritable(folder: DataFolder, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The data folder {folder.root} cannot be written to ({error.strerror}). "
        "Fix its permissions, or set EKYC_DATA_DIR."
    )
