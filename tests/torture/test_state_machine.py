"""Files, runs, crashes, lost answers, expired links, decisions, replays, leaping clocks, in any order."""

from __future__ import annotations

from functools import partial

import pytest
from support.trials.pool import SEED
from support.trials.sample import SLICE, share

EXAMPLES, STEPS, LOTS = 200, 50, 10


@pytest.mark.in_parts
def test_whatever_order_things_happen_in(crew, figures):
    # Some examples end before their last step: a few more make up for them.
    examined = partial(crew.examined, examples=EXAMPLES // LOTS + 2, steps=STEPS)
    lots = share([SEED * 100 + index for index in range(LOTS)])

    with figures.part("state machine, steps", seeds=f"{lots[0]}–{lots[-1]}") as part:
        for each in crew.each(lambda lot: examined(lot=lot), lots):
            part.trials += each["steps"]
            part.points = (part.points or 0) + each["examples"]
            part.charges = (part.charges or 0) + each["charges"]
            part.violations += each["violations"]
    assert (part.points or 0) >= len(lots) * EXAMPLES // LOTS
    assert part.trials >= (EXAMPLES * STEPS if SLICE is None else 1)
