"""Every kind of HTTP trouble, at every call, at the first, a middle and the last of them."""

from __future__ import annotations

from functools import partial

from torture.matrix import matrix, troubled


def test_every_trouble_at_every_call(crew, figures, undisturbed):
    expected, _ = undisturbed
    cells = list(matrix())
    assert len({kind for _, kind, _ in cells}) >= 14

    with figures.part("HTTP trouble × call × position") as part:
        part.points = len({(call, kind) for call, kind, _ in cells})
        part.count(crew.each(partial(troubled, crew, expected), cells))
