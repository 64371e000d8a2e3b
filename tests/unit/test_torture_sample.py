"""The slices of `make torture-sample` together are the whole torture, and no two of them share a test."""

from __future__ import annotations

from itertools import chain, pairwise
from pathlib import Path

import pytest
from support.trials.sample import SLICES, drawn_tests, share

TORTURE = Path(__file__).parents[1] / "torture"


class Item:
    """As much of a collected test as the choice looks at."""

    def __init__(self, nodeid, *marks):
        self.nodeid, self.marks = nodeid, marks

    def get_closest_marker(self, name):
        return name if name in self.marks else None


LONG = [Item("kills", "in_parts"), Item("faults", "in_parts")]
FLOWS = [Item(f"flow-{number}", "flow") for number in range(9)]
CASES = [Item(f"bomb[{number}]") for number in range(351)]


@pytest.mark.parametrize("points", [range(1, 52), range(200), [("create", "reset", 1)] * 24])
def test_the_slices_of_a_long_trial_are_all_its_points_and_none_is_empty(points):
    slices = [share(points, of) for of in range(SLICES)]
    assert sorted(chain(*slices)) == sorted(points)
    assert max(map(len, slices)) - min(map(len, slices)) <= 1 <= min(map(len, slices))


def test_each_test_is_in_one_slice_and_a_long_trial_in_every_one():
    items = [*CASES, *LONG, *FLOWS]
    slices = [drawn_tests(items, of) for of in range(SLICES)]
    assert sorted(item.nodeid for each in slices for item in each if item not in LONG) == sorted(
        item.nodeid for item in (*CASES, *FLOWS)
    )
    for drawn in slices:
        assert set(LONG) < set(drawn)
        assert sum(item in FLOWS for item in drawn) <= 1
        assert 35 <= sum(item in CASES for item in drawn) <= 36


def test_a_slice_keeps_the_order_and_is_the_same_in_every_process():
    items = [*FLOWS, *LONG, *CASES]
    drawn = drawn_tests(items, 3)
    places = [items.index(item) for item in drawn]
    assert all(before < after for before, after in pairwise(places))
    assert {item.nodeid for item in drawn_tests(items[::-1], 3)} == {item.nodeid for item in drawn}


def test_without_a_seed_all_is_run():
    assert drawn_tests([*CASES, *LONG], None) == [*CASES, *LONG]
    assert share(range(5), None) == range(5)


def test_every_long_trial_takes_its_share():
    marked = [path for path in TORTURE.rglob("test_*.py") if "@pytest.mark.in_parts" in path.read_text()]
    assert len(marked) >= 8
    for path in marked:
        text = path.read_text()
        assert text.count(" share(") + text.count("(share(") >= text.count("@pytest.mark.in_parts"), path.name
