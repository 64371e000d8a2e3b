"""`ekyc plan --inputs`: what the rules of today read otherwise from files that were planned before."""

from __future__ import annotations

import json
from datetime import datetime

from rich.console import Console
from rich.table import Table

from ekyc_tasks.cli.tables import right, table
from ekyc_tasks.errors import ConfigurationError, ExitCode
from ekyc_tasks.installation import open_one
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.reporting.inputs import InputsReview, review_inputs
from ekyc_tasks.runs.policies import PlanWishes, plan_policy
from ekyc_tasks.settings import load_settings, parse_duration
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.wording import count


def show_inputs(out: Console, *, task_type: str | None, since: str | None, as_json: bool) -> ExitCode:
    """``since``: a duration before now; None: all files."""
    settings = load_settings(task_type=task_type)
    policy = plan_policy(settings, PlanWishes())
    moment = _moment_of(since)
    with open_one(settings.site, writes=False) as ledger:
        context = StepContext("", ledger, settings.folder, SystemClock())
        review = review_inputs(context, policy, since=moment, per_10k=settings.price_per_10k)
    if as_json:
        out.print_json(json.dumps(review.as_data()))
    else:
        _show(review, out)
    return ExitCode.DONE


def _moment_of(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        return SystemClock().now() - parse_duration(since)
    except (ValueError, OverflowError):
        raise ConfigurationError("--since: write a duration as 12h, 30d or plain seconds.") from None


def _show(review: InputsReview, out: Console) -> None:
    for each in (_files_table(review), _batches_table(review)):
        if each.row_count:
            out.print(each)
            out.print()
    price = f", for {review.total['price']}" if review.total["price"] else ""
    said = f"The rules of today find {count(review.total['new'], 'number')} that no batch has{price}."
    out.print(said, highlight=False)
    for sentence in review.sentences:
        out.print(sentence, markup=False, highlight=False)


def _files_table(review: InputsReview) -> Table:
    files = table("Read by the rules of today", "file", *right("numbers", "new", "price"))
    for file in review.files:
        numbers = ["–" if file[key] is None else f"{file[key]:,}" for key in ("numbers", "new")]
        files.add_row(file["name"], *numbers, file["price"] or "")
    return files


def _batches_table(review: InputsReview) -> Table:
    batches = table("Bought, and without a line now", "batch", *right("numbers"))
    for batch in review.batches:
        batches.add_row(batch["batch_id"], f"{batch['numbers']:,}")
    return batches
