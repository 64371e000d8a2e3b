"""`ekyc status`: where everything is."""

from __future__ import annotations

import json

from rich.console import Console

from ekyc_tasks.accounts import accounts
from ekyc_tasks.cli.tables import money_tables
from ekyc_tasks.cli.terminal import batch_tables, funnel_table, status_tables
from ekyc_tasks.funnel import Funnel
from ekyc_tasks.ledger import Ledger, open_ledger
from ekyc_tasks.report import batch_document, status_document
from ekyc_tasks.settings import load_settings


def show_status(out: Console, *, as_json: bool) -> None:
    settings = load_settings()
    with open_ledger(settings.ledger_address) as ledger:
        document = {**status_document(ledger), "money": accounts(ledger, settings.price_per_10k)}
    if as_json:
        out.print_json(json.dumps(document))
        return
    for table in (*status_tables(document), *money_tables(document["money"])):
        if table.row_count:
            out.print(table)
            out.print()
    out.print(funnel_table(Funnel(**document["numbers"]), "Numbers"))
    for sentence in [*document["left_in_landing"], *document["open"]] or ["Nothing is open."]:
        out.print(sentence, markup=False, highlight=False)


def show_batch(batch_id: str, out: Console, *, as_json: bool) -> None:
    with _ledger() as ledger:
        document = batch_document(ledger, batch_id)
    if as_json:
        out.print_json(json.dumps(document))
        return
    for table in batch_tables(document):
        if table.row_count:
            out.print(table)
            out.print()


def _ledger() -> Ledger:
    return open_ledger(load_settings().ledger_address)
