"""The steps as Prefect tasks: open what is needed, call one step, return plain data.

Parameters are ids and counts, for Prefect keeps them in clear. Nothing is cached or persisted:
Prefect's caching would pay twice, the ledger is what remembers. Retries have one owner each: Prefect
for submit (only where nothing was charged), fetch and load; the poll loop for HTTP trouble.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar
from uuid import UUID

from prefect import task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from ekyc_tasks.cadence import Cadence
from ekyc_tasks.clock import SystemClock
from ekyc_tasks.courtesy import courtesy
from ekyc_tasks.dataset import reasons
from ekyc_tasks.defects import bare, defect
from ekyc_tasks.errors import EkycError, LeaseLost, LedgerError, NotAccepted, ProviderTrouble
from ekyc_tasks.estimate import Estimate, estimated, ledger_to_look_at, plan_policy
from ekyc_tasks.ledger import Ledger, connect_ledger
from ekyc_tasks.models import Decision, TaskStatus
from ekyc_tasks.money import Budget
from ekyc_tasks.pages import batch_key
from ekyc_tasks.provider import Provider, ResultHosts, Timeouts
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.steps.arrivals import settled_arrivals
from ekyc_tasks.steps.explain import explain
from ekyc_tasks.steps.fetch import fetch
from ekyc_tasks.steps.load import load, replay
from ekyc_tasks.steps.plan import plan
from ekyc_tasks.steps.poll import poll
from ekyc_tasks.steps.resolve import Verdict, resolve
from ekyc_tasks.steps.submit import UploadPolicy, submit

P = ParamSpec("P")
T = TypeVar("T")
_CLOCK = SystemClock()
# Shown in the Prefect UI when PREFECT_LOGGING_EXTRA_LOGGERS names it: ids and counts only.
log = logging.getLogger("ekyc_tasks")
log.setLevel(logging.INFO)


class PlanCounts(TypedDict):
    """What planning reports to the flow: no number is in it."""

    files: int
    new_batches: int
    unreadable: list[str]  # a sentence for each file that cannot be read
    notes: list[str]  # a sentence for each file that is still being written or holds no number


def _retried_on(*errors: type[EkycError]) -> Callable[[Task[..., Any], TaskRun, State[Any]], bool]:
    """Retry only these, and a ledger that could not be used; never a batch that is another run's now."""

    def is_worth_it(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
        error = getattr(state, "data", None)
        return isinstance(error, (*errors, LedgerError)) and not isinstance(error, LeaseLost)

    return is_worth_it


_PLAIN: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
_RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.2,
}


def _guarded(step: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Prefect keeps the text of what a task raises: only texts that are ours, or the file system's."""

    @wraps(step)
    async def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return await step(*arguments, **options)
        except EkycError:
            raise
        except OSError as error:
            raise bare(error) from None
        except Exception as error:
            raise defect(error) from None

    return guarded


@contextmanager
def _opened() -> Iterator[tuple[Settings, Ledger]]:
    settings = load_settings()
    with connect_ledger(settings.ledger_address) as ledger:
        yield settings, ledger


def _provider(settings: Settings) -> Provider:
    return Provider(settings.base_url, settings.require_key(), timeouts=_timeouts(settings))


def _timeouts(settings: Settings) -> Timeouts:
    seconds = settings.http_timeout.total_seconds()
    return Timeouts(connect=min(10.0, seconds), read=seconds, write=seconds)


@task(name="plan", task_run_name="plan", **_PLAIN)
@_guarded
async def plan_files(
    run_id: str, files: list[str], *, task_type: str, limit: int | None, recheck: bool
) -> PlanCounts:
    with _opened() as (settings, ledger):
        folder = settings.folder
        found = await settled_arrivals(
            folder.landing, [Path(file) for file in files], settle=settings.settle, clock=_CLOCK
        )
        policy = replace(plan_policy(settings, limit=limit, recheck=recheck), task_type=task_type)
        done = await plan(
            found.settled, run_id=run_id, ledger=ledger, folder=folder, policy=policy, clock=_CLOCK
        )
        for file in done.files:
            name = without_numbers(file.name)
            log.info("%s: %s lines, %s numbers to send", name, f"{file.lines:,}", f"{file.batched:,}")
        unreadable = [without_numbers(each) for each in (*found.unreadable, *done.unreadable)]
        ledger.facts.left_in_landing(unreadable)
        return PlanCounts(
            files=len(done.files),
            new_batches=len(done.new_batches),
            unreadable=unreadable,
            notes=[without_numbers(each) for each in (*found.unsettled, *done.notes)],
        )


@task(name="estimate", task_run_name="estimate", **_PLAIN)
@_guarded
async def estimate_files(files: list[str], *, task_type: str, limit: int | None, recheck: bool) -> Estimate:
    settings = load_settings(task_type=task_type)
    with ledger_to_look_at(settings) as ledger:
        paths = [Path(file) for file in files]
        return await estimated(settings, ledger, paths, clock=_CLOCK, limit=limit, recheck=recheck)


@task(name="explain", task_run_name="explain held batches", **_PLAIN)
@_guarded
async def explain_held() -> None:
    """Best asked before anything is uploaded, when no other charge blurs the account."""
    with _opened() as (settings, ledger):
        if ledger.uploads.unexplained():
            async with _provider(settings) as provider:
                await explain(ledger=ledger, provider=provider)


@task(
    name="submit",
    task_run_name="submit {batch_id}",
    retry_condition_fn=_retried_on(NotAccepted),
    **_PLAIN,
    **_RETRIES,
)
@_guarded
async def submit_batch(batch_id: str, run_id: str, until: datetime, budget: float | None) -> str:
    """The state of the batch afterwards."""
    with _opened() as (settings, ledger):
        limit = settings.budget_run if budget is None else Decimal(str(budget))
        policy = UploadPolicy(
            deadline=settings.upload_deadline,
            hold_on_500=settings.on_500 == "hold",
            price_per_10k=settings.price_per_10k,
            budget=Budget(run=limit, day=settings.budget_day, month=settings.budget_month),
        )
        async with _provider(settings) as provider:
            state = await submit(
                batch_id,
                run_id=run_id,
                ledger=ledger,
                provider=provider,
                folder=settings.folder,
                policy=policy,
                clock=_CLOCK,
                until=until,
            )
        log.info("Batch %s is %s", batch_id, state)
        return state


class _ProgressBar:
    """One artifact for a batch that is waited for, brought up to date with each answer."""

    def __init__(self, batch_id: str) -> None:
        self._key = batch_key(batch_id)
        self._artifact: UUID | None = None

    async def __call__(self, status: TaskStatus) -> None:
        share = min(100.0, 100 * (status.success or 0) / status.total) if status.total else 0.0
        words = f"{status.status}: {status.success or 0:,} of {status.total or 0:,} numbers checked"
        with courtesy(f"The progress of {self._key}"):
            if self._artifact is None:
                self._artifact = await acreate_progress_artifact(share, key=self._key, description=words)
            else:
                await aupdate_progress_artifact(self._artifact, progress=share, description=words)


@task(name="poll", task_run_name="poll {batch_id}", retry_condition_fn=_retried_on(), **_PLAIN, **_RETRIES)
@_guarded
async def poll_batch(batch_id: str, run_id: str, until: datetime) -> bool:
    """Can its result be fetched now?"""
    with _opened() as (settings, ledger):
        cadence = Cadence(
            shortest=min(settings.poll_min, settings.poll_max).total_seconds(),
            longest=settings.poll_max.total_seconds(),
            random=random.random,
        )
        async with _provider(settings) as provider:
            return await poll(
                batch_id,
                run_id=run_id,
                ledger=ledger,
                provider=provider,
                cadence=cadence,
                clock=_CLOCK,
                until=until,
                grace=settings.unknown_grace,
                told=_ProgressBar(batch_id),
            )


@task(
    name="fetch",
    task_run_name="fetch {batch_id}",
    retry_condition_fn=_retried_on(ProviderTrouble),
    **_PLAIN,
    **_RETRIES,
)
@_guarded
async def fetch_batch(batch_id: str, run_id: str) -> bool:
    """True: the archive is ours."""
    with _opened() as (settings, ledger):
        async with _provider(settings) as provider:
            await fetch(
                batch_id,
                run_id=run_id,
                ledger=ledger,
                provider=provider,
                folder=settings.folder,
                hosts=ResultHosts(settings.result_hosts, is_local=settings.is_local),
                timeouts=_timeouts(settings),
                clock=_CLOCK,
            )
    return True


class Loaded(TypedDict):
    """What loading reports to the flow: reasons and names of columns, never a value."""

    quarantined: dict[str, int]
    drift: list[str]


@task(name="load", task_run_name="load {batch_id}", retry_condition_fn=_retried_on(), **_PLAIN, **_RETRIES)
@_guarded
async def load_batch(batch_id: str, run_id: str) -> Loaded | None:
    with _opened() as (settings, ledger):
        report = await asyncio.to_thread(
            load,
            batch_id,
            run_id=run_id,
            ledger=ledger,
            folder=settings.folder,
            limits=settings.archive_limits,
        )
    if report is None:
        return None
    log.info(
        "Batch %s: %s; dialect %s, read %s",
        batch_id,
        report.counts.summary,
        report.dialect,
        without_numbers(", ".join(report.members_read)) or "the file itself",
    )
    drift = [without_numbers(sentence) for sentence in report.drift]  # a header is anybody's words
    for sentence in drift:
        log.info("Batch %s: %s", batch_id, sentence)
    path = report.quarantine_path
    return Loaded(quarantined=reasons(path) if path else {}, drift=drift)


class Replayed(TypedDict):
    batch_id: str
    has_changed: bool
    accepted: int


@task(name="replay", task_run_name="replay {batch_id}", **_PLAIN)
@_guarded
async def replay_batch(batch_id: str, run_id: str) -> Replayed:
    with _opened() as (settings, ledger):
        done = await asyncio.to_thread(
            replay,
            batch_id,
            run_id=run_id,
            ledger=ledger,
            folder=settings.folder,
            limits=settings.archive_limits,
        )
    return Replayed(batch_id=batch_id, has_changed=done.has_changed, accepted=done.report.counts.accepted)


@task(name="resolve", task_run_name="{decision} {batch_id}", **_PLAIN)
@_guarded
async def resolve_batch(
    batch_id: str,
    *,
    decision: str,
    task_id: str | None,
    who: str,
    reason: str,
    is_forced: bool,
    drop: bool,
) -> str:
    """The state of the batch afterwards."""
    verdict = Verdict(Decision(decision), who, reason, task_id, is_forced, drop)
    with _opened() as (settings, ledger):
        if verdict.decision is not Decision.ADOPT:
            return await resolve(batch_id, verdict, ledger=ledger, provider=None)
        async with _provider(settings) as provider:
            return await resolve(batch_id, verdict, ledger=ledger, provider=provider)
