"""Numbers on their way through one run, or through all: every stage with its count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ekyc_tasks.ledger import Batch, LandedFile
from ekyc_tasks.models import BatchState

LINE_COUNTS = (
    "lines",
    "blank",
    "header",
    "rejected",
    "duplicate",
    "do_not_send",
    "known",
    "in_flight",
    "waiting",
)
_ON_THEIR_WAY = (BatchState.SUBMITTED, BatchState.FETCHED)
_ROW_COUNTS = ("returned", "accepted", "quarantined", "missing", "cell_issues")
_STAGES: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
    (
        "landed",
        (
            ("files", "files read"),
            ("lines", "lines read"),
            ("blank", "blank"),
            ("header", "headers"),
            ("rejected", "rejected"),
            ("duplicate", "duplicates"),
            ("do_not_send", "on the do-not-send list"),
            ("known", "known (bought recently)"),
            ("in_flight", "in another file's batch"),
            ("waiting", "waiting for company"),
            ("to_send", "to send"),
        ),
    ),
    ("sent", (("batches", "batches"), ("sent", "numbers sent"), ("imported", "numbers imported"))),
    (
        "answered",
        (
            ("returned", "rows returned"),
            ("accepted", "accepted → dataset"),
            ("quarantined", "quarantined"),
            ("missing", "numbers missing"),
            ("awaited", "numbers not answered yet"),
            ("cell_issues", "cells that were no value"),
        ),
    ),
)
_ALWAYS = {
    "files",
    "lines",
    "rejected",
    "duplicate",
    "batches",
    "sent",
    "returned",
    "accepted",
    "quarantined",
    "missing",
}


@dataclass(frozen=True, slots=True)
class Funnel:
    """Numbers on their way through one run (or all): lines of files first, then rows of answers.

    ``imported`` were bought before and elsewhere. What was sent or imported is accepted, missing, awaited, or
    of a batch that failed or was let go of.
    """

    files: int = 0
    lines: int = 0
    blank: int = 0
    header: int = 0
    rejected: int = 0
    duplicate: int = 0
    do_not_send: int = 0
    known: int = 0
    in_flight: int = 0
    waiting: int = 0
    to_send: int = 0
    batches: int = 0
    sent: int = 0
    imported: int = 0
    returned: int = 0
    accepted: int = 0
    quarantined: int = 0
    missing: int = 0
    awaited: int = 0
    cell_issues: int = 0


def funnel(files: Sequence[LandedFile], batches: Sequence[Batch]) -> Funnel:
    counts = [batch.counts for batch in batches if batch.counts is not None]
    sent = [batch for batch in batches if batch.task_id is not None and not batch.is_import]
    return Funnel(
        files=len(files),
        **{name: sum(getattr(file, name) for file in files) for name in LINE_COUNTS},
        to_send=sum(file.batched for file in files),
        batches=len(batches),
        sent=sum(batch.numbers for batch in sent),
        imported=sum(batch.numbers for batch in batches if batch.is_import and batch.counts is not None),
        awaited=sum(batch.numbers for batch in sent if batch.counts is None and batch.state in _ON_THEIR_WAY),
        **{name: sum(getattr(count, name) for count in counts) for name in _ROW_COUNTS},
    )


def funnel_rows(funnel: Funnel) -> Iterator[tuple[str, str, str]]:
    """Stage (once), what, count; stages that a plain run does not have are left out while empty."""
    for stage, rows in _STAGES:
        shown = [
            (label, getattr(funnel, name)) for name, label in rows if name in _ALWAYS or getattr(funnel, name)
        ]
        for index, (label, count) in enumerate(shown):
            yield stage if index == 0 else "", label, f"{count:,}"
