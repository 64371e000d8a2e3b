"""`ekyc plan`: show what a run would send and cost. Nothing is sent, and nothing is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ekyc_tasks.cli.explain import columns_table, explanation_tables
from ekyc_tasks.cli.tables import right, table
from ekyc_tasks.errors import EkycError, ExitCode
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.money import Balance
from ekyc_tasks.planning.plan import PlanPolicy
from ekyc_tasks.provider import Provider, Timeouts
from ekyc_tasks.reporting.estimate import Estimate, estimate_run, find_landed, ledger_to_look_at
from ekyc_tasks.runs.policies import PlanWishes, plan_policy, upload_policy
from ekyc_tasks.runs.session import Problem
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.wording import count
from ekyc_tasks.task_types import task_type as known_task_type

_QUESTION = Timeouts(connect=5, read=5, write=5)  # a balance is good to know, not worth a long wait
_COLUMNS = (
    ("lines", "lines"),
    ("rejected", "rejected"),
    ("duplicates", "duplicate"),
    ("not to send", "do_not_send"),
    ("known", "known"),
    ("in flight", "in_flight"),
    ("waiting", "waiting"),
    ("to send", "to_send"),
)
_ALWAYS_SHOWN = {"lines", "rejected", "to_send"}


def show_plan(
    files: Sequence[Path],
    wishes: PlanWishes,
    out: Console,
    *,
    task_type: str | None,
    explains: bool,
    as_json: bool,
) -> ExitCode:
    """The exit code that a run would end with for these files: 2, 3, 4, 5 or 0."""
    settings = load_settings(task_type=task_type)
    known_task_type(settings.task_type)
    policy = plan_policy(settings, wishes)
    with ledger_to_look_at(settings.site) as (ledger, problems):
        context = StepContext("", ledger, settings.folder, SystemClock())
        estimate = asyncio.run(_estimate(settings, context, files, policy, problems, explains=explains))
    if as_json:
        out.print_json(json.dumps(estimate.as_data()))
    else:
        _show(estimate, out)
    return estimate.exit_code


async def _estimate(
    settings: Settings,
    context: StepContext,
    files: Sequence[Path],
    policy: PlanPolicy,
    problems: Sequence[Problem],
    *,
    explains: bool,
) -> Estimate:
    balance = await _balance(settings)
    found = await find_landed(
        settings.folder.landing,
        files,
        settle=settings.settle,
        clock=context.clock,
        is_made_by_run=settings.landing_dir is None,
    )
    spending = upload_policy(settings)
    return await estimate_run(
        found, context, policy, spending, balance=balance, problems=problems, explains=explains
    )


async def _balance(settings: Settings) -> Balance | None:
    if settings.api_key is None:
        return None
    try:
        async with Provider(settings.base_url, settings.require_key(), timeouts=_QUESTION) as provider:
            return await provider.balance()
    except EkycError:
        return None


def _show(estimate: Estimate, out: Console) -> None:
    for explained in estimate.explanations:
        for each in explanation_tables(explained):
            out.print(each, highlight=False)
            out.print()
    for each in (
        _files_table(estimate),
        columns_table(list(estimate.columns)),
        _reasons_table(estimate),
        _budgets_table(estimate),
    ):
        if each.row_count:
            out.print(each)
            out.print()
    for sentence in (*_facts(estimate), *estimate.sentences):
        out.print(sentence, markup=False, highlight=False)


def _files_table(estimate: Estimate) -> Table:
    """What happened to no number has no column: all of them are too many for a narrow terminal."""
    shown = {name: title for title, name in _COLUMNS if name in _ALWAYS_SHOWN or estimate.total[name]}
    files = table("What would be sent", "file", *right(*shown.values(), "price", "saved"))
    for file in estimate.files:
        files.add_row(*_cells(file["name"], file, shown))
    if len(estimate.files) > 1:
        files.add_section()
        files.add_row(*_cells("all", estimate.total, shown))
    return files


def _cells(name: str, counts: dict[str, Any], shown: Iterable[str]) -> list[str]:
    numbers = [f"{counts[column]:,}" for column in shown]
    return [name, *numbers, counts["price"] or "", counts["saved"] or ""]


def _reasons_table(estimate: Estimate) -> Table:
    reasons = table("Rejected lines", *right("lines"), "reason", "such as", "in")
    for each in estimate.rejected:
        where = "" if each["file"] is None else f"{each['file']}, line {each['line']:,}"
        reasons.add_row(f"{each['lines']:,}", each["reason"], each["example"] or "", where)
    return reasons


def _budgets_table(estimate: Estimate) -> Table:
    budgets = table("Budgets", "budget of this", *right("limit", "spent", "left"))
    for budget in estimate.budgets:
        budgets.add_row(budget["of"], budget["limit"], budget["spent"], budget["left"])
    return budgets


def _facts(estimate: Estimate) -> Iterator[str]:
    total, before = estimate.total, estimate.planned_before
    if not estimate.files:
        yield "No files in the landing folder."
    else:
        yield _going(total["batches"], total["to_send"], total["price"])
    if before["batches"]:
        yield f"Planned by an earlier run: {_going(before['batches'], before['numbers'], before['price'])}"
    if estimate.balance is not None:
        yield f"Balance at the provider: {float(estimate.balance):.2f}"


def _going(batches: int, numbers: int, price: str | None) -> str:
    cost = f". Price: {price}." if price is not None else ". Set EKYC_PRICE_PER_10K to see the cost."
    return f"{count(numbers, 'number')} in {count(batches, 'batch')}{cost}"
