"""The way of a batch: plan → submit → poll → fetch → load. Open this file first.

Each run continues every unfinished batch from its last recorded step. A run may die at any moment: the
ledger records what was begun, and the next run continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from ekyc_tasks.errors import ExitCode
from ekyc_tasks.flows.endings import end_state, fail_state, foretold
from ekyc_tasks.flows.names import name_before, rename
from ekyc_tasks.flows.parameters import EVERYTHING, CheckRequest
from ekyc_tasks.models import BatchState
from ekyc_tasks.runs.session import Findings, Run, start_run
from ekyc_tasks.tasks import (
    check_spending,
    estimate_files,
    explain_held,
    fetch_batch,
    load_batch,
    plan_files,
    poll_batch,
    remember_spending,
    submit_batch,
)


@flow(name="check-numbers", flow_run_name=name_before, persist_result=False)
async def check_numbers(request: CheckRequest = EVERYTHING) -> State[dict[str, Any]]:
    """Read the numbers in the landed files, buy the answers, and load them into the dataset."""
    try:
        if request.dry_run:
            return await forecast(request)
        with start_run(request.settings()) as run:
            await plan(run, request)
            if run.ledger.uploads.unexplained():
                await run.attempt(explain_held())
            async with side_by_side() as following:
                for batch_id in run.underway():
                    following.create_task(follow(run, batch_id))
                await send(run, request, following)
                if run.may_buy and run.has_curable_refusal():  # in another size, once
                    await plan(run, request)
                    await send(run, request, following)
            if run.has_dealt:
                run.hear_account(await run.attempt(remember_spending()))
            await run.wait_for_others()
            return await end_state(run)
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return fail_state(error)


@asynccontextmanager
async def side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """Prefect knows a cancelled run by its signal, and does not look for one in a group of errors."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        signals_first = sorted(errors.exceptions, key=lambda error: isinstance(error, Exception))
        raise signals_first[0] from None


async def forecast(request: CheckRequest) -> State[dict[str, Any]]:
    """Show what a run would do now; it sends nothing and writes nothing."""
    estimate = await estimate_files(
        request.files, task_type=request.settings().task_type, wishes=request.wishes
    )
    return await foretold(estimate)


async def plan(run: Run, request: CheckRequest) -> None:
    if not run.may_buy:  # a question is open, or landing.toml is not right; paid work continues
        return
    planned = await run.attempt(
        plan_files(run.run_id, request.files, task_type=run.task_type, wishes=request.wishes)
    )
    for sentence in planned["unreadable"] if planned else ():
        run.note(sentence, ExitCode.INPUT)
    for sentence in planned["notes"] if planned else ():
        run.note(sentence, ExitCode.DONE)
    run.hear_approval(planned["approval"] if planned else None)
    await rename(run, planned["files"] if planned else 0)


async def send(run: Run, request: CheckRequest, following: asyncio.TaskGroup) -> None:
    if not run.may_buy:
        return
    for batch_id in run.one_by_one(request.limit or None):  # uploads go one at a time
        if not await is_explained(run):
            break
        state = await submit(run, batch_id, request.budget or None)
        if state is None and run.owns(batch_id):  # the next batch would fail for the same reason
            break
        if state == BatchState.SUBMITTED:
            run.has_dealt = True
            following.create_task(follow(run, batch_id))


async def is_explained(run: Run) -> bool:
    """Once a run, before its first upload: does the ledger explain what the account spent?"""
    if not run.knows_account:
        run.hear_account(await run.attempt(check_spending()))
    return run.knows_account and run.may_buy


async def submit(run: Run, batch_id: str, budget: float | None) -> str | None:
    return await run.attempt(submit_batch(batch_id, run.run_id, run.until, budget), batch_id=batch_id)


async def follow(run: Run, batch_id: str) -> None:
    """A batch that is ready early is loaded early, while others still wait."""
    if run.is_fetched(batch_id) or await poll_and_fetch(run, batch_id):
        loaded = await run.attempt(load_batch(batch_id, run.run_id), batch_id=batch_id)
        if loaded:
            run.note_findings(batch_id, Findings(**loaded))


async def poll_and_fetch(run: Run, batch_id: str) -> bool:
    """Is the provider ready, and is the archive ours now? Both need the key; loading does not."""
    is_ready = await run.attempt(poll_batch(batch_id, run.run_id, run.until), batch_id=batch_id)
    has_come = bool(is_ready and await run.attempt(fetch_batch(batch_id, run.run_id), batch_id=batch_id))
    run.has_dealt = run.has_dealt or has_come
    return has_come
