"""What a run did and where everything is: counts and sentences, never a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from textwrap import shorten
from typing import Any

from ekyc_tasks.errors import ExitCode
from ekyc_tasks.ledger import Batch, LandedFile, Ledger
from ekyc_tasks.models import BatchState, LoadReport, Outcome, states_where
from ekyc_tasks.reporting.evidence import sentences
from ekyc_tasks.reporting.funnel import Funnel, funnel
from ekyc_tasks.runs.session import Problem, Run
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import count, outcome, printable

_FAILURES = (  # a person must do something: these send notifications
    ExitCode.UNEXPECTED,
    ExitCode.CONFIGURATION,
    ExitCode.PERSON_NEEDED,
    ExitCode.INPUT,
)
_FILE_FIELDS = ("file_id", "name", "sha256", "size", "task_type", "planned_at")
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
_AFTER_PLANNING = states_where(lambda state: state.goes_on and state is not BatchState.PLANNED)
_BATCHES_NAMED = 3  # in one sentence
_LONGEST_REASON = 80  # characters of a state's name


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended, for Prefect's state, the terminal and the exit code alike."""

    run_id: str
    name: str
    message: str
    exit_code: ExitCode
    sentences: tuple[str, ...]
    funnel: Funnel
    to_approve: int = 0  # numbers of a plan that waits for a person

    @property
    def is_failure(self) -> bool:
        return self.exit_code in _FAILURES

    def as_data(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "exit_code": int(self.exit_code),
            "sentences": list(self.sentences),
            "funnel": self.funnel.as_data(),
            "to_approve": self.to_approve,
        }


def summarise(run: Run, *, next_look: datetime | None = None) -> Summary:
    """Read it from the ledger; only the problems come from the run itself.

    ``next_look``: when the next run begins, where that is known.
    """
    history = run.ledger.history
    touched = history.touched(run.run_id)
    counted = funnel(history.files(run_id=run.run_id), touched)
    standing = list(dict.fromkeys([*run.problems, *_standing(run.ledger)]))
    standing.sort(key=lambda problem: problem.exit_code is ExitCode.PERSON_NEEDED)  # the last line is read
    code = min((problem.exit_code for problem in standing if problem.exit_code), default=ExitCode.DONE)
    if code is ExitCode.DONE:
        name = "Completed" if counted.files or touched else "Nothing to do"
    elif code is ExitCode.PERSON_NEEDED and run.to_approve:
        name = f"Approval needed: {run.to_approve[1]}"
    else:
        name = _name(code, standing, history.states(), next_look)
    sentences = tuple(problem.text for problem in standing) or (_what_was_done(counted),)
    to_approve = run.to_approve[0] if run.to_approve else 0
    return Summary(run.run_id, name, " ".join(sentences), code, sentences, counted, to_approve)


def conclude(problems: Sequence[Problem], done: str) -> Summary:
    """Of a run that is no run over batches on their way, or that could not begin one."""
    sentences = tuple(problem.text for problem in problems) or (done,)
    code = min((problem.exit_code for problem in problems), default=ExitCode.DONE)
    name = _name(code, problems, {}, None) if code else "Completed"
    return Summary("", name, " ".join(sentences), code, sentences, Funnel())


def _name(
    code: ExitCode,
    problems: Sequence[Problem],
    states: Mapping[BatchState, tuple[int, int]],
    next_look: datetime | None,
) -> str:
    """The state's name when not all went well: short enough for a list of runs."""
    batches = {state: count for state, (count, _) in states.items()}
    if code is ExitCode.NO_MONEY:
        return "Budget reached"
    if code is ExitCode.WAITING:
        waiting = sum(number for state, number in batches.items() if state.goes_on)
        look = f", next look {next_look:%H:%M} UTC" if next_look else ""
        return f"Waiting on provider ({count(waiting, 'batch')}{look})"
    if code is ExitCode.PERSON_NEEDED and (held := batches.get(BatchState.HELD)):
        return f"Held: {count(held, 'batch')} need{'s' if held == 1 else ''} a decision"
    reason = next(problem.text for problem in problems if problem.exit_code == code)
    return f"Failed: {shorten(reason, _LONGEST_REASON, placeholder=' …')}"


def _standing(ledger: Ledger) -> Iterator[Problem]:
    """What is unfinished after a run, including what earlier runs left."""
    by_state: dict[BatchState, list[Batch]] = {}
    for batch in ledger.history.batches(states=states_where(lambda state: not state.is_final)):
        by_state.setdefault(batch.state, []).append(batch)
    if failed := by_state.get(BatchState.FAILED):
        yield Problem(
            f"{_name_all(failed)} failed ({_why_failed(ledger, failed[0])}). "
            f"{_choose(failed, 'adopt TASK_ID', 'resubmit', 'abandon')}",
            ExitCode.PERSON_NEEDED,
        )
    if held := by_state.get(BatchState.HELD):
        yield Problem(
            f"{_name_all(held)}: it is not known whether the provider took the upload and charged for it. "
            "A held batch is not sent again until you decide. "
            f"{_choose(held, 'adopt TASK_ID', 'resubmit', 'abandon')} "
            f"`ekyc status {_example(held)}` shows what is known.",
            ExitCode.PERSON_NEEDED,
        )
    if refused := by_state.get(BatchState.REFUSED):
        yield Problem(
            f"{_name_all(refused)}: refused by the provider, free of charge ({_words(ledger, refused[0])}). "
            f"{_choose(refused, 'resubmit', 'abandon')}",
            ExitCode.INPUT,
        )
    unloadable = _unloadable(ledger, by_state.get(BatchState.FETCHED, ()))
    for why in unloadable.values():
        yield Problem(why, ExitCode.PERSON_NEEDED)
    on_their_way = [batch for state in _AFTER_PLANNING for batch in by_state.get(state, ())]
    if waiting := [batch for batch in on_their_way if batch.batch_id not in unloadable]:
        unknown = [batch for batch in waiting if batch.unknowns]
        trouble = (
            f" (the provider currently does not know the task of {_name_all(unknown)})" if unknown else ""
        )
        text = f"{_name_all(waiting)}: not finished yet{trouble}. The next run continues."
        yield Problem(text, ExitCode.WAITING)
    if planned := by_state.get(BatchState.PLANNED):
        numbers = sum(batch.numbers for batch in planned)
        yield Problem(
            f"{count(numbers, 'number')} in {count(len(planned), 'planned batch')} wait for the next run.",
            ExitCode.DONE,
        )


def _name_all(batches: Sequence[Batch]) -> str:
    shown = ", ".join(batch.batch_id for batch in batches[:_BATCHES_NAMED])
    more = f" and {len(batches) - _BATCHES_NAMED} more" if len(batches) > _BATCHES_NAMED else ""
    return f"{'Batch' if len(batches) == 1 else 'Batches'} {shown}{more}"


def _example(batches: Sequence[Batch]) -> str:
    """An id that can be pasted."""
    return batches[0].batch_id


def _choose(batches: Sequence[Batch], *decisions: str) -> str:
    commands = ", ".join(f"`ekyc resolve {_example(batches)} {decision}`" for decision in decisions)
    return f"Choose one of: {commands}."


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


def _what_was_done(counted: Funnel) -> str:
    if not counted.files and not counted.batches:
        return "There are no new files and no unfinished batches."
    # What an earlier run has planned has no lines of this one.
    landed = counted.landed
    bought = f"{count(landed.batched, 'number')} bought" if landed.batched else "nothing had to be bought"
    found = outcome(accepted=counted.accepted, quarantined=counted.quarantined, missing=counted.missing)
    return f"{found}; {bought} from {count(landed.lines, 'line')}." if landed.lines else f"{found}."


def status_document(ledger: Ledger) -> dict[str, Any]:
    """Everything `ekyc status` shows, as plain data."""
    history = ledger.history
    batches = history.batches()
    files = history.files()
    return {
        "files": [{**_plain(file, _FILE_FIELDS), **asdict(file.counts)} for file in files],
        "batches": [_plain(batch, _BATCH_FIELDS) for batch in batches],
        "states": {
            state.value: {"batches": count, "numbers": numbers}
            for state, (count, numbers) in history.states().items()
        },
        "numbers": funnel(files, batches).as_data(),
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
    """What is known about each upload of unknown outcome of a batch: sentences, no numbers."""
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


def _plain(record: LandedFile | Batch, names: Iterable[str]) -> dict[str, Any]:
    return {name: _json(getattr(record, name)) for name in names}


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value
