"""Warm processes, as many as there are cores, that share the trials of a test."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from support.fork_server import Warm
from support.trials.trial import LANDED, Answers, Trial

from ekyc_tasks.sandbox import SandboxOptions

T, R = TypeVar("T"), TypeVar("R")
SEED = int(os.environ.get("SEED", "1"))  # of whatever is drawn by lot: another one is another torture
_WORKERS = min(os.cpu_count() or 1, 4)
# Answers that leave something in quarantine, and numbers that never come back.
ODD_ANSWERS = {"processing_seconds": 0.0, "missing_rate": 0.05, "repeated_rate": 0.05}


class Crew:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: SimpleQueue[Warm] = SimpleQueue()
        self._count = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(_WORKERS):
            self._free.put(self._open.enter_context(Warm()))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @contextmanager
    def warm(self):
        """A process that nobody else uses meanwhile."""
        process = self._free.get()
        try:
            yield process
        finally:
            self._free.put(process)

    @contextmanager
    def trial(self, *chaos: str, landed=LANDED, settings: dict[str, str] | None = None, **options):
        """A fresh folder and a sandbox; what a trial with violations left is kept."""
        self._count += 1
        root = self._folder / f"trial-{self._count}"
        behaviour = SandboxOptions(**{**ODD_ANSWERS, **options}, chaos=chaos)
        with self.warm() as warm, Trial(root, warm, behaviour, landed, settings or {}) as trial:
            yield trial
        if not trial.violations:
            shutil.rmtree(root)

    def examined(self, *, examples: int, steps: int, lot: int) -> dict[str, Any]:
        """A state machine's share of the examples; see `support.trials.machine`."""
        self._count += 1
        folder = self._folder / f"examples-{self._count}"
        folder.mkdir()
        profile = {"examples": examples, "steps": steps, "lot": lot}
        with self.warm() as warm:
            ended = warm.run("examine", folder, {}, profile=profile, seconds=1200)
        assert ended.result is not None, ended.output[-2000:]
        return ended.result

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results in the order of ``items``, side by side."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            return list(pool.map(function, items))

    def undisturbed(self) -> tuple[Answers, list[str]]:
        """What must come out, and the points on the way."""
        with self.trial() as trial:
            ended = trial.run()
            assert ended.exit_code == 0, ended.output
            return Answers.of(trial.data), ended.points


def drawn(name: str) -> random.Random:
    """Lots of one test, the same for the same seed."""
    return random.Random(f"{name} {SEED}")  # noqa: S311 - for trials, not for secrets
