"""Load again from kept archives, free of charge; the same as `ekyc replay`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from ekyc_tasks.flows.artifacts import tell_batches
from ekyc_tasks.flows.endings import as_state, fail_state
from ekyc_tasks.flows.parameters import ReplayRequest
from ekyc_tasks.installation import open_one
from ekyc_tasks.models import states_where
from ekyc_tasks.reporting.summary import conclude
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.runs.session import Run
from ekyc_tasks.settings import load_settings
from ekyc_tasks.support.wording import count
from ekyc_tasks.tasks import replay_batch

ALL_OF_THEM = ReplayRequest()


@flow(name="replay", flow_run_name="replay", persist_result=False)
async def replay(request: ReplayRequest = ALL_OF_THEM) -> State[dict[str, Any]]:
    """Load batches again from their kept archives, after an upgrade or a failed load. Nothing is bought."""
    try:
        settings = load_settings()
        with (
            open_one(settings.site) as ledger,
            run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
        ):
            run = Run(run_id, settings.task_type, ledger, settings.folder, until=datetime.now(UTC))
            return await load_again(run, request.batches)
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return fail_state(error)


async def load_again(run: Run, named: list[str]) -> State[dict[str, Any]]:
    kept = run.ledger.history.batches(states=states_where(lambda state: state.has_archive))
    wanted = list(dict.fromkeys(named)) or [batch.batch_id for batch in kept]
    done = [await run.attempt(replay_batch(batch_id, run.run_id), batch_id=batch_id) for batch_id in wanted]
    await tell_batches(run.ledger, run.ledger.history.touched(run.run_id))
    changed = sum(each["has_changed"] for each in done if each)
    message = f"{count(len(wanted), 'batch')} loaded again. Changed dataset files: {changed:,}."
    return as_state(conclude(run.problems, message))
