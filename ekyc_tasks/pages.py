"""A run, a batch, a decision as markdown: counts and sentences, never a number.

Words of the provider and names of files come from outside: what markdown would take for markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from ekyc_tasks.estimate import Estimate
from ekyc_tasks.funnel import funnel_rows
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.report import Summary, evidence
from ekyc_tasks.run import Findings
from ekyc_tasks.scrub import without_numbers

NEEDS_A_DECISION = (BatchState.HELD, BatchState.FAILED, BatchState.REFUSED)

_MARKUP = re.compile(r"([\\*_{}\[\]<>#|!~])")
SHOWN = 100  # batches in one table
_NEXT = {
    0: "Nothing. The rows are in the dataset.",
    1: "A defect of this program: run `ekyc --debug run`. Nothing is lost, and the next run goes on.",
    2: "Mend what is said above; `ekyc doctor` checks it. The next run goes on.",
    3: "Start the deployment `resolve` and decide, or use `ekyc resolve BATCH`.",
    4: "Top up the account or raise the budget; the next run goes on. What is paid for is fetched meanwhile.",
    5: "Start the deployment `resolve` for what was refused; mend or remove files that cannot be read.",
    6: "Nothing: the next run goes on.",
}


def run_page(
    summary: Summary, ledger: Ledger, findings: Mapping[str, Findings], links: Mapping[str, str]
) -> str:
    """What happened, the numbers on their way, money, batches with ``links``, and what to do next."""
    batches = ledger.history.touched(summary.run_id)
    parts = [
        [f"# {escaped(summary.name)}", ""],
        [f"- {escaped(sentence)}" for sentence in summary.sentences],
        ["", "**What to do next.** " + _NEXT[summary.exit_code]],
        _section("Numbers", _table("Stage | What | Count", funnel_rows(summary.funnel), numbers=1)),
        _section("Money", [f"- {line}" for line in _money(ledger, summary.run_id)]),
        _section("Batches", batch_lines(batches, links) if batches else []),
        _section("In quarantine", _quarantined(findings)),
        _section("Unlike the contract", _drift(findings)),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def batch_page(ledger: Ledger, batch: Batch) -> str:
    """One batch: its accounts, what is known about its upload, and its history."""
    history = [
        (f"{event.at:%Y-%m-%d %H:%M:%S}", str(event.to_state), escaped(event.why))
        for event in ledger.history.events(batch.batch_id)
    ]
    parts = [
        [
            f"# Batch {batch.batch_id}",
            "",
            _what(batch),
        ],
        _section("Evidence", [f"- {escaped(line)}" for line in evidence(ledger, batch)]),
        _section("Rows", _accounts(batch)),
        _section("History", _table("When (UTC) | State | Why", history)),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def forecast_page(estimate: Estimate) -> str:
    """What a run would send and cost, file by file."""
    rows = [
        (
            escaped(without_numbers(file["name"])),
            *(f"{file[name]:,}" for name in ("lines", "rejected", "duplicate", "known", "to_send")),
            file["price"] or "",
        )
        for file in estimate.files[:SHOWN]
    ]
    table = _table("File | Lines | Rejected | Duplicates | Known | To send | Price", rows, numbers=6)
    said = [f"- {escaped(without_numbers(sentence))}" for sentence in estimate.sentences]
    return "\n".join(["# What a run would send", "", *(table or ["Nothing has landed."]), "", *said]) + "\n"


def batch_lines(batches: Sequence[Batch], links: Mapping[str, str]) -> list[str]:
    rows = [
        (
            f"[{batch.batch_id}]({links[batch.batch_id]})" if batch.batch_id in links else batch.batch_id,
            str(batch.state),
            f"{batch.numbers:,}",
            *("" if value is None else f"{value:,}" for value in (batch.accepted, batch.missing)),
        )
        for batch in batches[:SHOWN]
    ]
    lines = _table("Batch | State | Numbers | Accepted | Missing", rows, numbers=3)
    left = len(batches) - SHOWN
    return [*lines, "", f"… and {left:,} more: `ekyc status`."] if left > 0 else lines


def open_batches(ledger: Ledger) -> list[dict[str, str]]:
    """Rows of the table of everything that is not at its end, what needs a person first."""
    batches = ledger.history.batches(
        states=[state for state in BatchState if state not in {BatchState.LOADED, BatchState.ABANDONED}]
    )
    urgent_first = sorted(batches, key=lambda batch: (batch.state not in NEEDS_A_DECISION, batch.batch_id))
    return [
        {
            "batch": batch.batch_id,
            "state": str(batch.state),
            "what to do": _what_to_do(batch),
            "numbers": f"{batch.numbers:,}",
            "checked": _progress(batch),
            "task type": batch.task_type,
            "planned (UTC)": f"{batch.planned_at:%Y-%m-%d %H:%M}",
        }
        for batch in urgent_first
    ]


def decision_lines(ledger: Ledger, batch: Batch) -> list[str]:
    """What is known about a batch, for the person who decides it."""
    why = ledger.history.events(batch.batch_id)[-1].why
    known = evidence(ledger, batch) or [f"{why[:1].upper()}{why[1:]}."]
    return [
        f"### Batch {batch.batch_id}",
        _what(batch),
        "",
        *(f"- {escaped(line)}" for line in known),
    ]


def batch_key(batch_id: str) -> str:
    """What a batch's page is filed under: lower-case letters, digits and dashes."""
    return f"batch-{batch_id}"


def escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _what(batch: Batch) -> str:
    return f"**{batch.state}** · {batch.task_type} · {batch.numbers:,} numbers"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _table(head: str, rows: Iterable[Sequence[str]], *, numbers: int = 0) -> list[str]:
    """``numbers``: how many of the last columns are set to the right."""
    columns = head.count("|") + 1
    rule = ["---"] * (columns - numbers) + ["---:"] * numbers
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {head} |", f"| {' | '.join(rule)} |", *lines] if lines else []


def _money(ledger: Ledger, run_id: str) -> Iterator[str]:
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yield f"This run: {_amount(ledger.uploads.spent(run_id=run_id))}"
    yield f"Today (UTC): {_amount(ledger.uploads.spent(since=day))}"
    yield f"In all: {_amount(ledger.uploads.spent())}"


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f} by `EKYC_PRICE_PER_10K`" if amount else "0, or no price is set"


def _accounts(batch: Batch) -> list[str]:
    counts = batch.counts
    if counts is None:
        return []
    rows = [
        ("returned", counts.returned),
        ("accepted → dataset", counts.accepted),
        ("unreadable", counts.unreadable),
        ("not sent", counts.unexpected),
        ("repeated", counts.duplicate),
        ("numbers missing", counts.missing),
        ("cells that were no value", counts.cell_issues),
    ]
    return _table("What | Count", [(what, f"{number:,}") for what, number in rows], numbers=1)


def _quarantined(findings: Mapping[str, Findings]) -> list[str]:
    total: dict[str, int] = {}
    for found in findings.values():
        for reason, number in found.quarantined.items():
            total[reason] = total.get(reason, 0) + number
    rows = [
        (escaped(reason), f"{total[reason]:,}") for reason in sorted(total, key=lambda each: -total[each])
    ]
    return _table("Reason | Count", rows, numbers=1)


def _drift(findings: Mapping[str, Findings]) -> list[str]:
    return [f"- {batch_id}: {escaped(line)}" for batch_id, found in findings.items() for line in found.drift]


def _progress(batch: Batch) -> str:
    if batch.provider_success is None or batch.state is not BatchState.SUBMITTED:
        return ""
    return f"{min(batch.provider_success / batch.numbers, 1):.0%}"


def _what_to_do(batch: Batch) -> str:
    return "decide: run `resolve`" if batch.state in NEEDS_A_DECISION else "nothing: the next run goes on"
