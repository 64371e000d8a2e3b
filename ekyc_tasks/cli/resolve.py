"""`ekyc resolve`: decide a held, failed or refused batch."""

from __future__ import annotations

import asyncio
import getpass
import sys

import typer
from rich.console import Console

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger import Batch, Ledger, open_ledger
from ekyc_tasks.models import BatchState, Decision
from ekyc_tasks.money import price
from ekyc_tasks.provider import Provider
from ekyc_tasks.report import evidence
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.steps.resolve import Verdict, resolve

_NEXT = {
    BatchState.SUBMITTED: "the next `ekyc run` waits for it, fetches and loads it.",
    BatchState.PLANNED: "the next `ekyc run` uploads it.",
    BatchState.ABANDONED: "the next `ekyc run` buys its numbers again, paid for or not.",
}


def decide(
    batch_id: str,
    decision: Decision,
    out: Console,
    *,
    task_id: str | None,
    reason: str,
    is_forced: bool,
    is_confirmed: bool,
    drop: bool,
) -> None:
    settings = load_settings()
    if (decision is Decision.ADOPT) != (task_id is not None):
        raise ConfigurationError("Write `adopt TASK_ID`, or `resubmit` or `abandon` without a task id.")
    if is_forced and not reason:
        raise ConfigurationError("--force wants a --reason, which goes into the batch's history.")
    verdict = Verdict(decision, getpass.getuser(), reason, task_id, is_forced, drop)
    with open_ledger(settings.ledger_address) as ledger:
        batch = ledger.history.batch(batch_id)
        if not is_confirmed:
            _confirm(batch, decision, settings, evidence(ledger, batch))
        state = asyncio.run(_resolved(batch_id, verdict, ledger, settings))
    follows = "its numbers are dropped." if drop and state is BatchState.ABANDONED else _NEXT.get(state, "")
    out.print(f"Batch {batch_id} is {state} now; {follows}", markup=False, highlight=False)


async def _resolved(batch_id: str, verdict: Verdict, ledger: Ledger, settings: Settings) -> BatchState:
    if verdict.decision is not Decision.ADOPT:
        return await resolve(batch_id, verdict, ledger=ledger, provider=None)
    async with Provider(settings.base_url, settings.require_key()) as provider:
        return await resolve(batch_id, verdict, ledger=ledger, provider=provider)


def _confirm(batch: Batch, decision: Decision, settings: Settings, known: list[str]) -> None:
    """What may cost money or lose paid work wants a second word, by somebody who has seen what is known."""
    question = _question(batch, decision, settings)
    if question is None:
        return
    for sentence in known:
        typer.echo(sentence, err=True)
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Say --yes if that is meant; nothing was changed.")
    if not typer.confirm(f"{question} Go on?", err=True):
        raise ConfigurationError("Nothing was changed.")


def _question(batch: Batch, decision: Decision, settings: Settings) -> str | None:
    if decision is Decision.RESUBMIT and batch.state in {BatchState.HELD, BatchState.FAILED}:
        cost = price(batch.numbers, settings.price_per_10k)
        worth = f" ({cost:.2f} by your price)" if cost is not None else ""
        return f"Batch {batch.batch_id} may be paid for; its {batch.numbers:,} numbers cost again{worth}."
    if decision is Decision.ABANDON and batch.state is BatchState.SUBMITTED:
        return f"Batch {batch.batch_id} is paid for and its result would never be fetched."
    return None
