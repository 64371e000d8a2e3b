"""A sample of `make torture`: kills on the way of three batches, in processes of their own."""

from __future__ import annotations

import signal

import pytest
from torture.fixtures import crew, undisturbed  # noqa: F401 - fixtures

pytestmark = pytest.mark.integration


def test_a_dozen_kills_pay_nothing_twice_and_lose_nothing(crew, undisturbed):  # noqa: F811
    expected, points = undisturbed
    sent = points.index("after create")
    spooled = points.index("after replace", sent)
    worst = [points.index("before create") + 1, sent + 1, spooled + 1]
    spread = range(1, len(points) + 1, len(points) // 9)

    def killed(at):
        with crew.trial() as trial:
            ended = trial.run(kill_at=at)
            return trial.finish(expected, has_happened=ended.signal == signal.SIGKILL)

    tried = crew.each(killed, [*worst, *spread])
    assert [each.violations for each in tried if each.violations] == []
    assert sum(each.has_happened for each in tried) >= 12
    assert {each.charges for each in tried} == {3}
