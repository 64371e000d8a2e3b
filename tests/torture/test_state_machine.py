"""Files, runs, crashes, lost answers, expired links, decisions, replays, leaping clocks, in any order."""

from __future__ import annotations

from functools import partial

from torture.crew import SEED

EXAMPLES, STEPS, SHARES = 200, 50, 8


def test_whatever_order_things_happen_in(crew, figures):
    # Some examples end before their last step: a few more make up for them.
    share = partial(crew.examined, examples=EXAMPLES // SHARES + 2, steps=STEPS)
    lots = [SEED * 100 + index for index in range(SHARES)]

    with figures.part("state machine, steps", seeds=f"{lots[0]}–{lots[-1]}") as part:
        for each in crew.each(lambda lot: share(lot=lot), lots):
            part.trials += each["steps"]
            part.points = (part.points or 0) + each["examples"]
            part.charges = (part.charges or 0) + each["charges"]
            part.violations += each["violations"]
    assert (part.points or 0) >= EXAMPLES
    assert part.trials >= EXAMPLES * STEPS
