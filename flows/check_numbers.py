"""The way of a batch: plan → submit → poll → fetch → load. Open this file first.

A run is only a hand that pushes whatever is unfinished one step further. It may die anywhere; the
ledger knows what was begun, and the next run goes on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from ekyc_tasks.models import BatchState
from ekyc_tasks.report import summarised
from ekyc_tasks.run import Run, started_run
from ekyc_tasks.settings import load_settings
from ekyc_tasks.tasks import fetch_batch, load_batch, plan_files, poll_batch, submit_batch


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    return f"{parameters.get('task_type') or load_settings().task_type} · {_what(parameters)}"


def _what(parameters: dict[str, Any]) -> str:
    files = parameters.get("files")
    return f"{len(files)} named files" if files else "whatever landed"


@flow(name="check-numbers", flow_run_name=_run_name, persist_result=False)
async def check_numbers(
    files: list[str] | None = None,
    task_type: str | None = None,
    max_wait: str | None = None,
    limit: int | None = None,
    budget: float | None = None,
) -> State[dict[str, Any]]:
    """Take landed numbers, buy the answers, and load them into the dataset.

    Args:
        files: Only these files, instead of the whole landing folder.
        task_type: The provider's check; by default the setting EKYC_TASK_TYPE.
        max_wait: How long to wait for the provider, such as 30m; the next run goes on.
        limit: Send at most this many numbers now.
        budget: Spend at most this much in this run.
    """
    settings = load_settings(task_type=task_type, max_wait=max_wait, budget_run=budget)
    with started_run(settings) as run:
        await plan(run, files, limit)
        async with asyncio.TaskGroup() as following:
            for batch_id in run.underway():
                following.create_task(follow(run, batch_id))
            for batch_id in run.to_submit(limit):  # uploads go one at a time
                state = await submit(run, batch_id, budget)
                if state is None:  # no other batch would fare better now
                    break
                if state == BatchState.SUBMITTED:
                    following.create_task(follow(run, batch_id))
        return final_state(run)


async def plan(run: Run, files: list[str] | None, limit: int | None) -> None:
    planned = await run.attempt(plan_files(run.run_id, files, run.task_type, limit))
    for sentence in planned["unreadable"] if planned else ():
        run.note(sentence, 5)
    for sentence in planned["notes"] if planned else ():
        run.note(sentence, 0)


async def submit(run: Run, batch_id: str, budget: float | None) -> str | None:
    return await run.attempt(submit_batch(batch_id, run.run_id, run.until, budget), batch_id=batch_id)


async def follow(run: Run, batch_id: str) -> None:
    """A batch that is ready early is loaded early, while others still wait."""
    if await run.attempt(
        poll_batch(batch_id, run.run_id, run.until), batch_id=batch_id
    ) and await run.attempt(fetch_batch(batch_id, run.run_id), batch_id=batch_id):
        await run.attempt(load_batch(batch_id, run.run_id), batch_id=batch_id)


def final_state(run: Run) -> State[dict[str, Any]]:
    """A named state with a message that a person can act on; the data are counts."""
    summary = summarised(run)
    kind = Failed if summary.is_failure else Completed
    return kind(name=summary.name, message=summary.message, data=summary.as_data())
