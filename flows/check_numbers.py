"""The way of a batch: plan → submit → poll → fetch → load. Open this file first.

A run is only a hand that pushes whatever is unfinished one step further. It may die anywhere; the
ledger knows what was begun, and the next run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from ekyc_tasks.models import BatchState
from ekyc_tasks.run import Findings, Run, started_run
from ekyc_tasks.tasks import (
    estimate_files,
    explain_held,
    fetch_batch,
    load_batch,
    plan_files,
    poll_batch,
    submit_batch,
)
from flows.endings import ended, failed, foretold
from flows.names import name_before, rename
from flows.parameters import EVERYTHING, CheckRequest


@flow(name="check-numbers", flow_run_name=name_before, persist_result=False)
async def check_numbers(request: CheckRequest = EVERYTHING) -> State[dict[str, Any]]:
    """Take landed numbers, buy the answers, and load them into the dataset."""
    try:
        if request.dry_run:
            return await forecast(request)
        with started_run(request.settings()) as run:
            await plan(run, request)
            if run.ledger.uploads.unexplained():
                await run.attempt(explain_held())
            async with side_by_side() as following:
                for batch_id in run.underway():
                    following.create_task(follow(run, batch_id))
                await send(run, request, following)
                if run.has_curable_refusal():  # in another size, once
                    await plan(run, request)
                    await send(run, request, following)
            await run.wait_for_others()
            return await ended(run)
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return failed(error)


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
    """What a run would do now; it sends nothing and writes nothing."""
    estimate = await estimate_files(
        request.files,
        task_type=request.settings().task_type,
        limit=request.limit or None,
        recheck=request.recheck,
    )
    return await foretold(estimate)


async def plan(run: Run, request: CheckRequest) -> None:
    planned = await run.attempt(
        plan_files(
            run.run_id,
            request.files,
            task_type=run.task_type,
            limit=request.limit or None,
            recheck=request.recheck,
        )
    )
    for sentence in planned["unreadable"] if planned else ():
        run.note(sentence, 5)
    for sentence in planned["notes"] if planned else ():
        run.note(sentence, 0)
    await rename(run, planned["files"] if planned else 0)


async def send(run: Run, request: CheckRequest, following: asyncio.TaskGroup) -> None:
    for batch_id in run.one_by_one(request.limit or None):  # uploads go one at a time
        state = await submit(run, batch_id, request.budget or None)
        if state is None and run.owns(batch_id):  # no other batch would fare better now
            break
        if state == BatchState.SUBMITTED:
            following.create_task(follow(run, batch_id))


async def submit(run: Run, batch_id: str, budget: float | None) -> str | None:
    return await run.attempt(submit_batch(batch_id, run.run_id, run.until, budget), batch_id=batch_id)


async def follow(run: Run, batch_id: str) -> None:
    """A batch that is ready early is loaded early, while others still wait."""
    if run.has_archive(batch_id) or await brought(run, batch_id):
        loaded = await run.attempt(load_batch(batch_id, run.run_id), batch_id=batch_id)
        if loaded:
            run.found(batch_id, Findings(**loaded))


async def brought(run: Run, batch_id: str) -> bool:
    """Is the provider ready, and is the archive ours now? Both need the key; loading does not."""
    is_ready = await run.attempt(poll_batch(batch_id, run.run_id, run.until), batch_id=batch_id)
    return bool(is_ready and await run.attempt(fetch_batch(batch_id, run.run_id), batch_id=batch_id))
