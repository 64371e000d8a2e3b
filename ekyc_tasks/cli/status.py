"""`ekyc status`: where everything is."""

from __future__ import annotations

import json

from rich.console import Console

from ekyc_tasks.cli.tables import money_tables
from ekyc_tasks.cli.terminal import batch_tables, funnel_table, status_tables
from ekyc_tasks.installation import look_at, open_questions
from ekyc_tasks.reporting.funnel import Funnel
from ekyc_tasks.reporting.reconciliation import accounts
from ekyc_tasks.reporting.summary import batch_document, status_document
from ekyc_tasks.settings import load_settings


def show_status(out: Console, *, as_json: bool) -> None:
    settings = load_settings()
    ledger, problem = look_at(settings.site)
    with ledger:
        document = {**status_document(ledger), "money": accounts(ledger, settings.price_per_10k)}
        waiting = (
            [problem] if problem else [question.text for question in open_questions(ledger, settings.site)]
        )
    document["open"] = [*waiting, *document["open"]]
    if as_json:
        out.print_json(json.dumps(document))
        return
    for table in (*status_tables(document), *money_tables(document["money"])):
        if table.row_count:
            out.print(table)
            out.print()
    out.print(funnel_table(Funnel.of(document["numbers"]), "Numbers"))
    for sentence in [*document["left_in_landing"], *document["open"]] or ["Nothing is open."]:
        out.print(sentence, markup=False, highlight=False)


def show_batch(batch_id: str, out: Console, *, as_json: bool) -> None:
    ledger, _ = look_at(load_settings().site)
    with ledger:
        document = batch_document(ledger, batch_id)
    if as_json:
        out.print_json(json.dumps(document))
        return
    for table in batch_tables(document):
        if table.row_count:
            out.print(table)
            out.print()
