"""Turn landed files into batches.

Planning is exclusive. It works on private copies, commits files and batches in one transaction, and
only then removes what landed. Killed anywhere, a file is planned once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from ekyc_tasks.errors import InputError
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.orphans import find_known_files
from ekyc_tasks.installation.write_intents import Intent, intent, sweep_uncommitted
from ekyc_tasks.intake import Arrival, take_copy
from ekyc_tasks.intake.do_not_send import describe_misnamed, find_misnamed, require_not_the_list
from ekyc_tasks.intake.mostly_rejected import require_mostly_numbers
from ekyc_tasks.intake.read_numbers import Observer, ReadFile, read_file
from ekyc_tasks.intake.rules import ReadingRules
from ekyc_tasks.ledger import Batch, LandedFile, NewBatch
from ekyc_tasks.models import BatchState
from ekyc_tasks.phone.msisdns import Msisdns
from ekyc_tasks.planning.draft import Draft, Plan, PlanPolicy, make_draft
from ekyc_tasks.planning.due_again import count_due_again
from ekyc_tasks.planning.lock import planning_lock
from ekyc_tasks.planning.repack import repack_refused
from ekyc_tasks.storage.batch_files import write_batch
from ekyc_tasks.support.atomic_files import discard, private_dir, publish, stage_file
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import count

__all__ = ["Plan", "PlanPolicy", "plan", "preview"]

log = logging.getLogger(__name__)

Observe = Callable[[Arrival], Observer]

_WRITERS = 2  # one waits for the disk while the other makes text


async def plan(arrivals: Sequence[Arrival], context: StepContext, policy: PlanPolicy) -> Plan:
    """Plan what landed, and again what waits; raises InputError when what was sent cannot be read."""
    private_dir(context.folder.root)
    return await asyncio.to_thread(Planner(context, policy).run, arrivals)


async def preview(
    arrivals: Sequence[Arrival], context: StepContext, policy: PlanPolicy, observe: Observe | None = None
) -> Plan:
    """What `plan` would do now. Nothing is written, in the data folder or in the ledger. ``observe``: who
    looks on while a file is read."""
    return await asyncio.to_thread(Planner(context, policy).preview, arrivals, observe)


class _NotApproved(Exception):
    """Ends the block of an intent, so that what it announced is swept."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


class Planner:
    """One planning; `run` does it whole, `preview` only looks."""

    def __init__(self, context: StepContext, policy: PlanPolicy) -> None:
        self._context = context
        self._ledger = context.ledger
        self._folder = context.folder
        self._policy = policy
        self._now = context.clock.now()
        # Ids sort by time, then by place in the plan.
        self._stem = f"{self._now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self._unreadable: list[str] = []

    def run(self, arrivals: Sequence[Arrival]) -> Plan:
        with planning_lock(self._context):
            sweep_uncommitted(self._folder, self._find_known)
            healed = repack_refused(self._policy.task_type, self._context)
            self._take_apart()
            try:
                with intent(self._folder, self._stem) as files:
                    taken = [*self._take_again(), *self._take_new(arrivals, files)]
                    draft = self._make_draft(taken)
                    self._commit(draft, files)
            except _NotApproved as asked:
                return replace(self._withdraw(asked.draft), healed=tuple(healed))
            self._remove_landed(taken)
            done = draft.plan(self._unreadable)
            return replace(done, healed=tuple(healed), misnamed=self._describe_misnamed())

    def preview(self, arrivals: Sequence[Arrival], observe: Observe | None = None) -> Plan:
        taken = [*self._take_again(), *self._look_at(arrivals, observe)]
        draft = self._make_draft(taken)
        keys = [keys for _, keys in draft.batches]
        due_again = count_due_again(keys, self._context, self._policy, now=self._now)
        looked = draft.plan(self._unreadable)
        return replace(looked, due_again=due_again, misnamed=self._describe_misnamed())

    def _describe_misnamed(self) -> tuple[str, ...]:
        path = self._folder.do_not_send
        return tuple(describe_misnamed(each, path) for each in find_misnamed(path))

    def _find_known(self, files: Sequence[Path]) -> set[Path]:
        return find_known_files(self._folder, self._ledger, files)

    def _take_apart(self) -> None:
        """Our planned batches above a limit, or below what the provider takes, are packed again."""
        ours = self._ledger.history.batches(states=[BatchState.PLANNED], owner=self._context.run_id)
        ours = [batch for batch in ours if batch.task_type == self._policy.task_type]
        if (first := self._policy.first) is not None:
            large = [batch.batch_id for batch in ours if batch.numbers > first]
            self._release(large, f"planned again for a limit of {first:,} numbers")
        minimum = self._ledger.uploads.minimum(self._policy.task_type)
        small = [batch.batch_id for batch in ours if batch.numbers < minimum and self._is_untried(batch)]
        self._release(small, f"planned again for the provider's minimum of {minimum:,} numbers")

    def _release(self, batch_ids: list[str], why: str) -> None:
        if batch_ids:
            self._ledger.plans.released(batch_ids, why=why, run_id=self._context.run_id)

    def _is_untried(self, batch: Batch) -> bool:
        """What a person resubmits goes as it is."""
        return not self._ledger.uploads.of_batch(batch.batch_id)

    # --- reading ------------------------------------------------------------------------------------------

    def _take_again(self) -> Iterator[ReadFile]:
        """Files with numbers that are below the minimum batch size, or that were released."""
        for file in self._ledger.plans.to_plan_again(self._policy.task_type):
            reading = self._policy.reading.rules_again(file.reading)
            try:
                again = read_file(file, self._folder.input_file(file.sha256), reading=reading)
                _refuse_more_numbers(file, again)
                yield again
            except InputError as error:
                self._unreadable.append(str(error))

    def _take_new(self, arrivals: Sequence[Arrival], files: Intent) -> Iterator[ReadFile]:
        for index, arrival in enumerate(arrivals, start=1):
            if self._was_planned(arrival):
                self._remove(arrival)
                continue
            try:
                yield self._take(arrival, files, file_id=f"{self._stem}-f{index:03}")
            except InputError as error:
                self._unreadable.append(str(error))

    def _take(self, arrival: Arrival, files: Intent, *, file_id: str) -> ReadFile:
        """Our copy is in inputs/ and its rejected lines in the quarantine before anybody hears of it."""
        reading = self._policy.reading.rules_for(arrival)
        staging = self._folder.staging
        with stage_file(staging) as copy, stage_file(staging) as rejects:
            digest = take_copy(arrival, copy)
            file = self._describe_landed(arrival, file_id, digest)
            taken = self._read_landed(file, copy, reading, arrival, rejects=rejects)
            kept = self._folder.input_file(digest)
            if not kept.exists():
                files.announce(kept)
                copy.chmod(0o400)
                publish(copy, kept)
            if taken.file.counts.rejected:
                publish(rejects, self._folder.rejects_file(digest))
        return taken

    def _look_at(self, arrivals: Sequence[Arrival], observe: Observe | None) -> Iterator[ReadFile]:
        """The files in their own places, for a preview."""
        for index, arrival in enumerate(arrivals, start=1):
            if self._was_planned(arrival):
                continue
            observer = observe(arrival) if observe is not None else None
            try:
                reading = self._policy.reading.rules_for(arrival)
                file = self._describe_landed(arrival, f"{self._stem}-f{index:03}", "")
                taken = self._read_landed(file, arrival.path, reading, arrival, observer=observer)
                arrival.require_unchanged()
                yield taken
            except InputError as error:
                if observer is not None:
                    observer.refuse(error)
                self._unreadable.append(str(error))

    def _read_landed(
        self,
        file: LandedFile,
        path: Path,
        reading: ReadingRules,
        arrival: Arrival,
        *,
        rejects: Path | None = None,
        observer: Observer | None = None,
    ) -> ReadFile:
        """Only what has just landed is asked about: what is planned again was taken before."""
        require_not_the_list(file.name, self._folder.do_not_send)
        read = read_file(file, path, reading=reading, arrival=arrival, rejects=rejects, observer=observer)
        require_mostly_numbers(read, most_rejected=self._policy.most_rejected)
        return read

    def _was_planned(self, arrival: Arrival) -> bool:
        return arrival.has_landed and self._ledger.plans.planned_before(str(arrival.path), arrival.identity)

    def _describe_landed(self, arrival: Arrival, file_id: str, digest: str) -> LandedFile:
        return LandedFile(
            file_id=file_id,
            name=arrival.name,
            sha256=digest,
            size=arrival.size,
            path=str(arrival.path),
            identity=arrival.identity,
            task_type=self._policy.task_type,
            planned_at=self._now,
            run_id=self._context.run_id,
            replan=0,
        )

    # --- writing ------------------------------------------------------------------------------------------

    def _make_draft(self, taken: Sequence[ReadFile]) -> Draft:
        return make_draft(taken, self._context, self._policy, now=self._now, stem=self._stem)

    def _commit(self, draft: Draft, files: Intent) -> None:
        if draft.approval is not None:
            raise _NotApproved(draft)
        if not draft.files:
            return
        files.announce(*(file for batch_id, _ in draft.batches for file in self._folder.files_of(batch_id)))
        with ThreadPoolExecutor(_WRITERS) as writers:
            batches = list(writers.map(self._write_batch, draft.batches))
        self._ledger.plans.planned(
            landed=draft.files,
            new_batches=batches,
            links=draft.links,
            task_type=self._policy.task_type,
            run_id=self._context.run_id,
        )

    def _withdraw(self, draft: Draft) -> Plan:
        """All is as if no file had been read; batches that were taken apart wait to be planned."""
        sweep_uncommitted(self._folder, self._find_known)
        known = self._ledger.plans.input_digests()
        for file in draft.files:
            if file.sha256 not in known:
                discard(self._folder.rejects_file(file.sha256))
        return Plan(unreadable=tuple(self._unreadable), approval=draft.approval)

    def _write_batch(self, batch: tuple[str, Msisdns]) -> NewBatch:
        batch_id, keys = batch
        return NewBatch(batch_id, len(keys), write_batch(self._folder, batch_id, keys))

    def _remove_landed(self, taken: Sequence[ReadFile]) -> None:
        for each in taken:
            if each.arrival is not None and each.arrival.has_landed:
                self._remove(each.arrival)

    def _remove(self, arrival: Arrival) -> None:
        """The file there may be a new arrival of the same name by now: then it stays."""
        if not arrival.is_unchanged():
            return
        try:
            arrival.path.unlink()
        except OSError as error:
            log.warning(
                "%s was planned, but cannot be removed from the landing folder (%s). Remove it yourself; "
                "it is not planned again.",
                without_numbers(arrival.name),
                error.strerror,
            )


def _refuse_more_numbers(before: LandedFile, again: ReadFile) -> None:
    """A newer program, or a changed setting for a file of an older one, may find more in the same file."""
    counts = before.counts
    planned = counts.do_not_send + counts.known + counts.in_flight + counts.waiting + counts.batched
    if len(again.keys) > planned:
        raise InputError(
            f"{before.name} has {count(len(again.keys), 'number')} now and had {planned:,} when it was "
            "planned, so those that wait were not sent. To send them, drop the file again."
        )
