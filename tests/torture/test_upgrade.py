"""SIGKILL at every point of the first run over a data folder of the version before."""

from __future__ import annotations

import shutil
import signal
from contextlib import contextmanager
from itertools import count

import pytest
from support.trials.pool import ODD_ANSWERS, SEED
from support.trials.sample import share
from support.trials.upgraded import UpgradedTrial

from ekyc_tasks.sandbox import SandboxOptions

EVERY = 4  # its way is a long one, and most of it that of the other kills; the seed says which of them


@pytest.fixture
def upgraded(crew, tmp_path):
    numbers = count(1)

    @contextmanager
    def trial():
        root = tmp_path / f"upgraded-{next(numbers)}"
        root.mkdir()
        with crew.warm() as warm, UpgradedTrial(root, warm, SandboxOptions(**ODD_ANSWERS)) as trial:
            yield trial
        if not trial.violations:
            shutil.rmtree(root)

    return trial


@pytest.mark.in_parts
def test_killed_at_points_of_the_first_run_after_an_upgrade(crew, figures, upgraded):
    with upgraded() as trial:
        points = trial.run().points
        expected = trial.end()
    assert expected.states["loaded"] >= 7

    def killed(at):
        with upgraded() as trial:
            ended = trial.run(kill_at=at)
            return trial.finish_as(expected, has_happened=ended.signal == signal.SIGKILL)

    places = share(range(1 + SEED % EVERY, len(points) + 1, EVERY))
    with figures.part("killed in the first run after an upgrade", seeds=str(SEED)) as part:
        part.points = len(places)
        part.count(crew.each(killed, places))
    assert len(places) - part.trials < max(2, 0.1 * len(places))
