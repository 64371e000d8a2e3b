"""What a flow run is called in the Prefect UI: what it does, in counts."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client

from ekyc_tasks.errors import EkycError
from ekyc_tasks.flows.parameters import CheckRequest
from ekyc_tasks.runs.session import Run
from ekyc_tasks.support.best_effort import courtesy
from ekyc_tasks.support.wording import count


def name_before() -> str:
    """Before anything is planned; the flow itself reports wrong settings."""
    request = CheckRequest.model_validate(runtime.flow_run.parameters["request"])
    what = ", ".join(request.files[:2]) + (" …" if len(request.files) > 2 else "")  # noqa: PLR2004
    with suppress(EkycError):
        return f"{request.settings().task_type} · {what or 'all landed files'}"
    return "check-numbers"


async def rename(run: Run, files: int) -> None:
    """Once the plan is made: `tg_avatar · 3 files · 12,400 numbers`."""
    ours = [run.ledger.history.batch(batch_id) for batch_id in (*run.underway(), *run.to_submit())]
    numbers = sum(batch.numbers for batch in ours)
    parts = [count(files, "file")] if files else []
    parts += [count(numbers, "number")] if numbers else []
    if not files and ours:
        parts[:0] = [count(len(ours), "unfinished batch")]
    await call_it(run.task_type, *(parts or ["nothing new"]))


async def call_it(*parts: str) -> None:
    with courtesy("the name of this run"):
        async with get_client() as client:
            await client.set_flow_run_name(UUID(runtime.flow_run.id), " · ".join(parts))
