"""The steps as Prefect tasks: open what is needed, call one step, return plain data.

Parameters are ids and counts, for Prefect keeps them in clear. Nothing is cached or persisted:
Prefect's caching would pay twice, the ledger is what remembers. Retries have one owner each: Prefect
for submit (only where nothing was charged), fetch and load; the poll loop for HTTP trouble.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar
from uuid import UUID

from prefect import task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from ekyc_tasks.errors import EkycError, LeaseLost, LedgerError, NotAccepted, ProviderTrouble
from ekyc_tasks.exchange.check_account import AccountCheck, check_account, remember_account
from ekyc_tasks.exchange.check_balance import explain
from ekyc_tasks.exchange.fetch import fetch
from ekyc_tasks.exchange.poll import poll
from ekyc_tasks.exchange.resolve import Resolution, resolve
from ekyc_tasks.exchange.submit import submit
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake.arrivals import find_settled
from ekyc_tasks.ledger import Ledger, connect_ledger
from ekyc_tasks.models import Decision, TaskStatus
from ekyc_tasks.planning.approval import Approval
from ekyc_tasks.planning.plan import plan
from ekyc_tasks.provider import Provider
from ekyc_tasks.reporting.estimate import Estimate, estimate_run, find_landed, ledger_to_look_at
from ekyc_tasks.reporting.markdown import batch_key
from ekyc_tasks.results.load import load, replay
from ekyc_tasks.runs.policies import (
    PlanWishes,
    http_timeouts,
    plan_policy,
    poll_schedule,
    result_hosts,
    upload_policy,
)
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.storage.dataset import reasons
from ekyc_tasks.support.best_effort import courtesy
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.safe_errors import bare, defect

P = ParamSpec("P")
T = TypeVar("T")
_CLOCK = SystemClock()
# Shown in the Prefect UI when PREFECT_LOGGING_EXTRA_LOGGERS names it: ids and counts only.
log = logging.getLogger("ekyc_tasks")
log.setLevel(logging.INFO)


class ApprovalTold(TypedDict):
    """How many numbers, the same in words with what they cost, and a sentence for a person."""

    numbers: int
    what: str
    sentence: str


class PlanCounts(TypedDict):
    """What planning reports to the flow: no number is in it."""

    files: int
    new_batches: int
    unreadable: list[str]  # a sentence for each file that cannot be read
    notes: list[str]  # a sentence for each file that is still being written or holds no number
    approval: ApprovalTold | None  # what a person has to approve before any of it is planned


def _retry_on(*errors: type[EkycError]) -> Callable[[Task[..., Any], TaskRun, State[Any]], bool]:
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


def _guard(step: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
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
def _open_step(run_id: str) -> Iterator[tuple[Settings, StepContext]]:
    with _open_ledger() as (settings, ledger):
        yield settings, StepContext(run_id, ledger, settings.folder, _CLOCK)


@contextmanager
def _open_ledger() -> Iterator[tuple[Settings, Ledger]]:
    settings = load_settings()
    with connect_ledger(settings.ledger_address) as ledger:
        yield settings, ledger


def _provider(settings: Settings) -> Provider:
    return Provider(settings.base_url, settings.require_key(), timeouts=http_timeouts(settings))


@task(name="plan", task_run_name="plan", **_PLAIN)
@_guard
async def plan_files(run_id: str, files: list[str], *, task_type: str, wishes: PlanWishes) -> PlanCounts:
    with _open_step(run_id) as (settings, context):
        policy = replace(plan_policy(settings, wishes), task_type=task_type)
        found = await find_settled(
            context.folder.landing, [Path(file) for file in files], settle=settings.settle, clock=_CLOCK
        )
        done = await plan(found.settled, context, policy)
        for file in done.files:
            name = without_numbers(file.name)
            log.info(
                "%s: %s lines, %s numbers to send", name, f"{file.counts.lines:,}", f"{file.counts.batched:,}"
            )
        unreadable = [without_numbers(each) for each in (*found.unreadable, *done.unreadable)]
        context.ledger.facts.left_in_landing(unreadable)
        return PlanCounts(
            files=len(done.files),
            new_batches=len(done.new_batches),
            unreadable=unreadable,
            notes=[without_numbers(each) for each in (*found.unsettled, *done.notes)],
            approval=_say_asked(done.approval),
        )


def _say_asked(approval: Approval | None) -> ApprovalTold | None:
    if approval is None:
        return None
    return ApprovalTold(numbers=approval.numbers, what=approval.what, sentence=approval.sentence)


@task(name="estimate", task_run_name="estimate", **_PLAIN)
@_guard
async def estimate_files(files: list[str], *, task_type: str, wishes: PlanWishes) -> Estimate:
    settings = load_settings(task_type=task_type)
    policy = plan_policy(settings, wishes)
    with ledger_to_look_at(settings.site) as (ledger, problems):
        found = await find_landed(
            settings.folder.landing,
            [Path(file) for file in files],
            settle=settings.settle,
            clock=_CLOCK,
            is_made_by_run=settings.landing_dir is None,
        )
        context = StepContext("", ledger, settings.folder, _CLOCK)
        return await estimate_run(found, context, policy, upload_policy(settings), problems=problems)


@task(name="explain", task_run_name="explain held batches", **_PLAIN)
@_guard
async def explain_held() -> None:
    """Best asked before anything is uploaded, when no other charge blurs the account."""
    with _open_ledger() as (settings, ledger):
        async with _provider(settings) as provider:
            await explain(ledger=ledger, provider=provider)


class AccountTold(TypedDict):
    """What the account says: a question's name and sentence, or a sentence that is only to be known."""

    question: tuple[str, str] | None
    note: str | None


def _say_found(check: AccountCheck) -> AccountTold:
    question = None if check.question is None else (check.question.name, check.question.text)
    return AccountTold(question=question, note=check.note)


@task(
    name="check account",
    task_run_name="check account",
    retry_condition_fn=_retry_on(),
    **_PLAIN,
    **_RETRIES,
)
@_guard
async def check_spending() -> AccountTold:
    """Before the first upload of a run."""
    with _open_ledger() as (settings, ledger):
        async with _provider(settings) as provider:
            return _say_found(await check_account(ledger, provider))


@task(name="remember account", **_PLAIN)
@_guard
async def remember_spending() -> AccountTold:
    """After the last question of a run that bought or fetched."""
    with _open_ledger() as (settings, ledger):
        async with _provider(settings) as provider:
            return _say_found(await remember_account(ledger, provider))


@task(
    name="submit",
    task_run_name="submit {batch_id}",
    retry_condition_fn=_retry_on(NotAccepted),
    **_PLAIN,
    **_RETRIES,
)
@_guard
async def submit_batch(batch_id: str, run_id: str, until: datetime, budget: float | None) -> str:
    """The state of the batch afterwards."""
    with _open_step(run_id) as (settings, context):
        policy = upload_policy(settings, budget=budget)
        async with _provider(settings) as provider:
            state = await submit(batch_id, context, provider, policy=policy, until=until)
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


@task(name="poll", task_run_name="poll {batch_id}", retry_condition_fn=_retry_on(), **_PLAIN, **_RETRIES)
@_guard
async def poll_batch(batch_id: str, run_id: str, until: datetime) -> bool:
    """Can its result be fetched now?"""
    with _open_step(run_id) as (settings, context):
        async with _provider(settings) as provider:
            return await poll(
                batch_id,
                context,
                provider,
                cadence=poll_schedule(settings),
                until=until,
                grace=settings.unknown_grace,
                told=_ProgressBar(batch_id),
            )


@task(
    name="fetch",
    task_run_name="fetch {batch_id}",
    retry_condition_fn=_retry_on(ProviderTrouble),
    **_PLAIN,
    **_RETRIES,
)
@_guard
async def fetch_batch(batch_id: str, run_id: str) -> bool:
    """True: the archive is ours."""
    with _open_step(run_id) as (settings, context):
        async with _provider(settings) as provider:
            await fetch(
                batch_id,
                context,
                provider,
                hosts=result_hosts(settings),
                timeouts=http_timeouts(settings),
            )
    return True


class Loaded(TypedDict):
    """What loading reports to the flow: reasons and names of columns, never a value."""

    quarantined: dict[str, int]
    drift: list[str]


@task(name="load", task_run_name="load {batch_id}", retry_condition_fn=_retry_on(), **_PLAIN, **_RETRIES)
@_guard
async def load_batch(batch_id: str, run_id: str) -> Loaded | None:
    with _open_step(run_id) as (settings, context):
        report = await asyncio.to_thread(load, batch_id, context, settings.archive_limits)
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
@_guard
async def replay_batch(batch_id: str, run_id: str) -> Replayed:
    with _open_step(run_id) as (settings, context):
        done = await asyncio.to_thread(replay, batch_id, context, settings.archive_limits)
    return Replayed(batch_id=batch_id, has_changed=done.has_changed, accepted=done.report.counts.accepted)


@task(name="resolve", task_run_name="{decision} {batch_id}", **_PLAIN)
@_guard
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
    verdict = Resolution(Decision(decision), who, reason, task_id, is_forced, drop)
    with _open_ledger() as (settings, ledger):
        if verdict.decision is not Decision.ADOPT:
            return await resolve(batch_id, verdict, ledger=ledger, provider=None)
        async with _provider(settings) as provider:
            return await resolve(batch_id, verdict, ledger=ledger, provider=provider)
