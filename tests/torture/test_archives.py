"""Archives with bytes changed: each is loaded or refused; none crashes, hangs or shows a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from torture.crew import SEED

ARCHIVES, WORKERS = 100_000, 2
TESTS = Path(__file__).parents[1]


def test_mutated_archives(figures):
    with figures.part("archives mutated", seeds=str(SEED)) as part:
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "torture.archives", f"{SEED}-{worker}", str(ARCHIVES // WORKERS)],
                cwd=TESTS,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for worker in range(WORKERS)
        ]
        loaded = 0
        for worker in workers:
            said, trouble = worker.communicate()
            *defects, last = [json.loads(line) for line in said.splitlines()] or [{}]
            part.trials += last.get("tried", 0)
            loaded += last.get("loaded", 0)
            part.violations += [json.dumps(defect) for defect in defects]
            if worker.returncode:
                part.violations.append(f"a worker ended with {worker.returncode}: {trouble[-500:]}")
    assert part.trials == ARCHIVES
    assert loaded > ARCHIVES / 10  # not all are refused at the door
