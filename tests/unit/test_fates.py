"""What becomes of each number: tables of cases, and worlds made up by chance."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekyc_tasks import fates
from ekyc_tasks.models import Fate

OPEN = None


def keys(*values):
    return pl.Series("key", values, dtype=pl.Int64)


def asked(*rows):
    return pl.DataFrame(list(rows), schema=fates.ASKED_SCHEMA, orient="row")


def packed(**batches):
    rows = [(key, batch_id) for batch_id, numbers in batches.items() for key in numbers]
    return pl.DataFrame(rows, schema={"key": pl.Int64, "batch_id": pl.String}, orient="row")


def sorted_out(numbers, rows=(), *, do_not_send=(), own=()):
    return fates.sort_out(keys(*numbers), asked(*rows), do_not_send=keys(*do_not_send), own_batches=own)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (["+41798284651", "+1", "+41798284651"], [41798284651, 1]),
        ([None, "+999999999999999", None], [999999999999999]),
        ([None], []),
        ([], []),
    ],
)
def test_numbers_become_keys_each_once_in_their_order(numbers, expected):
    assert fates.keys_of(pl.Series(numbers, dtype=pl.String)).to_list() == expected


def test_keys_become_numbers_again():
    assert fates.numbers_of(keys(41798284651, 1)).to_list() == ["+41798284651", "+1"]
    assert fates.numbers_of(keys()).to_list() == []


@pytest.mark.parametrize(
    ("rows", "do_not_send", "own", "fate", "batch_id"),
    [
        ([], [], [], OPEN, None),
        ([(2, "other", True)], [], [], OPEN, None),
        ([(1, "busy", True)], [], [], Fate.IN_FLIGHT, "busy"),
        ([(1, "done", False)], [], [], Fate.KNOWN, "done"),
        ([(1, "mine", True)], [], ["mine"], Fate.BATCHED, "mine"),
        ([(1, "mine", False)], [], ["mine"], Fate.BATCHED, "mine"),
        ([], [1], [], Fate.DO_NOT_SEND, None),
        ([], [2], [], OPEN, None),
        # the file's own batch, then one that blocks, then one that was answered
        ([(1, "a-done", False), (1, "b-busy", True)], [], [], Fate.IN_FLIGHT, "b-busy"),
        ([(1, "a-busy", True), (1, "b-mine", False)], [], ["b-mine"], Fate.BATCHED, "b-mine"),
        ([(1, "a-done", False), (1, "b-mine", True)], [], ["b-mine"], Fate.BATCHED, "b-mine"),
        ([(1, "b-done", False), (1, "a-done", False)], [], [], Fate.KNOWN, "a-done"),
        # what was sent was sent, whatever the list says now
        ([(1, "busy", True)], [1], [], Fate.IN_FLIGHT, "busy"),
        ([(1, "mine", True)], [1], ["mine"], Fate.BATCHED, "mine"),
        ([(1, "done", False)], [1], [], Fate.KNOWN, "done"),
    ],
)
def test_where_several_fates_apply(rows, do_not_send, own, fate, batch_id):
    assert sorted_out([1], rows, do_not_send=do_not_send, own=own).rows() == [(1, fate, batch_id)]


def test_the_order_of_a_file_is_kept():
    frame = sorted_out([3, 1, 2], [(1, "busy", True), (2, "done", False)])
    assert frame.rows() == [(3, OPEN, None), (1, "in_flight", "busy"), (2, "known", "done")]


def test_what_no_batch_has_is_packed_once():
    first = sorted_out([5, 1, 2], [(1, "busy", True)])
    second = sorted_out([2, 3, 5], do_not_send=[3])
    assert fates.to_pack([first, second]).to_list() == [5, 2]


def test_files_share_a_number_and_one_carries_it():
    files = [sorted_out([1, 2]), sorted_out([2, 3]), sorted_out([3, 2])]
    settled = fates.settle(files, packed(new=[1, 2], other=[3]))
    assert [frame.rows() for frame in settled] == [
        [(1, "batched", "new"), (2, "batched", "new")],
        [(2, "in_flight", "new"), (3, "batched", "other")],
        [(3, "in_flight", "other"), (2, "in_flight", "new")],
    ]


def test_what_was_not_packed_waits_in_every_file():
    settled = fates.settle([sorted_out([1, 2]), sorted_out([2])], packed(new=[1]))
    assert [frame.rows() for frame in settled] == [
        [(1, "batched", "new"), (2, "waiting", None)],
        [(2, "waiting", None)],
    ]


def test_settling_leaves_other_fates_alone():
    before = sorted_out([1, 2, 3], [(1, "busy", True), (2, "done", False)], do_not_send=[3])
    assert fates.settle([before], packed())[0].rows() == before.rows()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_number_of_any_file_has_exactly_one_fate(data):
    some = st.lists(st.integers(1, 12), unique=True, max_size=8)
    numbers = data.draw(st.lists(some, min_size=1, max_size=4))
    batches = st.tuples(st.integers(1, 12), st.sampled_from(["a", "b", "c"]), st.booleans())
    rows = data.draw(st.lists(batches, max_size=12, unique_by=lambda row: row[:2]))
    refused = data.draw(some)
    own = data.draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
    files = [sorted_out(each, rows, do_not_send=refused, own=own) for each in numbers]
    open_keys = fates.to_pack(files).to_list()
    new = open_keys[: data.draw(st.integers(0, len(open_keys)))]
    check_accounts(numbers, fates.settle(files, packed(new=new)), new)
    assert not set(open_keys) & ({key for key, _, _ in rows} | set(refused))


def check_accounts(numbers, settled, new):
    """The same numbers in the same order, each with one fate; each new one is carried by one file."""
    assert [frame["key"].to_list() for frame in settled] == [list(each) for each in numbers]
    rows = [row for frame in settled for row in frame.rows()]
    assert all(fate in set(Fate) for _, fate, _ in rows)
    has_batch = {"batched", "in_flight", "known"}
    assert all((batch_id is not None) == (fate in has_batch) for _, fate, batch_id in rows)
    carried = [key for key, fate, batch_id in rows if (fate, batch_id) == ("batched", "new")]
    assert sorted(carried) == sorted(new)
