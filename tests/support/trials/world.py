"""A landing folder, a provider and a person, in one process and in a time of their own.

A crash is a *dead hand*: from one point on nothing that the run does reaches disk, ledger or provider,
neither in its `finally` blocks nor in its threads. That is what a kill looks like from outside.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Lock

import httpx
import polars as pl
import typer
from support import flow_without_engine, kill_points
from support.installed import made
from support.trials.trial import kept_bytes

import ekyc_tasks.ledger.store
import ekyc_tasks.runs.lease
import ekyc_tasks.runs.session
import ekyc_tasks.support.clock
import ekyc_tasks.tasks
from ekyc_tasks.cli import app
from ekyc_tasks.errors import EkycError
from ekyc_tasks.ledger import Batch, connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

NUMBERS = [f"+4179828{index:04}" for index in range(1000, 1400)]
LINK_SECONDS = 300.0
_OPTIONS = SandboxOptions(
    processing_seconds=400.0, pending_seconds=60.0, link_seconds=LINK_SECONDS, missing_rate=0.05
)
_SETTINGS = {
    "API_KEY": _OPTIONS.api_key,
    "BATCH_SIZE": "15",
    "SETTLE": "0",
    "MAX_WAIT": "1m",
    "POLL_MIN": "30s",
    "FRESH_FOR": "3650d",
    "MAX_REJECTED": "1",  # a line of junk is much of a file of one number
}
_AT_WORK = {BatchState.PLANNED, BatchState.SUBMITTING, BatchState.SUBMITTED, BatchState.FETCHED}
_FOR_A_PERSON = {BatchState.HELD, BatchState.FAILED, BatchState.REFUSED}
_COMMAND = typer.main.get_command(app)
_offset = timedelta()


class JumpingTime(datetime):
    """The system's time, and whatever was put on top of it."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + _offset


class Dead(BaseException):
    """What a run gets for every touch of the world after its death."""


class Hand:
    """What happens at the points of a run: nothing, death at one of them, or trouble on the wire."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.begin()
        self.lost: Counter[str] = Counter()  # answers that will not arrive, by call
        self.expiring = 0  # links that expire before they are opened

    def begin(self, dies_at: int | None = None) -> None:
        self.passed = 0
        self.dies_at = dies_at
        self.is_dead = False

    def __call__(self, point: str) -> None:
        with self._lock:
            self.passed += 1
            self.is_dead = self.is_dead or self.passed == self.dies_at
        if self.is_dead:
            raise Dead(point)
        when, _, call = point.partition(" ")
        if when == "after" and self.lost[call]:
            self.lost[call] -= 1
            raise httpx.ReadError("the answer was lost")
        if point == "before fetch" and self.expiring:
            self.expiring -= 1
            jump(LINK_SECONDS + 1)


def jump(seconds: float) -> None:
    global _offset  # noqa: PLW0603 - there is one time
    _offset += timedelta(seconds=seconds)


async def nap(_: object, seconds: float) -> None:
    jump(seconds)
    await asyncio.sleep(0)


def prepare(root: Path) -> Hand:
    """Once in a process: seams, time, no engine."""
    flow_without_engine.without_engine()
    kill_points.use_no_certificates()
    for module in (
        ekyc_tasks.support.clock,
        ekyc_tasks.runs.lease,
        ekyc_tasks.ledger.store,
        ekyc_tasks.runs.session,
    ):
        module.datetime = JumpingTime
    ekyc_tasks.support.clock.SystemClock.sleep = nap
    hand = Hand()
    kill_points.install(hand, root=root)
    return hand


class World:
    """One example. ``forgiven`` counts how often a person let a number be bought again."""

    def __init__(self, data: Path, hand: Hand) -> None:
        global _offset  # noqa: PLW0603
        _offset = timedelta()
        self.data = data
        self.hand = hand
        self.hand.__init__()
        self.forgiven: Counter[str] = Counter()
        self.dropped: set[str] = set()
        self._files = 0
        self.has_moved = False
        (data / "landing").mkdir(parents=True)
        self.sandbox = Sandbox(_OPTIONS, clock=lambda: time.time() + _offset.total_seconds()).start()
        own = {"HOME": str(data), "DATA_DIR": str(data), "BASE_URL": self.sandbox.base_url}
        os.environ.update({f"EKYC_{name}": value for name, value in (_SETTINGS | own).items()})
        made(data, self.sandbox.base_url)

    def close(self) -> None:
        self.sandbox.stop()

    # ------------------------------------------------------------------------ what may happen

    def drop(self, first: int, count: int) -> None:
        numbers = NUMBERS[first : first + count]
        self._files += 1
        self.dropped |= set(numbers)
        lines = [*numbers, "junk", "", *numbers[:1]]
        (self.data / "landing" / f"{self._files}.txt").write_text("".join(f"{line}\n" for line in lines))

    def run(self, dies_at: int | None = None) -> int | None:
        """The exit code, or None for a run that died."""
        self.has_moved = True
        self.hand.begin(dies_at)
        try:
            ended = flow_without_engine.run_once()
            # Time leaps while it sleeps, so a run may lose its lease: then it sends nothing, and says so.
            assert ended["exit_code"] in {0, 3, 5, 6} or "lease" in str(ended["sentences"]), ended
            return ended["exit_code"]
        except BaseException:
            if not self.hand.is_dead:
                raise
            return None
        finally:
            self.hand.begin()

    def ekyc(self, *words: str) -> int:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            try:
                return _COMMAND.main(list(words), prog_name="ekyc", standalone_mode=False) or 0
            except EkycError as error:
                return error.exit_code

    def resolve(self, which: int, decision: str) -> None:
        """One of the batches that wait for a person. ``decision``: by the record, or let go of it."""
        self.has_moved = True
        waiting = [batch for batch in self.batches() if batch.state in _FOR_A_PERSON]
        if not waiting:
            return
        batch = waiting[which % len(waiting)]
        task_id = self._task_of(batch)
        words = ["adopt", task_id] if task_id else ["resubmit", "--yes"]
        if decision == "abandon":
            words = ["abandon", "--yes"]
            self.forgiven.update(self._sent(batch) if task_id else ())
        code = self.ekyc("resolve", batch.batch_id, *words, "--force", "--reason", "the record")
        assert code in {0, 6}, (words, code)  # 6: the provider was asked, and its answer was lost

    def resolve_wrongly(self) -> None:
        """A task that nobody knows, a batch that is not there: refused, and nothing changes."""
        before = self.states()
        for batch in self.batches()[:2]:
            code = self.ekyc("resolve", batch.batch_id, "adopt", "0" * 20)
            assert code in {2, 6}, code  # 6: the provider was asked, and its answer was lost
        assert self.ekyc("resolve", "no-such-batch", "abandon") == 2
        assert self.states() == before

    def replay(self) -> None:
        before = kept_bytes(self.data)
        self.ekyc("replay", "--all")
        after = kept_bytes(self.data)
        assert {name: after.get(name) for name in before} == before, "a replay changed a byte"

    def to_the_end(self) -> None:
        self.hand.lost.clear()
        for _ in range(40):
            code = self.run()
            states = set(self.batches_by_state())
            if not states & _AT_WORK and not states & _FOR_A_PERSON and code == 0:
                return
            for _ in self.batches():
                self.resolve(0, "by the record")
            jump(3600)  # a provider whose clock was set back by hours needs them again
        raise AssertionError(f"not at an end: {self.states()}, exit {code}")

    # ------------------------------------------------------------------------ what must hold

    def check_money(self) -> None:
        """Every charge is known, on its way into the ledger, or held; none was made twice."""
        if not self.has_moved:
            return
        self.has_moved = False
        known, open_ = self._known(), [self._sent(batch) for batch in self.batches() if _is_open(batch)]
        for task in self.sandbox.tasks:
            assert task.task_id in known or task.numbers in open_, "a charge that nobody knows of"
        times = Counter(number for task in self.sandbox.tasks for number in task.numbers)
        twice = [number for number, count in times.items() if count > 1 + self.forgiven[number]]
        assert not twice, f"{len(twice)} numbers were charged twice"

    def check_warehouse(self) -> None:
        """Whole batches only, each number once (but where a person let it be bought again)."""
        for path in (self.data / "warehouse").rglob("*"):
            assert path.is_dir() or path.suffix == ".parquet", path.name
        answered = self._answered()
        twice = [number for number, count in answered.items() if count > 1 + self.forgiven[number]]
        assert not twice, f"{len(twice)} numbers are in the dataset twice"

    def check_end(self) -> None:
        self.check_money()
        self.check_warehouse()
        expected = {number for number in self.dropped if not self.sandbox.answers(number).is_missing}
        assert set(self._answered()) == expected, "the dataset is not what was asked"
        assert not any((self.data / ".spool").glob("*.json"))
        before, charges = kept_bytes(self.data), len(self.sandbox.charges)
        assert self.run() == 0
        assert kept_bytes(self.data) == before, "a further run changed a byte"
        assert len(self.sandbox.charges) == charges

    # ------------------------------------------------------------------------ what is there

    def batches(self) -> list[Batch]:
        if not (self.data / "ledger.db").exists():
            return []
        with connect_ledger(f"sqlite:///{self.data}/ledger.db") as ledger:
            try:
                return ledger.history.batches()
            except EkycError:  # a run died before the ledger had its tables
                return []

    def states(self) -> list[tuple[str, str]]:
        return [(batch.batch_id, batch.state.value) for batch in self.batches()]

    def batches_by_state(self) -> Counter[BatchState]:
        return Counter(batch.state for batch in self.batches())

    def _known(self) -> set[str | None]:
        """Task ids in the ledger and in the spool."""
        spool = "".join(path.read_text() for path in (self.data / ".spool").glob("*.json"))
        with connect_ledger(f"sqlite:///{self.data}/ledger.db") as ledger:
            known = {
                attempt.task_id
                for batch in self.batches()
                for attempt in ledger.uploads.of_batch(batch.batch_id)
            }
        known |= {batch.task_id for batch in self.batches()}
        return known | {task.task_id for task in self.sandbox.tasks if task.task_id in spool}

    def _sent(self, batch: Batch) -> frozenset[str]:
        return frozenset((self.data / "batches" / f"{batch.batch_id}.txt").read_text().split())

    def _task_of(self, batch: Batch) -> str | None:
        known, sent = self._known(), self._sent(batch)
        tasks = [task.task_id for task in self.sandbox.tasks if task.numbers == sent]
        return next((task_id for task_id in tasks if task_id not in known), None)

    def _answered(self) -> Counter[str]:
        files = [path for path in (self.data / "warehouse").rglob("*") if path.is_file()]
        frames = [pl.read_parquet(path, columns=["number"])["number"].to_list() for path in files]
        return Counter(number for numbers in frames for number in numbers)


def _is_open(batch: Batch) -> bool:
    """Its upload's outcome is not known, or a person let go of it."""
    return batch.state in {BatchState.SUBMITTING, BatchState.HELD, BatchState.ABANDONED}
