"""How a run ends in the Prefect UI: a named state, with a message that says what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Completed, Failed

from ekyc_tasks.flows.artifacts import tell, tell_forecast
from ekyc_tasks.flows.schedule import next_run
from ekyc_tasks.reporting.estimate import Estimate
from ekyc_tasks.reporting.summary import Summary, conclude, summarise
from ekyc_tasks.runs.session import Problem, Run
from ekyc_tasks.support.best_effort import courtesy
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import count


async def end_state(run: Run) -> State[dict[str, Any]]:
    summary = summarise(run, next_look=await next_look())
    await tell(run, summary)
    return as_state(summary)


async def foretold(estimate: Estimate) -> State[dict[str, Any]]:
    total = estimate.total
    what = f"{count(total['to_send'], 'number')} in {count(total['batches'], 'batch')}"
    cost = f" for {total['price']}" if total["price"] else ""
    await tell_forecast(estimate)
    message = " ".join([f"Nothing was sent. A run would send {what}{cost}.", *estimate.sentences])
    return Completed(name=f"Would send {what}", message=message)


def is_termination(result: object) -> bool:
    """Was the process told to end (SIGTERM)? It depends on the moment where the signal comes up."""
    if isinstance(result, BaseExceptionGroup):
        return any(is_termination(error) for error in result.exceptions)
    return isinstance(result, TerminationSignal)


def fail_state(error: Exception) -> State[dict[str, Any]]:
    """Nothing could be done: a setting, the ledger, the data folder, a decision that does not fit; or a
    defect, whose own words stay out of Prefect."""
    shown = reportable(error)
    return as_state(conclude([Problem(without_numbers(str(shown)), shown.exit_code)], ""))


def as_state(summary: Summary) -> State[dict[str, Any]]:
    """Of type Failed where somebody must do something, so that notifications fire; the data are counts."""
    kind = Failed if summary.is_failure else Completed
    return kind(name=summary.name, message=summary.message, data=summary.as_data())


async def next_look() -> datetime | None:
    if runtime.deployment.id is not None:
        with courtesy("the time of the next run"):
            async with get_client() as client:
                return await next_run(client, UUID(runtime.deployment.id))
    return None
