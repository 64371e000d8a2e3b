"""Every kind of HTTP trouble, at every call, at the first, a middle and the last of them."""

from __future__ import annotations

from functools import partial

import pytest
from support.trials.matrix import matrix, troubled
from support.trials.sample import share


@pytest.mark.in_parts
def test_every_trouble_at_every_call(crew, figures, undisturbed):
    expected, _ = undisturbed
    cells = list(matrix())
    assert len({kind for _, kind, _ in cells}) >= 14

    cells = share(cells)
    with figures.part("HTTP trouble × call × position") as part:
        part.points = len({(call, kind) for call, kind, _ in cells})
        part.count(crew.each(partial(troubled, crew, expected), cells))
