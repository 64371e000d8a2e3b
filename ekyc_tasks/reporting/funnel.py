"""Numbers on their way through one run, or through all: every stage with its count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from ekyc_tasks.ledger import Batch, LandedFile
from ekyc_tasks.models import NO_LINES, LineCounts

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
            ("numbers", "numbers found"),
            ("duplicate", "duplicates"),
            ("do_not_send", "on the do-not-send list"),
            ("known", "known (bought recently)"),
            ("in_flight", "in another file's batch"),
            ("waiting", "below the minimum batch size"),
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
            ("cell_issues", "cells without a valid value"),
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
    """Numbers on their way through one run (or all): lines of files that ``landed`` first, then rows of
    answers.

    ``imported`` were bought before and elsewhere. What was sent or imported is accepted, missing, awaited, or
    of a batch that failed or was abandoned.
    """

    files: int = 0
    landed: LineCounts = NO_LINES
    batches: int = 0
    sent: int = 0
    imported: int = 0
    returned: int = 0
    accepted: int = 0
    quarantined: int = 0
    missing: int = 0
    awaited: int = 0
    cell_issues: int = 0

    def as_data(self) -> dict[str, int]:
        counts = asdict(self)
        del counts["landed"]
        return {"files": counts.pop("files"), **line_data(self.landed), **counts}

    @classmethod
    def of(cls, data: Mapping[str, int]) -> Funnel:
        """What `as_data` gave."""
        rest = {**data, "batched": data["to_send"]}
        del rest["to_send"], rest["numbers"]
        landed = LineCounts(**{field.name: rest.pop(field.name) for field in fields(LineCounts)})
        return cls(landed=landed, **rest)


def line_data(counts: LineCounts) -> dict[str, int]:
    """As documents have them, where lines that go into a batch are to be sent."""
    data = asdict(counts)
    to_send = data.pop("batched")
    return {**data, "numbers": counts.numbers, "to_send": to_send}


def funnel(files: Sequence[LandedFile], batches: Sequence[Batch]) -> Funnel:
    counts = [batch.counts for batch in batches if batch.counts is not None]
    sent = [batch for batch in batches if batch.task_id is not None and not batch.is_import]
    return Funnel(
        files=len(files),
        landed=sum((file.counts for file in files), NO_LINES),
        batches=len(batches),
        sent=sum(batch.numbers for batch in sent),
        imported=sum(batch.numbers for batch in batches if batch.is_import and batch.counts is not None),
        awaited=sum(batch.numbers for batch in sent if batch.counts is None and batch.state.is_underway),
        **{name: sum(getattr(count, name) for count in counts) for name in _ROW_COUNTS},
    )


def funnel_rows(funnel: Funnel) -> Iterator[tuple[str, str, str]]:
    """Stage (once), what, count; stages that a plain run does not have are left out while empty."""
    counts = funnel.as_data()
    if funnel.landed.numbers == funnel.landed.lines_with_numbers:
        del counts["numbers"]  # it says nothing new
    for stage, rows in _STAGES:
        shown = [(label, counts[name]) for name, label in rows if name in _ALWAYS or counts.get(name)]
        for index, (label, count) in enumerate(shown):
            yield stage if index == 0 else "", label, f"{count:,}"
