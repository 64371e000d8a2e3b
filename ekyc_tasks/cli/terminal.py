"""What a person sees: tables, and a progress line that is alive from the first moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from ekyc_tasks.cli.tables import right as _right
from ekyc_tasks.cli.tables import table as _table
from ekyc_tasks.errors import LedgerError
from ekyc_tasks.models import BatchState

if TYPE_CHECKING:  # the line must be alive before these are imported
    from ekyc_tasks.ledger import Batch, Ledger
    from ekyc_tasks.reporting.funnel import Funnel

_REFRESH = 4  # a second
_PLAIN_EVERY = 5.0  # seconds between lines where nothing can be redrawn

_ACCOUNTS = (
    ("sent", "submitted"),
    ("returned", "returned"),
    ("accepted", "accepted"),
    ("unreadable", "unreadable"),
    ("unexpected", "unexpected"),
    ("repeated", "duplicate"),
    ("missing", "missing"),
    ("bad cells", "cell_issues"),
)


def funnel_table(funnel: Funnel, title: str) -> Table:
    """Every stage with its count; stages that a plain run does not have are left out while empty."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    from ekyc_tasks.reporting.funnel import funnel_rows

    table.add_column("stage", style="dim")
    table.add_column("what")
    table.add_column("count", justify="right")
    for row in funnel_rows(funnel):
        table.add_row(*row)
    return table


def status_tables(document: dict[str, Any]) -> Iterator[Table]:
    files = _table(
        "Files", "landed", "file", *_right("lines", "rejected", "duplicates", "known", "in flight", "sent")
    )
    for file in document["files"]:
        files.add_row(
            _short(file["planned_at"]),
            file["name"],
            *(
                f"{file[name]:,}"
                for name in ("lines", "rejected", "duplicate", "known", "in_flight", "batched")
            ),
        )
    yield files
    batches = _table(
        "Batches", "batch", "state", "type", *_right("numbers", "accepted", "missing"), "provider's task"
    )
    for batch in document["batches"]:
        batches.add_row(
            batch["batch_id"],
            batch["state"],
            batch["task_type"],
            *(_number(batch[name]) for name in ("numbers", "accepted", "missing")),
            batch["task_id"] or "",
        )
    yield batches


def load_tables(document: dict[str, Any]) -> Iterator[Table]:
    """What one archive became: accounts, members, and what was unlike the contract."""
    counts = document["counts"]
    title = f"{document['task_type']}, batch {document['batch_id']}, dialect {document['dialect']}"
    accounts = _table(title, *_right(*(label for label, _ in _ACCOUNTS)))
    accounts.add_row(*(f"{counts[name]:,}" for _, name in _ACCOUNTS))
    yield accounts
    members = _table("Members", "member", "")
    for name in document["members_read"]:
        members.add_row(name, "read")
    for each in document["members_left_aside"]:
        members.add_row(each["name"], f"skipped: {each['why']}")
    yield members
    drift = _table("Differences from the expected columns", "")
    for sentence in document["drift"]:
        drift.add_row(sentence)
    yield drift


def import_table(documents: Sequence[dict[str, Any]]) -> Table:
    table = _table("Imported", "archive", "batch", *_right("accepted", "quarantined"), "")
    for document in documents:
        counts = document.get("counts")
        table.add_row(
            document["archive"],
            document["batch_id"],
            *("" if counts is None else f"{counts[name]:,}" for name in ("accepted", "quarantined")),
            "" if document["is_new"] else _as_before(document),
        )
    return table


def _as_before(document: dict[str, Any]) -> str:
    return f"already imported: {document['task_type']}, {_short(document['checked_at'])}"


def replay_table(documents: Sequence[dict[str, Any]]) -> Table:
    table = _table("Loaded again", "batch", "file", *_right("accepted", "quarantined", "missing"))
    for document in documents:
        counts = document["counts"]
        table.add_row(
            document["batch_id"],
            "changed" if document["has_changed"] else "unchanged",
            *(f"{counts[name]:,}" for name in ("accepted", "quarantined", "missing")),
        )
    return table


def batch_tables(document: dict[str, Any]) -> Iterator[Table]:
    facts = _table(f"Batch {document['batch_id']}", "what", "is")
    for name, value in document.items():
        if value is not None and not isinstance(value, list):
            facts.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    yield facts
    evidence = _table("Evidence", "what is known about the upload")
    for sentence in document["evidence"]:
        evidence.add_row(sentence)
    yield evidence
    attempts = _table("Attempts", "started", "ended", "outcome", "words", "balance before", "balance after")
    for attempt in document["attempts"]:
        attempts.add_row(
            _short(attempt["started_at"]),
            _short(attempt["ended_at"]),
            attempt["outcome"] or "not known",
            attempt["words"] or "",
            attempt["balance_before"] or "",
            attempt["balance_after"] or "",
        )
    yield attempts
    history = _table("History", "when", "from", "to", "why")
    for event in document["events"]:
        history.add_row(_short(event["at"]), event["from_state"] or "", event["to_state"], event["why"])
    yield history


def progress_words(ledger: Ledger, since: datetime) -> str | None:
    """Where the newest run of this ledger is, read from the ledger; None before it began."""
    run = ledger.runs.newest(since=since)
    if run is None:
        return None
    batches = ledger.history.batches(owner=run.run_id)
    if not batches:
        return "reading the landed files"
    return " · ".join(_state_words(batches))


def _state_words(batches: Sequence[Batch]) -> Iterator[str]:
    for state in BatchState:
        there = [batch for batch in batches if batch.state is state]
        if not there:
            continue
        words = f"{len(there)} {state.value}"
        if state is BatchState.SUBMITTED:
            success = sum(min(batch.provider_success or 0, batch.numbers) for batch in there)
            words += f" ({success:,} of {sum(batch.numbers for batch in there):,} numbers checked)"
        yield words


class ProgressLine:
    """A line on stderr that is redrawn by a thread; plain lines where nothing can be redrawn."""

    def __init__(self, console: Console, words: str) -> None:
        self.console = console
        self._words = words
        self._began = time.monotonic()
        self._ledger: Ledger | None = None
        self._since: datetime | None = None

    def says(self, words: str) -> None:
        self._words = words

    @contextmanager
    def following(self, ledger: Ledger, since: datetime) -> Iterator[None]:
        """Meanwhile, say what the ledger says about the run that begins after ``since``."""
        self._ledger, self._since = ledger, since
        try:
            yield
        finally:
            self._ledger = None

    def line(self) -> str:
        ledger = self._ledger
        if ledger is not None and self._since is not None:
            with suppress(LedgerError):
                self._words = progress_words(ledger, self._since) or self._words
        return f"{self._words} · {time.monotonic() - self._began:.0f} s"

    @contextmanager
    def show_progress(self) -> Iterator[ProgressLine]:
        if self.console.is_terminal:
            with Live(
                get_renderable=self._spinner,
                console=self.console,
                refresh_per_second=_REFRESH,
                transient=True,
            ):
                yield self
        else:
            with self._in_plain_lines():
                yield self

    def _spinner(self) -> Spinner:
        if not hasattr(self, "_drawn"):
            self._drawn = Spinner("dots")
        self._drawn.update(text=self.line())
        return self._drawn

    @contextmanager
    def _in_plain_lines(self) -> Iterator[None]:
        stop = threading.Event()
        writer = threading.Thread(target=self._write_lines, args=(stop,), name="progress", daemon=True)
        writer.start()
        try:
            yield
        finally:
            stop.set()
            writer.join()

    def _write_lines(self, stop: threading.Event) -> None:
        while True:
            self.console.print(self.line(), highlight=False)
            if stop.wait(_PLAIN_EVERY):
                return


def _short(moment: str | None) -> str:
    return "" if moment is None else moment[:19].replace("T", " ")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
