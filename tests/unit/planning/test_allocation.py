"""What becomes of each number: cases, and worlds made up by chance that are compared with plain sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import at_most

from ekyc_tasks.models import Disposition
from ekyc_tasks.planning import allocation
from ekyc_tasks.planning.allocation import Allocation, FirstMatch, carry, pool_keys

KNOWN, BUSY, REFUSED = (
    (Disposition.KNOWN, "done"),
    (Disposition.IN_FLIGHT, "busy"),
    (Disposition.DO_NOT_SEND, None),
)
SOME = st.lists(st.integers(1, 12), unique=True, max_size=8).map(sorted)


def keys(*values):
    return np.array(sorted(values), dtype=np.int64)


def counts(sorting):
    return dict(sorting.counts)


def parts(pool, *sizes):
    """Consecutive batches of a pool: b0, b1, …"""
    ends = np.cumsum(sizes)
    return [
        (f"b{index}", pool.keys[end - size : end])
        for index, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]


def test_what_comes_first_settles():
    sorting = Allocation(keys(1, 2, 3, 4))
    sorting.settle(keys(1, 2, 9), (Disposition.BATCHED, "mine"))
    claims = FirstMatch(pool_keys([sorting.left]).keys)
    for others in (keys(2, 3), keys(3, 4), keys(1, 4)):
        claims.add(others)

    sorting.settle_claimed(claims, [BUSY, KNOWN, REFUSED])

    assert counts(sorting) == {(Disposition.BATCHED, "mine"): 2, BUSY: 1, KNOWN: 1}
    assert sorting.left.tolist() == []


def test_a_claim_that_does_not_count_for_a_file_leaves_it_the_number():
    files = [Allocation(keys(1, 2)), Allocation(keys(1, 3))]
    claims = FirstMatch(pool_keys([each.left for each in files]).keys)
    claims.add(keys(1))

    files[0].settle_claimed(claims, [KNOWN])
    files[1].settle_claimed(claims, [None])

    assert [each.left.tolist() for each in files] == [[2], [1, 3]]
    assert [counts(each) for each in files] == [{KNOWN: 1}, {}]


def test_files_share_a_number_and_the_first_brings_it():
    files = [Allocation(keys(1, 2)), Allocation(keys(2, 3)), Allocation(keys(2, 3, 4))]
    pool = pool_keys([each.left for each in files])
    assert pool.keys.tolist() == [1, 2, 3, 4]

    carry(files, pool, parts(pool, 2, 1))

    assert [counts(each) for each in files] == [
        {(Disposition.BATCHED, "b0"): 2},
        {(Disposition.IN_FLIGHT, "b0"): 1, (Disposition.BATCHED, "b1"): 1},
        {(Disposition.IN_FLIGHT, "b0"): 1, (Disposition.IN_FLIGHT, "b1"): 1, (Disposition.WAITING, None): 1},
    ]


@pytest.mark.parametrize("files", [[], [[]], [[], []]])
def test_nothing_is_left(files):
    sortings = [Allocation(keys(*each)) for each in files]
    pool = pool_keys([each.left for each in sortings])
    carry(sortings, pool, [])
    assert (len(pool.keys), [counts(each) for each in sortings]) == (0, [{} for _ in files])


@settings(max_examples=at_most(100), deadline=None)
@given(st.data())
def test_every_number_of_every_file_has_exactly_one_fate(data):
    files = data.draw(st.lists(SOME, min_size=1, max_size=4))
    claimants = data.draw(
        st.lists(st.tuples(SOME, st.sampled_from([BUSY, KNOWN, REFUSED, None])), max_size=4)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "_CHUNK_NUMBERS", data.draw(st.sampled_from([2, 1000])))
        sortings, pool, size = sorted_out(files, claimants, data)

    expected = by_plain_sets(files, claimants, set(pool.keys[:size].tolist()))
    assert [counts(each) for each in sortings] == expected


def sorted_out(files, claimants, data):
    sortings = [Allocation(keys(*each)) for each in files]
    claims = FirstMatch(pool_keys([each.left for each in sortings]).keys)
    for others, _ in claimants:
        claims.add(keys(*others))
    for sorting in sortings:
        sorting.settle_claimed(claims, [verdict for _, verdict in claimants])
    pool = pool_keys([each.left for each in sortings])
    size = data.draw(st.integers(0, len(pool.keys)))
    carry(sortings, pool, parts(pool, size) if size else [])
    return sortings, pool, size


def by_plain_sets(files, claimants, packed):
    brought, found = set(), []
    for numbers in files:
        fate = {}
        for number in numbers:
            verdict = next((verdict for others, verdict in claimants if number in others), None)
            if verdict is None:
                is_new = number not in brought
                verdict = (Disposition.BATCHED if is_new else Disposition.IN_FLIGHT, "b0")
                verdict = verdict if number in packed else (Disposition.WAITING, None)
                brought.add(number)
            fate[verdict] = fate.get(verdict, 0) + 1
        found.append(fate)
    return found
