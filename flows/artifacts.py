"""What a person can open beside a run: reports, the batches that are open, and an event per held batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.events import emit_event

from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.reporting.estimate import Estimate
from ekyc_tasks.reporting.markdown import (
    BATCHES_IN_TABLE,
    batch_key,
    batch_page,
    forecast_page,
    open_batches,
    run_page,
)
from ekyc_tasks.reporting.summary import Summary
from ekyc_tasks.runs.session import Run
from ekyc_tasks.support.best_effort import courtesy

HELD = "ekyc.batch.held"
REPORT = "run-report"
OPEN = "open-batches"
FORECAST = "forecast"

_PAGES_AT_ONCE = 4


async def tell(run: Run, summary: Summary) -> None:
    """At the end of a run: its report, a page for each batch that it moved, and what is open now."""
    touched = run.ledger.history.touched(run.run_id)
    links = await tell_batches(run.ledger, touched)
    page = run_page(summary, run.ledger, run.findings, links)
    with courtesy("the report of this run"):
        await acreate_markdown_artifact(page, key=REPORT, description=summary.name)
    await tell_open(run.ledger)
    for batch in touched:
        if batch.state is BatchState.HELD:
            tell_held(batch)


def tell_held(batch: Batch) -> None:
    """An event that an automation can use."""
    with courtesy(f"the event that batch {batch.batch_id} is held"):
        emit_event(
            HELD,
            resource={
                "prefect.resource.id": f"ekyc.batch.{batch.batch_id}",
                "prefect.resource.name": batch.batch_id,
            },
            payload={"numbers": batch.numbers, "task_type": batch.task_type},
        )


async def tell_forecast(estimate: Estimate) -> None:
    with courtesy("the page about what a run would send"):
        await acreate_markdown_artifact(
            forecast_page(estimate), key=FORECAST, description="Nothing was sent."
        )


async def tell_batches(ledger: Ledger, batches: Sequence[Batch]) -> dict[str, str]:
    """A page for each batch, as many as a table shows, and where they are; urgent ones first."""
    urgent_first = sorted(batches, key=lambda batch: not batch.state.needs_decision)
    turn = asyncio.Semaphore(_PAGES_AT_ONCE)
    links: dict[str, str] = {}

    async def show(batch: Batch) -> None:
        async with turn:
            page = batch_page(ledger, batch)
            with courtesy(f"the page of batch {batch.batch_id}"):
                links[batch.batch_id] = f"/artifacts/artifact/{await _tell_batch(batch, page)}"

    await asyncio.gather(*map(show, urgent_first[:BATCHES_IN_TABLE]))
    return links


async def _tell_batch(batch: Batch, page: str) -> UUID:
    return await acreate_markdown_artifact(
        page, key=batch_key(batch.batch_id), description=f"{batch.state}, {batch.numbers:,} numbers"
    )


async def tell_open(ledger: Ledger) -> None:
    """The table is kept under one key: its page always shows the newest."""
    rows = open_batches(ledger)
    with courtesy("the table of open batches"):
        await acreate_table_artifact(
            rows or [{"batch": "none", "state": "all batches are finished"}],
            key=OPEN,
            description="Unfinished batches. Those that need a decision come first.",
        )
