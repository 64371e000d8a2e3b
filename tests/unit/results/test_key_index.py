"""Keys by their halves: sorted, first come first, and found again however they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.results.key_index import KeyIndex, by_upper_half, first_come_first

HIGHEST = (1 << 32) - 1
# Near each other, far from each other, and at both ends.
halves = st.integers(0, HIGHEST) | st.integers(7_000, 7_100) | st.integers(HIGHEST - 9, HIGHEST) | st.just(0)


def array(values, kind=np.uint32):
    return np.array(values, dtype=kind)


def found(shelf, wanted):
    places = shelf.places(array(wanted))
    return (shelf.lows[places] == array(wanted)).tolist()


@given(st.lists(halves, min_size=1, max_size=300), st.lists(halves, max_size=60))
def test_what_is_on_a_shelf_is_found(kept, wanted):
    shelf = KeyIndex(array(kept))
    assert shelf.lows.tolist() == sorted(set(kept))
    assert found(shelf, kept + wanted) == [True] * len(kept) + [each in kept for each in wanted]


@pytest.mark.parametrize(
    "kept",
    [
        range(1_000_000, 1_100_000),
        [*range(100_000), HIGHEST],
        [0, *range(HIGHEST - 100_000, HIGHEST)],
        range(0, HIGHEST, 65_537),
        [*range(5, 50_005), *range(1 << 31, (1 << 31) + 50_000), HIGHEST],
    ],
    ids=["dense", "dense and one far above", "dense and one far below", "even", "two heaps"],
)
def test_however_many_lie_together(kept):
    shelf = KeyIndex(array(list(kept))[::-1].copy())
    beside = np.setdiff1d(shelf.lows + np.uint32(1), shelf.lows)
    assert all(found(shelf, shelf.lows))
    assert not any(found(shelf, beside))


@given(st.lists(st.integers(1, 40) | st.integers(1, 999_999_999_999_999), max_size=80))
def test_keys_are_told_apart_by_their_upper_half(values):
    keys = array(values, np.int64)
    seen = []
    for upper, lows, places in by_upper_half(keys):
        assert (upper << 32 | lows.astype(np.int64)).tolist() == keys[places].tolist()
        assert places.tolist() == sorted(places.tolist())
        seen.append((upper, places.tolist()))
    assert [upper for upper, _ in seen] == sorted({value >> 32 for value in values})
    assert sorted(place for _, places in seen for place in places) == list(range(len(values)))


@given(st.lists(st.sampled_from([0, 1, 2, HIGHEST]) | halves, max_size=80))
def test_of_equal_halves_the_first_comes_first(lows):
    places = np.arange(3, 3 + len(lows), dtype=np.intp)
    in_order, rows = first_come_first(array(lows), places)
    assert list(zip(in_order.tolist(), rows.tolist(), strict=True)) == sorted(
        zip(lows, places.tolist(), strict=True)
    )
