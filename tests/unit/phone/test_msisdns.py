"""Sets of keys: sorted, each once, looked up in each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.phone import msisdns
from ekyc_tasks.phone.msisdns import MsisdnBuffer, compact, distinct, places_in

SOME = st.lists(st.integers(1, 40) | st.integers(1, 999_999_999_999_999), max_size=60)


def array(values):
    return np.array(values, dtype=np.int64)


@pytest.fixture(autouse=True, params=[3, 1 << 20], ids=["small chunks", "one chunk"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(msisdns, "_CHUNK_KEYS", request.param)


@given(SOME)
def test_each_once_and_ascending(values):
    assert distinct(array(values)).tolist() == sorted(set(values))


@given(st.lists(SOME, max_size=5))
def test_blocks_make_one_set(blocks):
    buffer = MsisdnBuffer()
    for block in blocks:
        buffer.add(array(block))
    assert buffer.sort_keys().tolist() == sorted(set().union(*blocks))


@given(st.lists(st.tuples(st.integers(1, 99), st.booleans())))
def test_only_those_that_are_wanted(pairs):
    wanted = np.array([is_wanted for _, is_wanted in pairs], dtype=np.bool_)
    kept = compact(array([key for key, _ in pairs]), wanted)
    assert kept.tolist() == [key for key, is_wanted in pairs if is_wanted]


@given(SOME, SOME, st.sampled_from([1, 1000]))
def test_places_are_where_both_have_a_key(mine, others, sparse):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(msisdns, "_SPARSE_FACTOR", sparse)
        found = places_in(distinct(array(mine)), distinct(array(others)))
    assert distinct(array(mine))[found].tolist() == sorted(set(mine) & set(others))
    assert found.tolist() == sorted(found.tolist())
