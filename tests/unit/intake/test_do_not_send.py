"""The do-not-send list: its lines, and the names that it might have been given instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.do_not_send import find_misnamed, is_like_do_not_send, keys_of_do_not_send
from ekyc_tasks.phone.possible_readings import possible_readings

A, B = 41798284651, 41798284652


@pytest.fixture
def path(tmp_path):
    return tmp_path / "do-not-send.txt"


@pytest.mark.parametrize(
    "content",
    [
        f"+{A}\n+{B}\n".encode(),
        f"\ufeffphone\r\n+{A}\r\n\r\n+{B}".encode(),
        f"# asked us\n+{A} # by mail, 2026\n// old: +41790000000\n{B}\r".encode(),
        f"+{A}\n+{B}  // für immer\n".encode("latin-1"),
        f"+{A};+{B}\n".encode("utf-16"),
        f'"+{A}"\n  {B} Ann\n'.encode(),
        f"Nummer\n0041 79 828 46 51\n+{B}\n+{B}\n".encode(),
    ],
)
def test_the_lines_of_a_list(path, content):
    path.write_bytes(content)
    assert {A, B} <= set(keys_of_do_not_send(path, region=None).tolist()) <= {A, B, 41798284652266}


def test_there_need_be_no_list(path):
    assert keys_of_do_not_send(path, region=None).tolist() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"+41798284651\nAnn\n", "line 2 cannot be read"),
        (b"phone\nAnn\n\n079 828 46 51\n12\n", "lines 2, 4, 5 cannot be read"),
        (b"1\n2\n3\n4\n5\n", "lines 1, 2, 3 and 2 more cannot be read"),
        (b"PK\3\4\0\0", "is not a text"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_skipped(path, content, words):
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(words)):
        keys_of_do_not_send(path, region=None)


@given(
    st.lists(
        st.sampled_from([52, 54, 55, 41, 1, 49, 7])
        .flatmap(lambda code: st.integers(10**9, 10**11 - 1).map(lambda rest: f"{code}{rest}"))
        .flatmap(lambda digits: st.sampled_from([digits, f"+{digits}", f"00{digits}"])),
        max_size=8,
    ),
    st.sampled_from([None, "DE", "MX"]),
)
def test_plain_numbers_are_read_as_all_others_are(tmp_path_factory, lines, region):
    path = tmp_path_factory.mktemp("list") / "do-not-send.txt"
    lines = [line for line in lines if possible_readings(line, region)]
    path.write_text("\n".join(lines))

    expected = set().union(*(possible_readings(line, region) for line in lines))
    assert keys_of_do_not_send(path, region=region).tolist() == sorted(expected)


@pytest.mark.parametrize(
    ("name", "is_like"),
    [
        ("do-not-send.csv", True),
        ("DO-NOT-SEND.txt", True),
        ("do_not_send.txt", True),
        ("donotsend", True),
        ("Do Not Send (2).txt", True),
        ("do-not-send.txt.txt", True),
        ("do-not-send.txt.bak", True),
        ("do-not-send-list.xlsx", True),
        ("do-not-sent.txt", True),
        ("dont-send.txt", True),
        ("ｄｏ-not-send.txt", True),
        (".do-not-send.txt.swp", False),
        ("do-not-send.txt~", False),
        ("landing", False),
        ("donations.csv", False),
        ("to-send.txt", False),
        ("ledger.db", False),
    ],
)
def test_names_that_were_meant_for_the_list(name, is_like):
    assert is_like_do_not_send(name) is is_like


def test_the_list_itself_is_not_misnamed(path):
    path.touch()
    for name in ("do-not-send.csv", "inputs", "a.txt"):
        (path.parent / name).touch()
    assert find_misnamed(path) == [path.parent / "do-not-send.csv"]
