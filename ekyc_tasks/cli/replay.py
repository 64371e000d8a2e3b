"""`ekyc replay`: load again from kept archives; nothing is bought and nobody is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from ekyc_tasks.cli.terminal import replay_table
from ekyc_tasks.errors import ConfigurationError, EkycError
from ekyc_tasks.lease import run_lease
from ekyc_tasks.ledger import Ledger, open_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.report import load_document, printable
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.steps.load import Replay, replay


@dataclass(frozen=True, slots=True)
class Failure:
    batch_id: str
    why: str
    exit_code: int


def replay_batches(batch_ids: Sequence[str], out: Console, *, every: bool, as_json: bool) -> int:
    """The exit code: one batch that cannot be loaded stops no other."""
    if bool(batch_ids) is every:
        raise ConfigurationError("Name the batches to replay, or say --all.")
    settings = load_settings()
    with (
        open_ledger(settings.ledger_address) as ledger,
        run_lease(ledger, runs=settings.folder.runs, lease=settings.lease) as run_id,
    ):
        wanted = _with_archives(ledger) if every else list(dict.fromkeys(batch_ids))
        outcomes = list(_replayed(wanted, run_id, ledger, settings))
    done = [outcome for outcome in outcomes if isinstance(outcome, Replay)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    _show(done, failed, out, as_json=as_json)
    return min((failure.exit_code for failure in failed), default=0)


def _with_archives(ledger: Ledger) -> list[str]:
    kept = ledger.history.batches(states=[BatchState.FETCHED, BatchState.LOADED])
    return [batch.batch_id for batch in kept]


def _replayed(
    batch_ids: Sequence[str], run_id: str, ledger: Ledger, settings: Settings
) -> Iterator[Replay | Failure]:
    for batch_id in batch_ids:
        try:
            yield replay(
                batch_id,
                run_id=run_id,
                ledger=ledger,
                folder=settings.folder,
                limits=settings.archive_limits,
            )
        except EkycError as error:
            yield Failure(batch_id, str(error), error.exit_code)
        except OSError as error:  # a full disk, a lost permission
            what = f"{error.strerror or 'a file cannot be used'} ({printable(str(error.filename))})"
            yield Failure(batch_id, f"Batch {batch_id}: {what}; mend that and replay it.", 2)


def _show(done: Sequence[Replay], failed: Sequence[Failure], out: Console, *, as_json: bool) -> None:
    documents = [_document(each) for each in done]
    if as_json:
        failures = [asdict(failure) for failure in failed]
        out.print_json(json.dumps({"replayed": documents, "failed": failures}), ensure_ascii=True)
        return
    if documents:
        out.print(replay_table(documents))
    for failure in failed:
        out.print(failure.why, markup=False, highlight=False)
    if not documents and not failed:
        out.print("There is no batch with an archive yet.")


def _document(each: Replay) -> dict[str, Any]:
    document = load_document(each.batch.batch_id, each.batch.task_type, each.checked_at, each.report)
    return {**document, "has_changed": each.has_changed}
