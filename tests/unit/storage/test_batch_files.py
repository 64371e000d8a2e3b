"""Lists of numbers are read fast where they are as this project writes them, and alike where not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.storage import batch_files

PLAIN = st.integers(10**5, 10**15 - 1).map("+{}".format)
ODD = st.sampled_from(
    ["", " ", "-41798284651", "41798284651", "+041798284651", "+41798284651 ", "0041798284651", "+12345",
     "++41798284651", "+1234567890123456", "+", "x", "+4179828\r", "+41\x00798284651", '"+41798284651"',
     "4.1798284651E+10", "+41798284651.0", "１２３４５６７", "+99999999999999999999"]
)  # fmt: skip


@given(lines=st.lists(st.one_of(PLAIN, ODD), min_size=1), ending=st.sampled_from(["\n", ""]))
def test_both_ways_of_reading_a_list_agree(lines, ending):
    text = ("\n".join(lines) + ending).encode()
    plain = batch_files._plain_keys(text)
    if plain is not None:
        assert plain.tolist() == batch_files._any_keys(text).tolist()
        assert all(line.startswith("+") for line in lines if line)


@given(lines=st.lists(PLAIN, min_size=1), ending=st.sampled_from(["\n", ""]))
def test_what_this_project_writes_is_read_the_fast_way(lines, ending):
    found = batch_files._plain_keys(("\n".join(lines) + ending).encode())
    assert found.tolist() == [int(line) for line in lines]


@pytest.mark.parametrize("chunk_bytes", [1, 20, 1 << 20])
def test_a_list_is_read_in_its_order_whatever_is_read_at_once(tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(batch_files, "_CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "numbers.txt"
    path.write_text("+41798284652\n\n 41 79 828 46 51\n+41798284652\n+41798284650")
    found = [key for part in batch_files.keys_in(path) for key in part.tolist()]
    assert found == [41798284652, 41798284651, 41798284652, 41798284650]


@pytest.mark.parametrize("line", ["x", "+12345", "+41798284651,yes", "\x00", "é"])
def test_a_line_that_is_no_number_is_refused(tmp_path, line):
    path = tmp_path / "numbers.txt"
    path.write_text(f"+41798284651\n{line}\n")
    with pytest.raises(ValueError, match="not a number"):
        list(batch_files.keys_in(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+41798284651\n+41798284652\n", True),
        ("+41798284651", True),
        ("41798284651\n+41798284652\n", False),
        ("+41798284651\n\n", False),
        ("", False),
    ],
)
def test_a_list_is_as_sent_where_each_line_is(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(batch_files, "_CHUNK_BYTES", 1)
    path = tmp_path / "numbers.txt"
    path.write_text(text)
    assert batch_files.is_as_sent(path) is expected
