"""How many numbers go into which batch."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.planning.batching import batch_sizes, fit_into, pack


@pytest.mark.parametrize(
    ("count", "batch_size", "minimum", "sizes"),
    [
        (0, 10, 1, []),
        (1, 10, 1, [1]),
        (10, 10, 1, [10]),
        (11, 10, 1, [6, 5]),
        (10_001, 10_000, 500, [5_001, 5_000]),  # the tail of a plain split would be refused for ever
        (4, 10, 5, []),
        (5, 10, 5, [5]),
        (11, 10, 5, [6, 5]),
        (12, 10, 8, [10]),  # 6 + 6 would both be refused: two wait
        (19, 10, 8, [10, 9]),
        (23, 10, 8, [10, 10]),
        (25, 10, 8, [9, 8, 8]),
        (31, 10, 10, [10, 10, 10]),
        (7, 7, 7, [7]),
    ],
)
def test_sizes(count, batch_size, minimum, sizes):
    assert batch_sizes(count, batch_size=batch_size, minimum=minimum) == sizes


@given(st.data())
def test_every_size_is_allowed_and_hardly_anything_waits(data):
    batch_size = data.draw(st.integers(1, 60))
    minimum = data.draw(st.integers(1, batch_size))
    count = data.draw(st.integers(0, 500))
    sizes = batch_sizes(count, batch_size=batch_size, minimum=minimum)
    waiting = count - sum(sizes)
    can_be_packed_whole = any(n * minimum <= count <= n * batch_size for n in range(count + 1))
    assert all(minimum <= size <= batch_size for size in sizes)
    assert 0 <= waiting < minimum
    assert (waiting == 0) == can_be_packed_whole
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert len(sizes) == -(-sum(sizes) // batch_size)


@pytest.mark.parametrize(("batch_size", "minimum"), [(10, 11), (0, 0), (-1, -1)])
def test_contradictory_sizes(batch_size, minimum):
    with pytest.raises(ConfigurationError, match="BATCH_SIZE"):
        batch_sizes(100, batch_size=batch_size, minimum=minimum)


def packed(count, **sizes):
    return [batch.tolist() for batch in pack(np.arange(count, dtype=np.int64), **sizes)]


def test_pack_keeps_order_and_copies_nothing():
    numbers = np.arange(11, dtype=np.int64)
    batches = pack(numbers, batch_size=10, minimum=5)
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert all(np.shares_memory(batch, numbers) for batch in batches)


def test_pack_takes_a_series():
    batches = pack(pl.Series([41798284651, 41798284652], dtype=pl.Int64), batch_size=1, minimum=1)
    assert [batch.tolist() for batch in batches] == [[41798284651], [41798284652]]
    assert batches[0].dtype == np.int64


def test_pack_nothing():
    assert packed(0, batch_size=10, minimum=1) == []
    assert packed(4, batch_size=10, minimum=5) == []


@pytest.mark.parametrize(
    ("count", "first", "minimum", "sizes"),
    [
        (25, 3, 1, [3, 8, 7, 7]),
        (25, 10, 1, [9, 8, 8]),  # no limit below the batch size: packed evenly
        (25, 99, 1, [9, 8, 8]),
        (5, 5, 1, [5]),
        (5, 99, 1, [5]),
        (8, 5, 5, [5]),  # three wait
        (25, 5, 5, [5, 10, 10]),
    ],
)
def test_first_batch_may_be_limited(count, first, minimum, sizes):
    assert [len(batch) for batch in packed(count, batch_size=10, minimum=minimum, first=first)] == sizes


@pytest.mark.parametrize(("first", "minimum"), [(4, 5), (0, 1)])
def test_a_limit_below_the_minimum(first, minimum):
    with pytest.raises(ConfigurationError, match=f"limit {first}"):
        packed(25, batch_size=10, minimum=minimum, first=first)


@pytest.mark.parametrize(
    ("limit", "taken"), [(None, [5, 9, 3]), (17, [5, 9, 3]), (8, [5, 3]), (14, [5, 9]), (2, [])]
)
def test_a_limit_takes_each_batch_that_fits_into_what_is_left(limit, taken):
    assert fit_into(limit, [5, 9, 3], int) == taken
