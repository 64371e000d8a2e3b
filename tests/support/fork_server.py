"""A warm process that forks: a run costs its work, and not the three seconds of its imports.

It has imported everything and started nothing: thread pools do not survive a fork.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from support.workstation import plain_environment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a forked process ended. ``result`` is None when it was killed, at ``point`` if by itself."""

    signal: int
    result: dict[str, Any] | None
    point: str
    output: str

    @property
    def exit_code(self) -> int | None:
        return None if self.result is None else self.result["exit_code"]

    @property
    def points(self) -> list[str]:
        return [] if self.result is None else self.result["points"]


class Warm:
    """One warm process; it runs one piece of work at a time."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        # numpy's and everybody's own pools: none may be there when we fork
        own = {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        own["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"  # whoever asks for a server is told at once
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.fork_child"],
            cwd=ROOT,
            env={**plain_environment(), **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, work: str, folder: Path, environment: dict[str, str], **options: Any) -> int:
        """Begin, and return the process id; `wait` for the end."""
        request = {"work": work, "folder": str(folder), "environment": environment, **options}
        self._ask(request)
        return int(self._told()["pid"])

    def wait(self) -> Ended:
        return Ended(**self._told())

    def run(self, work: str, folder: Path, environment: dict[str, str], **options: Any) -> Ended:
        self.start(work, folder, environment, **options)
        return self.wait()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _told(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the warm process is gone"
        return json.loads(line)
