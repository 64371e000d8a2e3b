"""SIGKILL at every point of the way of three batches, and again while recovering from it."""

from __future__ import annotations

import signal

import pytest
from support.trials.pool import SEED, drawn
from support.trials.sample import share

PAIRS = 200
_EARLY = 40  # most ways out of a kill are short, and a second one is meant to meet them


@pytest.mark.in_parts
def test_killed_at_every_point(crew, figures, undisturbed):
    expected, points = undisturbed
    assert len(points) >= 45

    def killed(at):
        with crew.trial() as trial:
            ended = trial.run(kill_at=at)
            return trial.finish(expected, has_happened=ended.signal == signal.SIGKILL)

    places = share(range(1, len(points) + 1))
    with figures.part("killed at every point") as part:
        part.points = len(places)
        part.count(crew.each(killed, places))
    # a run may be a poll shorter than the one that was counted
    assert len(places) - part.trials < max(2, 0.05 * len(places))


@pytest.mark.in_parts
def test_killed_again_while_recovering(crew, figures, undisturbed):
    expected, points = undisturbed
    lots = drawn("pairs")
    draws = share(
        [(lots.randint(1, len(points)), lots.randint(1, _EARLY), lots.randint(1, 8)) for _ in range(PAIRS)]
    )

    def killed_twice(draw):
        first, second, sooner = draw
        with crew.trial() as trial:
            trial.run(kill_at=first)
            died = trial.run(kill_at=second).signal or trial.run(kill_at=sooner).signal
            return trial.finish(expected, has_happened=died == signal.SIGKILL)

    with figures.part("killed again while recovering", seeds=str(SEED)) as part:
        part.points = len({draw[:2] for draw in draws})
        part.count(crew.each(killed_twice, draws))
    assert part.trials == len(draws)
