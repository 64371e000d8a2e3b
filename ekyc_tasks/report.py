"""What a run did and where everything is: counts and sentences, never a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from textwrap import shorten
from typing import Any

from ekyc_tasks.errors import LoadFailed, NoMoney, PersonNeeded, ProviderTrouble
from ekyc_tasks.evidence import sentences
from ekyc_tasks.funnel import LINE_COUNTS, Funnel, funnel
from ekyc_tasks.ledger import Batch, LandedFile, Ledger
from ekyc_tasks.models import BatchState, LoadReport, Outcome
from ekyc_tasks.run import Problem, Run
from ekyc_tasks.scrub import without_numbers
from ekyc_tasks.wording import count, outcome

_FAILURES = (1, 2, 3, 5)  # somebody must do something: these fire notifications
_AT_PROVIDER = (BatchState.SUBMITTING, BatchState.SUBMITTED, BatchState.FETCHED)
_ENDED = (BatchState.LOADED, BatchState.ABANDONED)
_FILE_FIELDS = ("file_id", "name", "sha256", "size", "task_type", "planned_at", *LINE_COUNTS, "batched")
_BATCH_FIELDS = (
    "batch_id",
    "task_type",
    "state",
    "numbers",
    "task_id",
    "planned_at",
    "submitted_at",
    "loaded_at",
    "provider_status",
    "provider_success",
    "accepted",
    "missing",
)
_SHOWN = 3  # batches named in one sentence
_LONGEST_REASON = 80  # characters of a state's name


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended, for Prefect's state, the terminal and the exit code alike."""

    run_id: str
    name: str
    message: str
    exit_code: int
    sentences: tuple[str, ...]
    funnel: Funnel

    @property
    def is_failure(self) -> bool:
        return self.exit_code in _FAILURES

    def as_data(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "exit_code": self.exit_code,
            "sentences": list(self.sentences),
            "funnel": asdict(self.funnel),
        }


def summarised(run: Run, *, next_look: datetime | None = None) -> Summary:
    """Read it from the ledger; only the problems come from the run itself.

    ``next_look``: when the next run begins, where that is known.
    """
    history = run.ledger.history
    touched = history.touched(run.run_id)
    counted = funnel(history.files(run_id=run.run_id), touched)
    standing = list(dict.fromkeys([*run.problems, *_standing(run.ledger)]))
    standing.sort(key=lambda problem: problem.exit_code == PersonNeeded.exit_code)  # the last line is read
    code = min((problem.exit_code for problem in standing if problem.exit_code), default=0)
    if code == 0:
        name = "Completed" if counted.files or touched else "Nothing to do"
    else:
        name = _name(code, standing, history.states(), next_look)
    sentences = tuple(problem.text for problem in standing) or (_done(counted),)
    return Summary(run.run_id, name, " ".join(sentences), code, sentences, counted)


def concluded(problems: Sequence[Problem], done: str) -> Summary:
    """Of a run that is no run over batches on their way, or that could not begin one."""
    sentences = tuple(problem.text for problem in problems) or (done,)
    code = min((problem.exit_code for problem in problems), default=0)
    name = _name(code, problems, {}, None) if code else "Completed"
    return Summary("", name, " ".join(sentences), code, sentences, Funnel())


def _name(
    code: int,
    problems: Sequence[Problem],
    states: Mapping[BatchState, tuple[int, int]],
    next_look: datetime | None,
) -> str:
    """The state's name when not all went well: short enough for a list of runs."""
    batches = {state: count for state, (count, _) in states.items()}
    if code == NoMoney.exit_code:
        return "Budget reached"
    if code == ProviderTrouble.exit_code:
        waiting = sum(batches.get(state, 0) for state in (*_AT_PROVIDER, BatchState.PLANNED))
        look = f", next look {next_look:%H:%M} UTC" if next_look else ""
        return f"Waiting on provider ({count(waiting, 'batch')}{look})"
    if code == PersonNeeded.exit_code and (held := batches.get(BatchState.HELD)):
        return f"Held: {count(held, 'batch')} need{'s' if held == 1 else ''} a decision"
    reason = next(problem.text for problem in problems if problem.exit_code == code)
    return f"Failed: {shorten(reason, _LONGEST_REASON, placeholder=' …')}"


def _standing(ledger: Ledger) -> Iterator[Problem]:
    """What is open after a run, whoever left it."""
    by_state: dict[BatchState, list[Batch]] = {}
    for batch in ledger.history.batches(states=[state for state in BatchState if state not in _ENDED]):
        by_state.setdefault(batch.state, []).append(batch)
    if failed := by_state.get(BatchState.FAILED):
        yield Problem(
            f"{_named(failed)} failed ({_why_failed(ledger, failed[0])}): "
            f"decide with `ekyc resolve {_example(failed)} …`.",
            3,
        )
    if held := by_state.get(BatchState.HELD):
        yield Problem(
            f"{_named(held)} may or may not have been charged and will not be sent again: "
            f"see `ekyc status {_example(held)}` and decide with `ekyc resolve {_example(held)} …`.",
            3,
        )
    if refused := by_state.get(BatchState.REFUSED):
        yield Problem(
            f"{_named(refused)} refused, free of charge ({_words(ledger, refused[0])}): "
            f"decide with `ekyc resolve {_example(refused)} …`.",
            5,
        )
    unloadable = _unloadable(ledger, by_state.get(BatchState.FETCHED, ()))
    for why in unloadable.values():
        yield Problem(why, LoadFailed.exit_code)
    on_their_way = [batch for state in _AT_PROVIDER for batch in by_state.get(state, ())]
    if waiting := [batch for batch in on_their_way if batch.batch_id not in unloadable]:
        unknown = [batch for batch in waiting if batch.unknowns]
        trouble = f" (the provider does not know the task of {_named(unknown)} now)" if unknown else ""
        yield Problem(f"{_named(waiting)} not finished yet{trouble}; the next run goes on.", 6)
    if planned := by_state.get(BatchState.PLANNED):
        numbers = sum(batch.numbers for batch in planned)
        yield Problem(
            f"{count(numbers, 'number')} left in {count(len(planned), 'planned batch')}, for the next run.",
            0,
        )


def _named(batches: Sequence[Batch]) -> str:
    shown = ", ".join(batch.batch_id for batch in batches[:_SHOWN])
    more = f" and {len(batches) - _SHOWN} more" if len(batches) > _SHOWN else ""
    return f"{'Batch' if len(batches) == 1 else 'Batches'} {shown}{more}"


def _example(batches: Sequence[Batch]) -> str:
    """An id that can be pasted."""
    return batches[0].batch_id


def _words(ledger: Ledger, batch: Batch) -> str:
    attempts = ledger.uploads.of_batch(batch.batch_id)
    return (attempts[-1].words if attempts else None) or "no reason given"


def _why_failed(ledger: Ledger, batch: Batch) -> str:
    events = ledger.history.events(batch.batch_id)
    return next(event.why for event in reversed(events) if event.to_state is BatchState.FAILED)


def _unloadable(ledger: Ledger, fetched: Iterable[Batch]) -> dict[str, str]:
    """By id, why the last try to load a batch failed, as its run said it; what was not tried is not there."""
    last = {batch.batch_id: ledger.history.events(batch.batch_id)[-1] for batch in fetched}
    return {
        batch_id: without_numbers(event.why)
        for batch_id, event in last.items()
        if event.from_state is BatchState.FETCHED
    }


def _done(counted: Funnel) -> str:
    if not counted.files and not counted.batches:
        return "Nothing has landed, and nothing is unfinished."
    # What an earlier run has planned has no lines of this one.
    lines = count(counted.lines, "line")
    bought = f"{counted.to_send:,} of {lines}" if counted.to_send else f"none of {lines} had to be"
    found = outcome(accepted=counted.accepted, quarantined=counted.quarantined, missing=counted.missing)
    return f"{found}; {bought} bought." if counted.lines else f"{found}."


def status_document(ledger: Ledger) -> dict[str, Any]:
    """Everything `ekyc status` shows, as plain data."""
    history = ledger.history
    batches = history.batches()
    files = history.files()
    return {
        "files": [_plain(file, _FILE_FIELDS) for file in files],
        "batches": [_plain(batch, _BATCH_FIELDS) for batch in batches],
        "states": {
            state.value: {"batches": count, "numbers": numbers}
            for state, (count, numbers) in history.states().items()
        },
        "numbers": asdict(funnel(files, batches)),
        "spent": str(ledger.uploads.spent()),
        "left_in_landing": ledger.facts.why_left_in_landing(),
        "open": [problem.text for problem in _standing(ledger)],
    }


def batch_document(ledger: Ledger, batch_id: str) -> dict[str, Any]:
    """One batch with its attempts and its history."""
    batch = ledger.history.batch(batch_id)
    return {
        **{name: _json(value) for name, value in asdict(batch).items()},
        "evidence": evidence(ledger, batch),
        "attempts": [
            {name: _json(value) for name, value in asdict(attempt).items()}
            for attempt in ledger.uploads.of_batch(batch_id)
        ],
        "events": [
            {name: _json(value) for name, value in asdict(event).items()}
            for event in ledger.history.events(batch_id)
        ],
        "files": [
            {"file_id": link.file_id, "fate": link.fate.value, "numbers": link.numbers}
            for link in ledger.history.links(batch_id=batch_id)
        ],
    }


def evidence(ledger: Ledger, batch: Batch) -> list[str]:
    """What is known about each upload of a batch whose outcome nobody knows: sentences, no numbers."""
    return [
        sentence
        for attempt in ledger.uploads.of_batch(batch.batch_id)
        if attempt.outcome is Outcome.UNKNOWN
        for sentence in sentences(batch, attempt, others=ledger.uploads.others_between(attempt))
    ]


def load_document(batch_id: str, task_type: str, checked_at: datetime, report: LoadReport) -> dict[str, Any]:
    """What one archive became, as plain data: names of members and columns, counts, paths."""
    return {
        "batch_id": batch_id,
        "task_type": task_type,
        "checked_at": checked_at.isoformat(),
        "dialect": report.dialect,
        "counts": {**asdict(report.counts), "quarantined": report.counts.quarantined},
        "members_read": list(report.members_read),
        "members_left_aside": [{"name": name, "why": why} for name, why in report.members_left_aside],
        "drift": list(report.drift),
        "dataset": printable(str(report.dataset_path)),
        "quarantine": printable(str(report.quarantine_path)) if report.quarantine_path else None,
    }


def printable(text: str) -> str:
    """Fit for any terminal: a path on disk may hold bytes that are no text."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _plain(record: LandedFile | Batch, names: Iterable[str]) -> dict[str, Any]:
    return {name: _json(getattr(record, name)) for name in names}


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value
