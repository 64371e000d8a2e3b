"""The law of digits by the hundred thousand lines."""

from __future__ import annotations

import pytest
from support.meant_lines import dropped, judge, sent_wrongly, share_rejected
from support.trials.pool import SEED

LINES, PARTS = 100_000, 10


@pytest.mark.parametrize("part", range(PARTS))
def test_each_number_that_is_sent_is_meant(part):
    judged = judge(f"{SEED} {part}", LINES // PARTS)
    assert sent_wrongly(judged) == []
    assert dropped(judged) == []
    assert share_rejected(judged) < 0.05
