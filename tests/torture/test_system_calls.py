"""The n-th write, fsync or rename fails, or is where the process is killed: SQLite's own ones too."""

from __future__ import annotations

import pytest
from support.trials.sample import SLICE, share
from support.trials.strace import CALLS, counting, going_wrong, has_happened, is_usable, most

# More of those that publish something; of the writes a spread.
TRIALS = {("write", "ENOSPC"): 40, ("write", "SIGKILL"): 30, ("fsync", "EIO"): 24, ("fsync", "SIGKILL"): 16}
TRIALS |= {("rename", fault): 12 for fault in ("ENOSPC", "EIO", "SIGKILL")}


@pytest.mark.in_parts
def test_every_system_call_may_fail(crew, figures, undisturbed, tmp_path):
    if not is_usable():
        pytest.skip("strace is not installed, or may not trace here")
    expected, _ = undisturbed
    log = tmp_path / "calls"
    with crew.trial() as trial:
        trial.run_under(counting(log))
    cells = [
        (calls, fault, n)
        for (calls, fault), trials in TRIALS.items()
        for n in spread(most(log, calls), trials)
    ]
    assert {calls for calls, _, _ in cells} == set(CALLS)
    cells = share(cells)

    def gone_wrong(cell):
        with crew.trial() as trial:
            trial.history.append("{} {} #{}".format(*cell))
            log = trial.root / "calls"
            trial.run_under(going_wrong(*cell, log))
            return trial.finish(expected, has_happened=has_happened(log))

    with figures.part("system calls that fail or kill") as part:
        part.points = len(cells)
        part.count(crew.each(gone_wrong, cells))
    assert part.trials >= (100 if SLICE is None else 1)


def spread(last: int, trials: int) -> list[int]:
    """So many different n from 1 to ``last``, the last one with them."""
    if last <= trials:
        return list(range(1, last + 1))
    return [round(1 + index * (last - 1) / (trials - 1)) for index in range(trials)]
