"""Calling codes, from the beginning of a number."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ekyc_tasks.phone import calling_codes, digit_counts


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (41798284651, 41),
        (12015550123, 1),
        (79123456789, 7),
        (77001234567, 7),
        (3545551234, 354),
        (99890123456, 998),
        (80012345678, 800),
        (99912345678, None),  # not assigned
        (123456, 1),
        (998901234567890, 998),
    ],
)
def test_calling_code_is_read_from_the_first_three_digits(key, code):
    keys = np.array([key, key])
    codes = calling_codes(keys, digit_counts(keys))
    assert (codes.dtype, codes.to_list()) == (pl.Int32, [code, code])
    assert digit_counts(keys).tolist() == [len(str(key))] * 2
