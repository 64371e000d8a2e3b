"""A sample of `make torture`: kills, faults, and things in any order, in processes of their own."""

from __future__ import annotations

import signal
from functools import partial

import pytest
from support.trials.fixtures import crew, undisturbed  # noqa: F401 - fixtures
from support.trials.matrix import troubled

pytestmark = [pytest.mark.integration, pytest.mark.smoke]

CORNER = [
    ("create", "reset", 1),
    ("create", "504_after", 2),
    ("poll", "html", 3),
    ("exported", "no_link", 6),
    ("fetch", "truncate", 3),
    ("balance", "500", 1),
]


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


def test_a_corner_of_the_fault_matrix_heals(crew, undisturbed):  # noqa: F811
    expected, _ = undisturbed
    tried = crew.each(partial(troubled, crew, expected), CORNER)
    assert [each.violations for each in tried if each.violations] == []
    assert {each.charges for each in tried} == {3}


def test_things_may_happen_in_any_order(crew):  # noqa: F811
    shares = crew.each(lambda lot: crew.examined(examples=10, steps=20, lot=lot), [1, 2])
    assert [share["violations"] for share in shares if share["violations"]] == []
    assert sum(share["examples"] for share in shares) == 20
    assert all(share["crashes"] and share["charges"] for share in shares)
