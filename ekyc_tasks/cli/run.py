"""`ekyc run`: one run of the flow in this process, with a progress line."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console

from ekyc_tasks.cli.prefect_env import prepare_logging, prepare_prefect
from ekyc_tasks.cli.terminal import ProgressLine, funnel_table
from ekyc_tasks.errors import ExitCode
from ekyc_tasks.flows.parameters import CheckRequest
from ekyc_tasks.installation import open_one
from ekyc_tasks.reporting.funnel import Funnel
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import count
from ekyc_tasks.task_types import task_type as known_task_type

TERMINATED = 143  # as shells say it: SIGTERM


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its state's name, a sentence for each thing to know, counts."""

    name: str
    sentences: list[str]
    exit_code: ExitCode
    funnel: Funnel | None = None
    to_approve: int = 0  # numbers of a plan that waits for a person


def run_here(request: CheckRequest, progress: ProgressLine, *, debug: bool) -> Ending:
    """Check what can be checked at once, then run."""
    settings = request.settings()
    known_task_type(settings.task_type)
    prepare_logging(progress.console, debug=debug)
    prepare_prefect(debug=debug)
    began = datetime.now(UTC)
    with open_one(settings.site) as ledger, progress.following(ledger, began):
        settings.require_key()  # after it: where there is no ledger yet, `ekyc init` asks for the key as well
        progress.says("starting Prefect (the first start takes about 20 s)")
        return _run_flow(request, debug=debug)


def show_ending(ending: Ending, out: Console, err: Console) -> None:
    if ending.funnel is not None and (ending.funnel.files or ending.funnel.batches):
        out.print(funnel_table(ending.funnel, "This run"))
        out.print()
    console = out if ending.exit_code is ExitCode.DONE else err
    console.print(ending.name, style="bold", markup=False, highlight=False)
    for sentence in ending.sentences:
        if sentence not in ending.name:  # which says it already where it is the only one
            console.print(f"  {sentence}", markup=False, highlight=False)


def approve_at_terminal(request: CheckRequest, ending: Ending) -> CheckRequest | None:
    """The same request with the numbers that wait approved, if somebody at the terminal says so."""
    if not ending.to_approve or not sys.stdin.isatty():
        return None
    if not typer.confirm(f"Send {count(ending.to_approve, 'number')} now?", err=True):
        return None
    return request.model_copy(update={"approve": ending.to_approve})


def _run_flow(request: CheckRequest, *, debug: bool) -> Ending:
    from ekyc_tasks.flows.check_numbers import check_numbers
    from ekyc_tasks.flows.endings import is_termination
    from ekyc_tasks.flows.health import check_server, start_server

    check_server()
    start_server()
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
        code = ExitCode(result["exit_code"])
        counted = Funnel.of(result["funnel"])
        return Ending(state.name, result["sentences"], code, counted, result["to_approve"])
    if debug and isinstance(result, BaseException):
        raise result
    shown = reportable(result)
    return Ending("Failed", [str(shown)], shown.exit_code)


async def _run(flow: Any, request: CheckRequest) -> Any:
    return await flow(request, return_state=True)
