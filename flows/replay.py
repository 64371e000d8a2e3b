"""Load again from kept archives, free of charge; the same as `ekyc replay`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from ekyc_tasks.lease import run_lease
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.ledger.runs import REPLAYABLE
from ekyc_tasks.report import concluded
from ekyc_tasks.run import Run
from ekyc_tasks.settings import load_settings
from ekyc_tasks.tasks import replay_batch
from ekyc_tasks.wording import count
from flows.artifacts import tell_batches
from flows.endings import as_state, failed
from flows.parameters import ReplayRequest

ALL_OF_THEM = ReplayRequest()


@flow(name="replay", flow_run_name="replay", persist_result=False)
async def replay(request: ReplayRequest = ALL_OF_THEM) -> State[dict[str, Any]]:
    """Load batches again from their kept archives, after an upgrade or a failed load. Nothing is bought."""
    try:
        settings = load_settings()
        with (
            open_ledger(settings.ledger_address) as ledger,
            run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
        ):
            run = Run(run_id, settings.task_type, ledger, settings.folder, until=datetime.now(UTC))
            return await loaded_again(run, request.batches)
    except Exception as error:  # Prefect keeps what is raised here, word by word
        return failed(error)


async def loaded_again(run: Run, named: list[str]) -> State[dict[str, Any]]:
    kept = [batch.batch_id for batch in run.ledger.history.batches(states=REPLAYABLE)]
    wanted = list(dict.fromkeys(named)) or kept
    done = [await run.attempt(replay_batch(batch_id, run.run_id), batch_id=batch_id) for batch_id in wanted]
    await tell_batches(run.ledger, run.ledger.history.touched(run.run_id))
    changed = sum(each["has_changed"] for each in done if each)
    message = f"{count(len(wanted), 'batch')} loaded again, {changed:,} with another file than before."
    return as_state(concluded(run.problems, message))
