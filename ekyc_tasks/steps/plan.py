"""Turn landed files into batches.

Planning is exclusive. It works on private copies, commits files and batches in one transaction, and
only then removes what landed. Killed anywhere, a file is planned once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ekyc_tasks.clock import Clock
from ekyc_tasks.disk import private_dir, publish, staged
from ekyc_tasks.errors import InputError
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.keys import Keys
from ekyc_tasks.landing import Arrival, take_copy
from ekyc_tasks.ledger import Batch, LandedFile, Ledger, NewBatch
from ekyc_tasks.models import BatchState
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.sent import sweep, write_batch
from ekyc_tasks.steps.drafts import Draft, Plan, PlanPolicy, drafted
from ekyc_tasks.steps.heal import heal
from ekyc_tasks.steps.taking import Taken, counted
from ekyc_tasks.steps.turns import planning_turn

__all__ = ["Plan", "PlanPolicy", "plan", "preview"]

log = logging.getLogger(__name__)

_WRITERS = 2  # one waits for the disk while the other makes text


async def plan(
    arrivals: Sequence[Arrival],
    *,
    run_id: str,
    ledger: Ledger,
    folder: DataFolder,
    policy: PlanPolicy,
    clock: Clock,
) -> Plan:
    """Plan what landed, and again what waits; raises InputError when what was sent cannot be read."""
    private_dir(folder.root)
    planner = Planner(run_id=run_id, ledger=ledger, folder=folder, policy=policy, clock=clock)
    return await asyncio.to_thread(planner.run, arrivals)


async def preview(
    arrivals: Sequence[Arrival], *, ledger: Ledger, folder: DataFolder, policy: PlanPolicy, clock: Clock
) -> Plan:
    """What `plan` would do now. Nothing is written, in the data folder or in the ledger."""
    planner = Planner(run_id="", ledger=ledger, folder=folder, policy=policy, clock=clock)
    return await asyncio.to_thread(planner.preview, arrivals)


class Planner:
    """One planning; `run` does it whole, `preview` only looks."""

    def __init__(
        self, *, run_id: str, ledger: Ledger, folder: DataFolder, policy: PlanPolicy, clock: Clock
    ) -> None:
        self._run_id = run_id
        self._ledger = ledger
        self._folder = folder
        self._policy = policy
        self._now = clock.now()
        # Ids sort by time, then by place in the plan.
        self._stem = f"{self._now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self._unreadable: list[str] = []

    def run(self, arrivals: Sequence[Arrival]) -> Plan:
        with planning_turn(self._folder, self._ledger, self._run_id):
            sweep(self._folder, self._ledger.plans.batch_ids())
            healed = heal(self._policy.task_type, ledger=self._ledger, run_id=self._run_id)
            self._take_apart()
            taken = [*self._taken_again(), *self._taken_new(arrivals)]
            draft = self._drafted(taken)
            self._commit(draft)
            self._remove_landed(taken)
            return replace(draft.plan(self._unreadable), healed=tuple(healed))

    def preview(self, arrivals: Sequence[Arrival]) -> Plan:
        taken = [*self._taken_again(), *self._looked_at(arrivals)]
        return self._drafted(taken).plan(self._unreadable)

    def _take_apart(self) -> None:
        """Our planned batches above a limit, or below what the provider takes, are packed again."""
        ours = self._ledger.history.batches(states=[BatchState.PLANNED], owner=self._run_id)
        ours = [batch for batch in ours if batch.task_type == self._policy.task_type]
        if (first := self._policy.first) is not None:
            large = [batch.batch_id for batch in ours if batch.numbers > first]
            self._release(large, f"packed again for a limit of {first:,} numbers")
        minimum = self._ledger.uploads.minimum(self._policy.task_type)
        small = [batch.batch_id for batch in ours if batch.numbers < minimum and self._is_untried(batch)]
        self._release(small, f"packed again for the provider's minimum of {minimum:,} numbers")

    def _release(self, batch_ids: list[str], why: str) -> None:
        if batch_ids:
            self._ledger.plans.released(batch_ids, why=why, run_id=self._run_id)

    def _is_untried(self, batch: Batch) -> bool:
        """What a person resubmits goes as it is."""
        return not self._ledger.uploads.of_batch(batch.batch_id)

    # --- reading ------------------------------------------------------------------------------------------

    def _taken_again(self) -> Iterator[Taken]:
        """Files some of whose numbers wait for company or were released."""
        for file in self._ledger.plans.to_plan_again(self._policy.task_type):
            try:
                yield counted(file, self._folder.input_file(file.sha256), reading=self._policy)
            except InputError as error:
                self._unreadable.append(str(error))

    def _taken_new(self, arrivals: Sequence[Arrival]) -> Iterator[Taken]:
        for index, arrival in enumerate(arrivals, start=1):
            if self._was_planned(arrival):
                self._remove(arrival)
                continue
            try:
                yield self._taken(arrival, file_id=f"{self._stem}-f{index:03}")
            except InputError as error:
                self._unreadable.append(str(error))

    def _taken(self, arrival: Arrival, *, file_id: str) -> Taken:
        """Our copy is in inputs/ and its rejected lines in the quarantine before anybody hears of it."""
        staging = self._folder.staging
        with staged(staging) as copy, staged(staging) as rejects:
            digest = take_copy(arrival, copy)
            file = self._landed(arrival, file_id, digest)
            taken = counted(file, copy, reading=self._policy, arrival=arrival, rejects=rejects)
            if not self._folder.input_file(digest).exists():
                copy.chmod(0o400)
                publish(copy, self._folder.input_file(digest))
            if taken.file.rejected:
                publish(rejects, self._folder.rejected_file(digest))
        return taken

    def _looked_at(self, arrivals: Sequence[Arrival]) -> Iterator[Taken]:
        """The files where they lie, for a preview."""
        for index, arrival in enumerate(arrivals, start=1):
            if self._was_planned(arrival):
                continue
            try:
                file = self._landed(arrival, f"{self._stem}-f{index:03}", "")
                yield counted(file, arrival.path, reading=self._policy, arrival=arrival)
                arrival.require_unchanged()
            except InputError as error:
                self._unreadable.append(str(error))

    def _was_planned(self, arrival: Arrival) -> bool:
        return arrival.has_landed and self._ledger.plans.planned_before(str(arrival.path), arrival.identity)

    def _landed(self, arrival: Arrival, file_id: str, digest: str) -> LandedFile:
        return LandedFile(
            file_id=file_id,
            name=arrival.name,
            sha256=digest,
            size=arrival.size,
            path=str(arrival.path),
            identity=arrival.identity,
            task_type=self._policy.task_type,
            planned_at=self._now,
            run_id=self._run_id,
            replan=0,
        )

    # --- writing ------------------------------------------------------------------------------------------

    def _drafted(self, taken: Sequence[Taken]) -> Draft:
        return drafted(
            taken,
            ledger=self._ledger,
            folder=self._folder,
            policy=self._policy,
            now=self._now,
            stem=self._stem,
        )

    def _commit(self, draft: Draft) -> None:
        if not draft.files:
            return
        with ThreadPoolExecutor(_WRITERS) as writers:
            batches = list(writers.map(self._written, draft.batches))
        self._ledger.plans.planned(
            landed=draft.files,
            new_batches=batches,
            links=draft.links,
            task_type=self._policy.task_type,
            run_id=self._run_id,
        )

    def _written(self, batch: tuple[str, Keys]) -> NewBatch:
        batch_id, keys = batch
        return NewBatch(batch_id, len(keys), write_batch(self._folder, batch_id, keys))

    def _remove_landed(self, taken: Sequence[Taken]) -> None:
        for each in taken:
            if each.arrival is not None and each.arrival.has_landed:
                self._remove(each.arrival)

    def _remove(self, arrival: Arrival) -> None:
        """What lies there now may be a new arrival of the same name: then it stays."""
        if not arrival.is_unchanged():
            return
        try:
            arrival.path.unlink()
        except OSError as error:
            log.warning(
                "%s was planned and cannot be removed from the landing folder (%s); it is not planned again.",
                without_numbers(arrival.name),
                error.strerror,
            )
