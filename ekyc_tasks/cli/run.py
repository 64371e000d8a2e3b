"""`ekyc run`: one run of the flow in this process, with a progress line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.prefect_env import prepare_logging, prepare_prefect
from ekyc_tasks.cli.terminal import Progress, funnel_table
from ekyc_tasks.errors import EkycError
from ekyc_tasks.funnel import Funnel
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.task_types import task_type as known_task_type
from flows.parameters import CheckRequest

TERMINATED = 143  # as shells say it: SIGTERM


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its state's name, a sentence for each thing to know, counts."""

    name: str
    sentences: list[str]
    exit_code: int
    funnel: Funnel | None = None


def run_here(request: CheckRequest, progress: Progress, *, debug: bool) -> Ending:
    """Check what can be checked at once, then run."""
    settings = request.settings()
    settings.require_key()
    known_task_type(settings.task_type)
    prepare_logging(progress.console, debug=debug)
    prepare_prefect(debug=debug)
    began = datetime.now(UTC)
    with open_ledger(settings.ledger_address) as ledger, progress.following(ledger, began):
        progress.says("starting Prefect (the first start takes some 20 s)")
        return _run_flow(request, debug=debug)


def show_ending(ending: Ending, out: Console, err: Console) -> None:
    if ending.funnel is not None and (ending.funnel.files or ending.funnel.batches):
        out.print(funnel_table(ending.funnel, "This run"))
        out.print()
    console = out if ending.exit_code == 0 else err
    console.print(ending.name, style="bold", markup=False, highlight=False)
    for sentence in ending.sentences:
        if sentence not in ending.name:  # which says it already where it is the only one
            console.print(f"  {sentence}", markup=False, highlight=False)


def _run_flow(request: CheckRequest, *, debug: bool) -> Ending:
    from flows.check_numbers import check_numbers
    from flows.endings import is_termination
    from flows.health import check_server

    check_server()
    try:
        state: Any = asyncio.run(_run(check_numbers, request))
        result = state.result(raise_on_failure=False)
    except BaseException as error:
        if is_termination(error):
            raise SystemExit(TERMINATED) from None
        raise
    if is_termination(result):
        raise SystemExit(TERMINATED)
    if isinstance(result, dict):
        return Ending(state.name, result["sentences"], result["exit_code"], Funnel(**result["funnel"]))
    if debug and isinstance(result, BaseException):
        raise result
    if isinstance(result, EkycError):
        return Ending("Failed", [str(result)], result.exit_code)
    return Ending("Failed", [f"Unexpected {type(result).__name__}; `ekyc --debug run` shows more."], 1)


async def _run(flow: Any, request: CheckRequest) -> Any:
    return await flow(request, return_state=True)
