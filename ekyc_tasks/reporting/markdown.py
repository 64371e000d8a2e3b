"""A run, a batch, a decision as markdown: counts and sentences, never a number.

Words of the provider and names of files come from outside: what markdown would take for markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from ekyc_tasks.errors import ExitCode
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import BatchState, states_where
from ekyc_tasks.reporting.estimate import Estimate
from ekyc_tasks.reporting.funnel import funnel_rows
from ekyc_tasks.reporting.summary import Summary, evidence
from ekyc_tasks.runs.session import Findings
from ekyc_tasks.support.redact import without_numbers

_MARKUP = re.compile(r"([\\*_{}\[\]<>#|!~])")
BATCHES_IN_TABLE = 100
_NEXT = {
    ExitCode.DONE: "Nothing to do. The rows are in the dataset.",
    ExitCode.UNEXPECTED: "This program has a defect. `ekyc --debug run` shows more. Nothing is lost; the "
    "next run continues.",
    ExitCode.CONFIGURATION: "Fix the problem named above; `ekyc doctor` checks it. The next run will "
    "continue.",
    ExitCode.PERSON_NEEDED: "Start the deployment `resolve` and decide in its form, or use "
    "`ekyc resolve BATCH`.",
    ExitCode.NO_MONEY: "Top up the account or raise the budget; the next run continues. Paid results are "
    "fetched meanwhile.",
    ExitCode.INPUT: "For refused batches, start the deployment `resolve`. Fix or remove files that cannot be "
    "read.",
    ExitCode.WAITING: "Nothing to do: the next run continues.",
}


def run_page(
    summary: Summary, ledger: Ledger, findings: Mapping[str, Findings], links: Mapping[str, str]
) -> str:
    """What happened, the numbers on their way, money, batches with ``links``, and what to do next."""
    batches = ledger.history.touched(summary.run_id)
    parts = [
        [f"# {escape(summary.name)}", ""],
        [f"- {escape(sentence)}" for sentence in summary.sentences],
        ["", "**What to do next.** " + _NEXT[summary.exit_code]],
        _section("Numbers", _table("Stage | What | Count", funnel_rows(summary.funnel), numbers=1)),
        _section("Money", [f"- {line}" for line in _money(ledger, summary.run_id)]),
        _section("Batches", batch_lines(batches, links) if batches else []),
        _section("In quarantine", _quarantine_line(findings)),
        _section("Differences from the expected columns", _drift(findings)),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def batch_page(ledger: Ledger, batch: Batch) -> str:
    """One batch: its accounts, what is known about its upload, and its history."""
    history = [
        (f"{event.at:%Y-%m-%d %H:%M:%S}", str(event.to_state), escape(event.why))
        for event in ledger.history.events(batch.batch_id)
    ]
    parts = [
        [
            f"# Batch {batch.batch_id}",
            "",
            _what(batch),
        ],
        _section("Evidence", [f"- {escape(line)}" for line in evidence(ledger, batch)]),
        _section("Rows", _accounts(batch)),
        _section("History", _table("When (UTC) | State | Why", history)),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def forecast_page(estimate: Estimate) -> str:
    """What a run would send and cost, file by file."""
    rows = [
        (
            escape(without_numbers(file["name"])),
            *(f"{file[name]:,}" for name in ("lines", "rejected", "duplicate", "known", "to_send")),
            file["price"] or "",
        )
        for file in estimate.files[:BATCHES_IN_TABLE]
    ]
    table = _table("File | Lines | Rejected | Duplicates | Known | To send | Price", rows, numbers=6)
    said = [f"- {escape(without_numbers(sentence))}" for sentence in estimate.sentences]
    return (
        "\n".join(["# What a run would send", "", *(table or ["No files in the landing folder."]), "", *said])
        + "\n"
    )


def batch_lines(batches: Sequence[Batch], links: Mapping[str, str]) -> list[str]:
    rows = [
        (
            f"[{batch.batch_id}]({links[batch.batch_id]})" if batch.batch_id in links else batch.batch_id,
            str(batch.state),
            f"{batch.numbers:,}",
            *("" if value is None else f"{value:,}" for value in (batch.accepted, batch.missing)),
        )
        for batch in batches[:BATCHES_IN_TABLE]
    ]
    lines = _table("Batch | State | Numbers | Accepted | Missing", rows, numbers=3)
    left = len(batches) - BATCHES_IN_TABLE
    return [*lines, "", f"… and {left:,} more: see `ekyc status`."] if left > 0 else lines


def open_batches(ledger: Ledger) -> list[dict[str, str]]:
    """Rows of the table of unfinished batches; those that need a decision come first."""
    batches = ledger.history.batches(states=states_where(lambda state: not state.is_final))
    urgent_first = sorted(batches, key=lambda batch: (not batch.state.needs_decision, batch.batch_id))
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
        *(f"- {escape(line)}" for line in known),
    ]


def batch_key(batch_id: str) -> str:
    """What a batch's page is filed under: lower-case letters, digits and dashes."""
    return f"batch-{batch_id}"


def escape(text: str) -> str:
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
    yield f"Cost of this run: {_amount(ledger.uploads.spent(run_id=run_id))}"
    yield f"Cost of today (UTC): {_amount(ledger.uploads.spent(since=day))}"
    yield f"Total cost: {_amount(ledger.uploads.spent())}"


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f} (estimated with `EKYC_PRICE_PER_10K`)" if amount else "0, or no price is set"


def _accounts(batch: Batch) -> list[str]:
    counts = batch.counts
    if counts is None:
        return []
    rows = [
        ("returned", counts.returned),
        ("accepted → dataset", counts.accepted),
        ("unreadable", counts.unreadable),
        ("number not sent", counts.unexpected),
        ("number repeated", counts.duplicate),
        ("numbers missing", counts.missing),
        ("cells without a valid value", counts.cell_issues),
    ]
    return _table("What | Count", [(what, f"{number:,}") for what, number in rows], numbers=1)


def _quarantine_line(findings: Mapping[str, Findings]) -> list[str]:
    total: dict[str, int] = {}
    for found in findings.values():
        for reason, number in found.quarantined.items():
            total[reason] = total.get(reason, 0) + number
    rows = [(escape(reason), f"{total[reason]:,}") for reason in sorted(total, key=lambda each: -total[each])]
    return _table("Reason | Count", rows, numbers=1)


def _drift(findings: Mapping[str, Findings]) -> list[str]:
    return [f"- {batch_id}: {escape(line)}" for batch_id, found in findings.items() for line in found.drift]


def _progress(batch: Batch) -> str:
    if batch.provider_success is None or batch.state is not BatchState.SUBMITTED:
        return ""
    return f"{min(batch.provider_success / batch.numbers, 1):.0%}"


def _what_to_do(batch: Batch) -> str:
    return "decide: run `resolve`" if batch.state.needs_decision else "nothing: the next run continues"
