"""`ekyc export`: one row a number of a landed file or a batch, with its answer or its state."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from ekyc_tasks.cli.tables import right, table
from ekyc_tasks.installation import open_one
from ekyc_tasks.intake.rules import ReadingPolicy
from ekyc_tasks.reporting.export import export
from ekyc_tasks.runs.policies import default_reading
from ekyc_tasks.settings import load_settings
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import printable


def export_answers(what: str, out: Console, *, kind: str, to: Path | None, as_json: bool) -> None:
    settings = load_settings()
    reading = ReadingPolicy(default_reading(settings))
    with open_one(settings.site, writes=False) as ledger:
        try:
            done = export(what, ledger=ledger, folder=settings.folder, reading=reading, kind=kind, out=to)
        except OSError as error:  # a folder, a full disk, no permission
            remedy = "Fix this, or name another file with --out."
            raise reportable(error, place=to or settings.folder.exports, remedy=remedy) from None
    if as_json:
        out.print_json(json.dumps({**asdict(done), "path": printable(str(done.path))}))
        return
    states = table("Exported", "state", *right("numbers"))
    for state, numbers in done.states.items():
        if numbers:
            states.add_row(state.replace("_", " "), f"{numbers:,}")
    out.print(states)
    out.print(printable(str(done.path)), markup=False, highlight=False)
