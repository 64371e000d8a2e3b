"""`ekyc recover`: files in the data folder that the ledger does not know about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console

from ekyc_tasks.cli.tables import table
from ekyc_tasks.errors import ConfigurationError, ExitCode
from ekyc_tasks.installation import open_one
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.installation.orphans import Strays, find_strays
from ekyc_tasks.installation.setup import who
from ekyc_tasks.results.recover import Recovered, Recovery, newest_uploads
from ekyc_tasks.runs.lease import run_lease
from ekyc_tasks.settings import load_settings
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.clock import SystemClock
from ekyc_tasks.support.wording import printable


def recover(
    out: Console, *, takes_in: bool, sets_aside: bool, task_type: str | None, as_json: bool
) -> ExitCode:
    """Show them (exit code 3 when there are any), take them in, or set them aside."""
    if takes_in and sets_aside:
        raise ConfigurationError("Use --import or --set-aside, not both.")
    settings = load_settings(task_type=task_type)
    folder = settings.folder
    with open_one(settings.site) as ledger:
        if not takes_in and not sets_aside:
            found = list(_describe(find_strays(folder, ledger), folder))
            _show(found, out, "Unknown to the ledger", as_json=as_json)
            return ExitCode.PERSON_NEEDED if found else ExitCode.DONE
        with run_lease(ledger, runs=folder.runs, lease=settings.lease) as run_id:
            context = StepContext(run_id, ledger, folder, SystemClock())
            recovery = Recovery(context, task_type=settings.task_type, limits=settings.archive_limits)
            done = recovery.take_in() if takes_in else recovery.set_aside()
        ledger.identity.answered(who(), "strays", f"{'imported' if takes_in else 'set aside'}: {len(done)}")
    _show(done, out, "Imported" if takes_in else "Set aside", as_json=as_json)
    return ExitCode.DONE


def _describe(strays: Strays, folder: DataFolder) -> Iterator[Recovered]:
    uploads = newest_uploads(folder)
    for batch_id in strays.batches:
        upload = uploads.get(batch_id)
        sent = f"was sent at {upload.when}" if upload else "no upload from this folder is known"
        task = f", as task {upload.task_id}" if upload and upload.task_id else ""
        yield Recovered("batch", batch_id, f"{sent}{task}")
    kinds = ((strays.archives, "archive"), (strays.inputs, "landed file"), (strays.answers, "answer"))
    for paths, kind in kinds:
        for path in paths:
            yield Recovered(kind, str(path.relative_to(folder.root)), f"{path.stat().st_size:,} bytes")


def _show(found: Sequence[Recovered], out: Console, title: str, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps({"files": [asdict(each) for each in found]}), ensure_ascii=True)
        return
    if not found:
        out.print("The ledger knows every file.")
        return
    rows = table(title, "what", "name", "")
    for each in found:
        rows.add_row(each.what, printable(each.name), printable(each.outcome))
    out.print(rows)
