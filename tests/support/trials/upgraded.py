"""A trial that begins with a data folder of the version before: batches in every state, a file in landing."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from support.trials.figures import Tried
from support.trials.trial import Answers, Trial, kept_bytes
from support.version_before import bound_to, charged_tasks, host_of, sandbox_that_remembers, unpacked

from ekyc_tasks.models import BatchState

_RUNS = 8


@dataclass(frozen=True)
class End:
    """How it must end, whatever happened on the way."""

    states: Counter[BatchState]
    answers: Answers
    charges: int


@dataclass
class UpgradedTrial(Trial):
    """``data`` was made by the version before, and its provider remembers the tasks of then."""

    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        unpacked(self.root)
        self.sandbox = self.stack.enter_context(sandbox_that_remembers())
        bound_to(self.data, host_of(self.sandbox))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def end(self) -> End:
        """Runs until nothing moves any more, with what is held decided by the sandbox's record. What was
        refused or failed before waits for a person, and stays."""
        self._run_out()
        for batch in self.batches():
            if batch.state is BatchState.HELD:
                task_id = self._unknown_task_of(batch)
                self._resolve(batch.batch_id, *(["adopt", task_id] if task_id else ["resubmit", "--yes"]))
        self._run_out()
        states = Counter(batch.state for batch in self.batches())
        return End(states, Answers.of(self.data), len(self.sandbox.charges))

    def _run_out(self) -> None:
        for _ in range(_RUNS):
            self.run()
            if not self._unfinished():
                return
        self._violated(f"not at an end after {_RUNS} runs: {self.states()}")

    def finish_as(self, expected: End, *, has_happened: bool) -> Tried:
        end = self.end()
        if end.states != expected.states:
            self._violated(f"states are {dict(end.states)}, not {dict(expected.states)}")
        if not end.answers.rows.equals(expected.answers.rows):
            self._violated("the dataset differs")
        self._check_money()
        before, calls = kept_bytes(self.data), len(self.sandbox.calls)
        self.run()
        if kept_bytes(self.data) != before or len(self.sandbox.calls) != calls:
            self._violated("a further run changed or asked something")
        return Tried(len(self.sandbox.charges) - len(charged_tasks()), self.violations, has_happened)

    def _check_money(self) -> None:
        """What the provider failed at may be bought again; anything else once."""
        tasks = [task for task in self.sandbox.tasks if not task.fails]
        times = Counter(number for task in tasks for number in task.numbers)
        if twice := [number for number, count in times.items() if count > 1]:
            self._violated(f"{len(twice)} numbers were charged twice")
        known = {batch.task_id for batch in self.batches()} | self._known_extra()
        held = [self._sent(batch) for batch in self.batches() if batch.state is BatchState.HELD]
        for task in self.sandbox.tasks:
            if task.task_id not in known and task.numbers not in held:
                self._violated(f"{task.total} numbers were charged and the ledger does not know")
