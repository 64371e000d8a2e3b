"""One trial: landed files, a sandbox that survives, runs that die; and what must hold whatever happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import polars as pl
from support.fork_server import Ended, Warm
from support.installed import made
from support.trials.figures import Tried
from support.trials.strace import attached, is_stopped
from support.workstation import wait_until

from ekyc_tasks.ledger import Batch, connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

NUMBERS = [f"+4179828{index:04}" for index in range(4000, 4140)]
# Three batches of 50, 50 and 40; lines that are no number, repeated ones, and numbers that two files share.
LANDED = {
    "first.txt": [*NUMBERS[:60], "junk", "", NUMBERS[3]],
    "more/second.csv": ["phone", *NUMBERS[40:100]],
    "third.txt": [*NUMBERS[100:], NUMBERS[0]],
}
KEPT = ("inputs", "batches", "raw", "warehouse", "quarantine")
# Not the same from one run to the next, by design.
_OF_A_RUN = {"batch_id", "task_id", "checked_at", "checked_date", "line"}
_MOST_RUNS = 8
_ENDS = {0, 3, 5}  # done, or a person's turn
_FOR_A_PERSON = {BatchState.HELD, BatchState.FAILED, BatchState.REFUSED}


@dataclass
class Trial:
    """A data folder beside a sandbox of its own. ``violations`` gathers what must never be."""

    root: Path
    warm: Warm
    options: SandboxOptions
    landed: dict[str, list[str]] = field(default_factory=lambda: LANDED)
    settings: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    spooled: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        (self.data / "landing").mkdir(parents=True)
        for name, lines in self.landed.items():
            self.land(name, lines)
        self.sandbox = Sandbox(self.options).start()
        made(self.data, self.sandbox.base_url, self.settings.get("LEDGER_URL"))
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.data),
            "DATA_DIR": str(self.data),
            "BASE_URL": self.sandbox.base_url,
            "API_KEY": self.sandbox.api_key,
            "BATCH_SIZE": "50",
            "SETTLE": "0",
            "POLL_MIN": "0.01s",
            "POLL_MAX": "0.05s",
            "MAX_WAIT": "4s",
        }
        return {f"EKYC_{name}": value for name, value in (own | self.settings).items()}

    @property
    def ledger_url(self) -> str:
        return self.settings.get("LEDGER_URL", f"sqlite:///{self.data / 'ledger.db'}")

    # ------------------------------------------------------------------------ what is done

    def land(self, name: str, lines: Sequence[str]) -> None:
        path = self.data / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))

    def run(self, *, kill_at: int | None = None) -> Ended:
        """One run of the flow, perhaps killed; readers look at what it left."""
        ended = self.warm.run("run", self.root, self.environment, kill_at=kill_at)
        self.has_ended(ended)
        return ended

    def run_under(self, strace: Sequence[str]) -> Ended:
        """One run, whose system calls go wrong as ``strace`` is told."""
        pid = self.warm.start("run", self.root, self.environment, stops_first=True)
        wait_until(lambda: is_stopped(pid), seconds=60, what="the process's own stop")
        with attached(pid, strace):
            ended = self.warm.wait()
        self.has_ended(ended)
        return ended

    def race(self, others: Sequence[Warm]) -> None:
        """Runs that start together, each in a process of its own."""
        racers = [self.warm, *others]
        for warm in racers:
            warm.start("run", self.root, self.environment)
        for warm in racers:
            self.has_ended(warm.wait())

    def has_ended(self, ended: Ended) -> None:
        self.history.append(
            ended.point or f"exit {ended.exit_code} {ended.result and ended.result['sentences']}"
        )
        if ended.signal not in {0, 9}:
            self._violated(f"a run ended by signal {ended.signal}: {ended.output[-500:]}")
        if ended.exit_code == 1 and "Traceback" in ended.output:
            self._violated(f"a defect: {ended.output[-1500:]}")
        answers = (json.loads(path.read_text()) for path in (self.data / ".spool").glob("*.json"))
        self.spooled |= {answer["task_id"] for answer in answers}
        self._look_as_readers()

    def run_to_the_end(self) -> None:
        """Until everything is loaded, or waits for a person."""
        for _ in range(_MOST_RUNS):
            if self.run().exit_code in _ENDS and not self._unfinished():
                return
        self._violated(f"not at an end after {_MOST_RUNS} runs: {self.states()}")

    def decide(self) -> bool:
        """Every batch that waits for a person, by the sandbox's own record; was there any?"""
        waiting = [batch for batch in self.batches() if batch.state in _FOR_A_PERSON]
        for batch in waiting:
            task_id = self._unknown_task_of(batch) if batch.state is BatchState.HELD else None
            decision = ["adopt", task_id] if task_id else ["resubmit", "--yes"]
            self._resolve(batch.batch_id, *decision)
        return bool(waiting)

    def _resolve(self, batch_id: str, *decision: str) -> None:
        # The upload's deadline has not passed, and its process is dead for certain: hence --force.
        words = ["resolve", batch_id, *decision, "--force", "--reason", "the sandbox's own record"]
        ended = self.warm.run("ekyc", self.root, self.environment, arguments=words)
        self.history.append(f"resolve {decision[0]}: {ended.exit_code}")
        if ended.exit_code != 0:
            self._violated(f"resolve {decision} failed: {ended.output[-500:]}")

    def finish(self, expected: Answers, *, has_happened: bool = True) -> Tried:
        """Runs to the end, a person's decisions, and all that must hold."""
        self.run_to_the_end()
        self._check_charges()
        if self.decide():
            self.run_to_the_end()
            self._check_charges()
        self._check_loaded(expected)
        self._check_that_nothing_is_left_to_do()
        return Tried(len(self.sandbox.charges), self.violations, has_happened)

    # ------------------------------------------------------------------------ what must hold

    def _check_charges(self) -> None:
        """Every charge is known or held, and no number is charged twice."""
        known = {batch.task_id for batch in self.batches()} | self._known_extra()
        held = [self._sent(batch) for batch in self.batches() if batch.state is BatchState.HELD]
        for task in self.sandbox.tasks:
            if task.task_id not in known and task.numbers not in held:
                self._violated(f"{task.total} numbers were charged and the ledger does not know")
        if self.spooled - known:
            self._violated("a task id that was on disk is not in the ledger")
        # What the provider failed at is bought again by a person's word.
        tasks = [task for task in self.sandbox.tasks if not task.fails]
        times = Counter(number for task in tasks for number in task.numbers)
        if twice := [number for number, count in times.items() if count > 1]:
            self._violated(f"{len(twice)} numbers were charged twice")

    def _check_loaded(self, expected: Answers) -> None:
        if states := set(self.states()) - {"loaded", "abandoned"}:
            self._violated(f"batches are left {states}")
        if left := [path.name for path in (self.data / "landing").rglob("*") if path.is_file()]:
            self._violated(f"files are left in landing: {left}")
        found = Answers.of(self.data)
        if not found.rows.equals(expected.rows):
            self._violated(f"the dataset differs: {found.rows.height} rows, not {expected.rows.height}")
        if not found.quarantined.equals(expected.quarantined):
            self._violated(
                f"the quarantine differs: {found.quarantined.height}, not {expected.quarantined.height}"
            )

    def _check_that_nothing_is_left_to_do(self) -> None:
        before, calls = kept_bytes(self.data), len(self.sandbox.calls)
        if self.run().exit_code != 0:
            self._violated(f"a further run says {self.history[-1]}")
        if kept_bytes(self.data) != before:
            self._violated("a further run changed a byte")
        if len(self.sandbox.calls) != calls:
            self._violated("a further run called the provider")

    def _look_as_readers(self) -> None:
        """Nothing that a reader of the warehouse could stumble over, at any moment."""
        tree = self.data / "warehouse"
        files = [path for path in tree.rglob("*") if path.is_file()]
        if strange := [path.name for path in files if path.suffix != ".parquet"]:
            self._violated(f"the warehouse holds {strange}")
        try:
            rows = pl.concat([pl.scan_parquet(path) for path in files]).collect() if files else None
        except pl.exceptions.PolarsError as error:
            self._violated(f"a reader met {type(error).__name__}")
        else:
            if rows is not None and rows["number"].is_duplicated().any():
                self._violated("a reader met a number twice")

    # ------------------------------------------------------------------------ what is there

    def batches(self) -> list[Batch]:
        if not (self.data / "ledger.db").exists() and "LEDGER_URL" not in self.settings:
            return []
        with connect_ledger(self.ledger_url) as ledger:
            return ledger.history.batches()

    def states(self) -> list[str]:
        return [batch.state.value for batch in self.batches()]

    def _known_extra(self) -> set[str | None]:
        with connect_ledger(self.ledger_url) as ledger:
            return {
                attempt.task_id
                for batch in ledger.history.batches()
                for attempt in ledger.uploads.of_batch(batch.batch_id)
            }

    def _unfinished(self) -> bool:
        return bool({"planned", "submitting", "submitted", "fetched"} & set(self.states()))

    def _sent(self, batch: Batch) -> frozenset[str]:
        return frozenset((self.data / "batches" / f"{batch.batch_id}.txt").read_text().split())

    def _unknown_task_of(self, batch: Batch) -> str | None:
        """The sandbox's task of a batch whose upload's outcome nobody told us."""
        known = {each.task_id for each in self.batches()}
        sent = self._sent(batch)
        tasks = [task.task_id for task in self.sandbox.tasks if task.numbers == sent]
        return next((task_id for task_id in tasks if task_id not in known), None)

    def _violated(self, what: str) -> None:
        self.violations.append(f"{what} [{' → '.join(self.history)}]")


@dataclass(frozen=True)
class Answers:
    """Dataset and quarantine without what differs from run to run, in an order of their own."""

    rows: pl.DataFrame
    quarantined: pl.DataFrame

    @classmethod
    def of(cls, data: Path) -> Answers:
        return cls(_frame(data / "warehouse" / "tg_avatar"), _frame(data / "quarantine" / "tg_avatar"))


def _frame(tree: Path) -> pl.DataFrame:
    frames = [pl.read_parquet(path) for path in sorted(tree.rglob("*.parquet"))]
    if not frames:
        return pl.DataFrame()
    rows = pl.concat(frames)
    names = [name for name in rows.columns if name not in _OF_A_RUN]
    return rows.select(names).sort(names, nulls_last=True)


def kept_bytes(data: Path) -> dict[str, bytes]:
    """Every byte that a further run must not touch."""
    return {
        str(path.relative_to(data)): path.read_bytes()
        for folder in KEPT
        for path in sorted((data / folder).rglob("*"))
        if path.is_file()
    }
