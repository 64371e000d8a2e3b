"""`ekyc export`: one row a number of a landed file or a batch, with its answer or its state."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from ekyc_tasks.cli.tables import right, table
from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.estimate import plan_policy
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.report import printable
from ekyc_tasks.settings import load_settings
from ekyc_tasks.steps.export import export


def export_answers(what: str, out: Console, *, kind: str, to: Path | None, as_json: bool) -> None:
    settings = load_settings()
    with open_ledger(settings.ledger_address) as ledger:
        try:
            done = export(
                what, ledger=ledger, folder=settings.folder, reading=plan_policy(settings), kind=kind, out=to
            )
        except OSError as error:  # a folder, a full disk, no permission
            where = printable(str(error.filename2 or error.filename or to or settings.folder.exports))
            raise ConfigurationError(
                f"{where}: {error.strerror or 'it cannot be used'}; mend that, or name another with --out."
            ) from None
    if as_json:
        out.print_json(json.dumps({**asdict(done), "path": printable(str(done.path))}))
        return
    states = table("Exported", "state", *right("numbers"))
    for state, numbers in done.states.items():
        if numbers:
            states.add_row(state.replace("_", " "), f"{numbers:,}")
    out.print(states)
    out.print(printable(str(done.path)), markup=False, highlight=False)
