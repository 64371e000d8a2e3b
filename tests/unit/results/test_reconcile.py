"""What came back against what was sent."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.phone import NO_MSISDN
from ekyc_tasks.results.reconcile import Reconciler, RowDisposition

A, B, C, D = 41_798_284_651, 41_798_284_652, 41_798_284_653, 999_999_999_999_999
OK, BAD, STRANGE, AGAIN = (
    RowDisposition.ACCEPTED,
    RowDisposition.UNREADABLE,
    RowDisposition.UNEXPECTED,
    RowDisposition.DUPLICATE,
)


def keys(*numbers):
    return np.array(numbers, dtype=np.int64)


@pytest.mark.parametrize(
    ("submitted", "blocks", "fates", "missing"),
    [
        ([A, B, C], [[A, B, C]], [OK, OK, OK], 0),
        ([C, A, B], [[B, C]], [OK, OK], 1),
        ([A, B], [[A, A, B, A]], [OK, AGAIN, OK, AGAIN], 0),
        ([A, B], [[A], [B, A]], [OK, OK, AGAIN], 0),
        ([A, B], [[D, NO_MSISDN, A], [100_000]], [STRANGE, BAD, OK, STRANGE], 1),
        ([A], [[D, D], [A, NO_MSISDN, NO_MSISDN]], [STRANGE, STRANGE, OK, BAD, BAD], 0),
        ([A, A, B], [[A]], [OK], 1),
        ([A, B], [], [], 2),
        ([A, B], [[]], [], 2),
        ([], [[A, NO_MSISDN]], [STRANGE, BAD], 0),
    ],
)
def test_each_row_has_one_fate(submitted, blocks, fates, missing):
    reconciler = Reconciler([keys(*submitted)])
    found = [fate for block in blocks for fate in reconciler.sort(keys(*block)).tolist()]
    assert found == fates
    counts = reconciler.accounts(returned=len(found), accepted=found.count(OK), cell_issues=0)
    assert counts.contradiction() is None
    assert (counts.submitted, counts.missing) == (len(set(submitted)), missing)
    assert (counts.unreadable, counts.unexpected, counts.duplicate) == tuple(
        map(found.count, (BAD, STRANGE, AGAIN))
    )


@pytest.mark.parametrize(("returned", "accepted"), [(3, 1), (2, 2), (2, 1)])
def test_counts_of_reader_and_writer_are_held_against_its_own(returned, accepted):
    reconciler = Reconciler([keys(A, B)])
    reconciler.sort(keys(A, B, D))
    counts = reconciler.accounts(returned=returned, accepted=accepted, cell_issues=0)
    assert counts.contradiction() is not None


def test_rows_without_cells_are_unreadable():
    reconciler = Reconciler([keys(A)])
    reconciler.count_unreadable(3)
    assert reconciler.accounts(returned=3, accepted=0, cell_issues=0).unreadable == 3


# Some have a half in common.
numbers = st.sampled_from(
    [NO_MSISDN, *(high << 32 | low for high in (0, 9, 232_000) for low in range(100_000, 100_008))]
)


@given(submitted=st.lists(numbers.filter(bool)), blocks=st.lists(st.lists(numbers, max_size=20), max_size=6))
def test_agrees_with_a_set_and_a_loop(submitted, blocks):
    reconciler = Reconciler([keys(*submitted)])
    found = [fate for block in blocks for fate in reconciler.sort(keys(*block)).tolist()]
    sent, answered, expected = set(submitted), set(), []
    for number in (number for block in blocks for number in block):
        if number == NO_MSISDN:
            expected.append(BAD)
        elif number not in sent:
            expected.append(STRANGE)
        else:
            expected.append(AGAIN if number in answered else OK)
            answered.add(number)
    assert found == expected
    counts = reconciler.accounts(returned=len(found), accepted=Counter(found)[OK], cell_issues=0)
    assert (counts.missing, counts.contradiction()) == (len(sent - answered), None)
