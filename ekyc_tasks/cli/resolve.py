"""`ekyc resolve`: decide a held, failed or refused batch."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal

import typer
from rich.console import Console

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.exchange.resolve import Resolution, resolve
from ekyc_tasks.installation import open_one
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState, Decision, Doubt
from ekyc_tasks.money import price
from ekyc_tasks.provider import Provider
from ekyc_tasks.reporting.summary import evidence
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.support.wording import count

ALL_RESTORED = "restored"  # in place of a batch: all that `ekyc init --restored` holds
_NEXT = {
    BatchState.SUBMITTED: "The next `ekyc run` waits for its result, fetches and loads it.",
    BatchState.PLANNED: "The next `ekyc run` uploads it.",
    BatchState.ABANDONED: "The next `ekyc run` buys its numbers again, even if they were already paid for.",
}


def decide(batch_id: str, verdict: Resolution, out: Console, *, is_confirmed: bool) -> None:
    settings = load_settings()
    verdict.check()
    if batch_id == ALL_RESTORED:
        _decide_restored(verdict, settings, out, is_confirmed=is_confirmed)
        return
    with open_one(settings.site) as ledger:
        batch = ledger.history.batch(batch_id)
        if not is_confirmed:
            _confirm(batch, verdict, settings, evidence(ledger, batch))
        state = asyncio.run(_carry_out(batch_id, verdict, ledger, settings))
    is_dropped = verdict.drop and state is BatchState.ABANDONED
    follows = "Its numbers are dropped." if is_dropped else _NEXT.get(state, "")
    out.print(f"Batch {batch_id} is now {state}. {follows}", markup=False, highlight=False)


def _decide_restored(verdict: Resolution, settings: Settings, out: Console, *, is_confirmed: bool) -> None:
    """The same for everything that waits since `ekyc init --restored`: batches, and files to be planned."""
    if verdict.decision is Decision.ADOPT:
        raise ConfigurationError("A task belongs to one batch: name the batch that adopts it.")
    with open_one(settings.site) as ledger:
        waiting = ledger.decisions.doubted(Doubt.RESTORED)
        numbers = sum(batch.numbers for batch in waiting)
        if waiting and verdict.decision is Decision.RESUBMIT and not is_confirmed:
            prices = (price(batch.numbers, settings.price_per_10k) or Decimal(0) for batch in waiting)
            worth = _worth(sum(prices, Decimal(0)))
            batches = count(len(waiting), "batch")
            _ask(f"{batches} may already be paid for. {numbers:,} numbers cost again{worth}.")
        for batch in waiting:
            asyncio.run(_carry_out(batch.batch_id, verdict, ledger, settings))
        files = ledger.decisions.waits_to_be_planned(plan_again=not verdict.drop)
    follows = "They are dropped" if verdict.drop else "The next `ekyc run` buys their remaining numbers"
    out.print(
        f"Decided: {count(len(waiting), 'batch')} and {count(files, 'file')} that waited since the restore. "
        f"{follows}.",
        markup=False,
        highlight=False,
    )


async def _carry_out(batch_id: str, verdict: Resolution, ledger: Ledger, settings: Settings) -> BatchState:
    if verdict.decision is not Decision.ADOPT:
        return await resolve(batch_id, verdict, ledger=ledger, provider=None)
    async with Provider(settings.base_url, settings.require_key()) as provider:
        return await resolve(batch_id, verdict, ledger=ledger, provider=provider)


def _confirm(batch: Batch, verdict: Resolution, settings: Settings, known: list[str]) -> None:
    """A decision that may cost money or lose paid work needs a confirmation, after the evidence was shown."""
    risk = verdict.risk(batch)
    if risk is None:
        return
    cost = price(batch.numbers, settings.price_per_10k) if verdict.decision is Decision.RESUBMIT else None
    for sentence in known:
        typer.echo(sentence, err=True)
    _ask(f"{risk}{_worth(cost)}.")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Nothing was changed. To do it, add --yes.")
    if not typer.confirm(f"{question} Continue?", err=True):
        raise ConfigurationError("Nothing was changed.")


def _worth(cost: Decimal | None) -> str:
    return f" ({cost:.2f}, estimated with your price)" if cost else ""
