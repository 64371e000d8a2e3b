"""Archives with bytes changed: each is loaded or refused; none crashes, hangs or shows a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.trials.pool import SEED
from support.trials.sample import share

ARCHIVES, LOTS, WORKERS = 100_000, 10, 2
TESTS = Path(__file__).parents[1]


def tried(lot):
    """A lot of archives, in a process of its own."""
    command = [sys.executable, "-m", "support.trials.archives", f"{SEED}-{lot}", str(ARCHIVES // LOTS)]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)


@pytest.mark.in_parts
def test_mutated_archives(figures):
    lots = share(range(LOTS))
    with figures.part("archives mutated", seeds=str(SEED)) as part, ThreadPoolExecutor(WORKERS) as pool:
        loaded = 0
        for done in pool.map(tried, lots):
            *defects, last = [json.loads(line) for line in done.stdout.splitlines()] or [{}]
            part.trials += last.get("tried", 0)
            loaded += last.get("loaded", 0)
            part.violations += [json.dumps(defect) for defect in defects]
            if done.returncode:
                part.violations.append(f"a worker ended with {done.returncode}: {done.stderr[-500:]}")
    assert part.trials == len(lots) * ARCHIVES // LOTS
    assert loaded > part.trials / 10  # not all are refused at the door
