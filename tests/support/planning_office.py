"""A data folder and a ledger with one run that plans."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from support.fake_clock import FakeClock

from ekyc_tasks.exchange.resolve import Resolution, resolve
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake.arrivals import find_settled
from ekyc_tasks.ledger import Attempt, Ledger
from ekyc_tasks.models import BatchState, Decision, Outcome, Reconciliation, UploadResult
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.planning.plan import Plan, PlanPolicy, plan, preview
from ekyc_tasks.storage.paths import DataFolder

A, B, C, D = "+41798284651", "+41798284652", "+41798284653", "+41798284654"
POLICY = PlanPolicy(task_type="tg_avatar", batch_size=1000)


@dataclass
class Office:
    """A data folder and a ledger with one run that plans."""

    folder: DataFolder
    ledger: Ledger
    clock: FakeClock
    run_id: str = "run"

    @property
    def context(self) -> StepContext:
        return StepContext(self.run_id, self.ledger, self.folder, self.clock)

    def drop(self, name: str, *lines: str) -> Path:
        path = self.folder.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def plan(self, policy: PlanPolicy = POLICY, *named: Path) -> Plan:
        self.clock.advance(1)
        return asyncio.run(self._plan(policy, named))

    async def _plan(self, policy: PlanPolicy, named: tuple[Path, ...]) -> Plan:
        found = await find_settled(self.folder.landing, named, settle=timedelta(0), clock=self.clock)
        return await plan(found.settled, self.context, policy)

    def preview(self, policy: PlanPolicy = POLICY) -> Plan:
        return asyncio.run(self._preview(policy))

    async def _preview(self, policy: PlanPolicy) -> Plan:
        found = await find_settled(self.folder.landing, (), settle=timedelta(0), clock=self.clock)
        return await preview(found.settled, self.context, policy)

    def sent(self, batch_id: str) -> list[str]:
        return self.folder.batch_file(batch_id).read_text().splitlines()

    def attempt(self, batch_id: str) -> Attempt:
        return self.ledger.uploads.intended(
            uuid4().hex,
            batch_id,
            run_id=self.run_id,
            deadline=timedelta(0),
            price=None,
            budget=NO_BUDGET,
            balance=None,
        )

    def load(self, batch_id: str) -> None:
        """Push a planned batch to LOADED, as if the provider had answered everything."""
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.ACCEPTED, "", 200, task_id=f"task-of-{batch_id}")
        self.ledger.uploads.accepted(attempt.attempt_id, result, run_id=self.run_id)
        self.ledger.progress.fetched(
            batch_id, sha256="", size=0, checked_at=self.clock.now(), run_id=self.run_id
        )
        count = len(self.sent(batch_id))
        self.ledger.progress.loaded(
            batch_id, Reconciliation(count, count, count, 0, 0, 0, 0), run_id=self.run_id
        )

    def hold(self, batch_id: str) -> None:
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.UNKNOWN, "no answer")
        self.ledger.uploads.answered(attempt, result, to=BatchState.HELD, why="no answer")

    def refuse(self, batch_id: str, *, status: int = 400, minimum: int | None = None) -> None:
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.REFUSED, "not like this", status, minimum=minimum)
        self.ledger.uploads.answered(attempt, result, to=BatchState.REFUSED, why=result.words)

    def state(self, batch_id: str) -> BatchState:
        return self.ledger.history.batch(batch_id).state

    def decide(self, batch_id: str, decision: Decision, **more: bool) -> None:
        verdict = Resolution(decision, "tester", **more)
        asyncio.run(resolve(batch_id, verdict, ledger=self.ledger, provider=None))


def fates(file) -> dict[str, int]:
    return {name: lines for name, lines in asdict(file.counts).items() if lines and name != "lines"}


def some(count: int, *, start: int = 0) -> list[str]:
    return [f"+4179828{index:04}" for index in range(start, start + count)]
