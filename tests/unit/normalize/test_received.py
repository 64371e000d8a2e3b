"""Numbers, however they come back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.provider_rows import TG_AVATAR, frame_of, normalized

from ekyc_tasks.normalize import layout_of, number_keys, row_keys

# --- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("+41798284651", 41798284651),
        ("41798284651", 41798284651),
        ("0041798284651", 41798284651),
        ("+0041798284651", 41798284651),
        (" +41 79 828-46-51 ", 41798284651),
        ("+41 (79) 8284651", 41798284651),
        ("\u202a+41798284651\u202c", 41798284651),
        ("'41798284651", 41798284651),
        ('="41798284651"', 41798284651),
        ("41798284651.0", 41798284651),
        ("4.1798284651E10", 41798284651),
        ("4.1798284651e+10", 41798284651),
        ("4,1798284651E+10", 41798284651),
        ("4.179828465E+10", 41798284650),
        ("4.17982846500E+10", 41798284650),
        ("998901234567890", 998901234567890),
        ("123456", 123456),
        ("4.17983E+10", None),  # a spreadsheet's display: digits are lost
        ("4.1E+99", None),
        ("4.179828465E+15", None),
        ("1.00018247E+23", None),  # 64 bits overflow into a plausible number
        ("4.17982846512E+10", None),
        ("4.123E+3", None),
        ("12345", None),
        ("1234567890123456", None),
        ("99999999999999999999", None),
        ("0798284651", None),
        ("+0798284651", None),
        ("-41798284651", None),
        ("41798284651.5", None),
        ("4179828465I", None),
        ("٤١٧٩٨٢٨٤٦٥١", None),
        ("+", None),
        ("", None),
        ("number", None),
    ],
)
def test_numbers_are_compared_by_their_digits(text, key):
    assert number_keys(pl.Series("n", [text])).to_list() == [key]
    assert number_keys(pl.Series("n", ["+41798284659", text, "+41798284658"])).to_list() == [
        41798284659,
        key,
        41798284658,
    ]


def test_a_repeated_number_column_helps_out():
    head = ("number", "number", "telegram")
    frame = frame_of(
        head, ("+41798284651", "41798284651", ""), ("", "41798284652", ""), ("+41798284653", "x", "")
    )
    layout = layout_of(head, TG_AVATAR)
    assert row_keys(frame, layout).tolist() == [41798284651, 41798284652, 41798284653]
    rows = normalized(head, *frame.rows()).rows
    assert rows["number"].to_list() == ["+41798284651", "+41798284652", "+41798284653"]
    assert rows["extra"].to_list() == [None, '{"number_2":"41798284652"}', '{"number_2":"x"}']


# --- values ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(100_000, 999_999_999_999_999), min_size=1))
def test_numbers_made_of_keys_keep_the_contract(keys):
    numbers = [str(key) for key in keys]
    for texts in (numbers, [f"+{number}" for number in numbers], [f"00{number}" for number in numbers]):
        found = normalized(("number", "telegram"), *[(text, "") for text in texts])
        assert found.rows["number"].to_list() == [f"+{number}" for number in numbers]
        assert found.rows["number"].str.contains(r"^\+[1-9][0-9]{5,14}$").all()
