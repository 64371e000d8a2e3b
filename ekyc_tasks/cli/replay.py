"""`ekyc replay`: load again from kept archives; nothing is bought, and the provider is not asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.outcomes import Failure, try_each, worst_of
from ekyc_tasks.cli.terminal import replay_table
from ekyc_tasks.errors import ConfigurationError, ExitCode
from ekyc_tasks.installation import open_one
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.models import states_where
from ekyc_tasks.reporting.summary import load_document
from ekyc_tasks.results.load import Replay, replay
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.settings import load_settings
from ekyc_tasks.support.clock import SystemClock


def replay_batches(batch_ids: Sequence[str], out: Console, *, every: bool, as_json: bool) -> ExitCode:
    """The exit code: one batch that cannot be loaded stops no other."""
    if bool(batch_ids) is every:
        raise ConfigurationError("Name the batches to replay, or use --all.")
    settings = load_settings()
    with (
        open_one(settings.site) as ledger,
        run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
    ):
        context = StepContext(run_id, ledger, settings.folder, SystemClock())
        wanted = _with_archives(ledger) if every else list(dict.fromkeys(batch_ids))
        work = partial(replay, context=context, limits=settings.archive_limits)
        remedy = "Fix this, then replay the batch."
        done, failed = try_each(wanted, work, name=str, noun="Batch", remedy=remedy)
    _show(done, failed, out, as_json=as_json)
    return worst_of(failed)


def _with_archives(ledger: Ledger) -> list[str]:
    kept = ledger.history.batches(states=states_where(lambda state: state.has_archive))
    return [batch.batch_id for batch in kept]


def _show(done: Sequence[Replay], failed: Sequence[Failure], out: Console, *, as_json: bool) -> None:
    documents = [_document(each) for each in done]
    if as_json:
        failures = [failure.as_data("batch_id") for failure in failed]
        out.print_json(json.dumps({"replayed": documents, "failed": failures}), ensure_ascii=True)
        return
    if documents:
        out.print(replay_table(documents))
    for failure in failed:
        out.print(failure.why, markup=False, highlight=False)
    if not documents and not failed:
        out.print("No batch has an archive yet.")


def _document(each: Replay) -> dict[str, Any]:
    document = load_document(each.batch.batch_id, each.batch.task_type, each.checked_at, each.report)
    return {**document, "has_changed": each.has_changed}
