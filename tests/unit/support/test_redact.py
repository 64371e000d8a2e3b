"""Words from outside: what is taken out of them, and what is left."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cpu_time import steady_seconds

from ekyc_tasks.support.redact import scrub, shape_of, without_numbers


@pytest.mark.parametrize(
    ("cell", "shape"),
    [
        ("+41 (79) 828-46-51 Ann O'Neil", "+•• (••) •••-••-•• Aaa A'Aaaa"),
        ("４１７９, тел. Ⓐ x\u200b1\n\t2", "••••, aaa. A a• •"),
        ("4.1798E+10", "•.••••A+••"),
        ("9" * 1000, "•" * 31 + "…"),
        ("", ""),
    ],
)
def test_a_shape_shows_how_a_cell_is_written(cell, shape):
    assert shape_of(cell) == shape


@given(st.text())
def test_a_shape_has_no_digit_and_no_letter_of_the_cell(cell):
    shape = shape_of(cell)
    assert not [sign for sign in shape if sign.isalnum() and sign not in "aA"]
    assert len(shape) <= 32
    assert shape.isprintable()


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("not enough money", "not enough money"),
        ("only 499 numbers remain, the minimum is 500", "only 499 numbers remain, the minimum is 500"),
        ("HTTP 500 at 08:27:09", "HTTP 500 at 08:27:09"),
        ("task d4g8o46p2jvh04o9uolg failed", "task d4g8o46p2jvh04o9uolg failed"),
        ("two\nlines\t and  space ", "two lines and space"),
        ("<html><body><h1>502</h1>Bad Gateway</body></html>", "502 Bad Gateway"),
        ("\x1b[31mred\x07", "[31mred"),
        ("", ""),
        ("+41798284651 is wrong", "[number] is wrong"),
        ("41798284651", "[number]"),
        ("7654321", "[number]"),
        ("654321", "654321"),
        ("+41 79 828 46 51", "[number]"),
        ("+41-79-828-46-51", "[number]"),
        ("+41.79.828.46.51", "[number]"),
        ("041/798/28/46/51", "[number]"),
        ("+41\u201179\u2011828\u201146\u201151", "[number]"),
        ("+41\u00a079\u00a0828\u00a046\u00a051", "[number]"),
        ("+41%2079%20828%2046%2051", "[number]"),
        ("+41\u200b798\u200b284\u200b651", "[number]"),
        ("٤١٧٩٨٢٨٤٦٥١", "[number]"),
        ("555 - 267 - 1234", "[number]"),
        ("line 3: +41798284651, line 4: +41798284652", "line 3: [number], line 4: [number]"),
        ("see https://wapic.s3.amazonaws.com/a.zip?X-Amz-Signature=abc now", "see [link] now"),
        ("see https:\\/\\/wapic.s3.amazonaws.com\\/a.zip now", "see [link] now"),
        ("see s3://bucket/key now", "see [link] now"),
        ("see bucket.s3.amazonaws.com/a.zip?x-amz-signature=abc now", "see [link] now"),
        ('<a href="https://host/x">here</a>', "here"),
    ],
)  # fmt: skip
def test_what_is_left_of_words(words, left):
    kept = scrub(words)
    assert kept == left or (left == "here" and "host" not in kept)


def test_secrets_are_taken_out_wherever_they_stand():
    assert (
        scrub("bad key sesame-1 (sesame-1), user 2", "sesame-1", "2") == "bad key [key] ([key]), user [key]"
    )
    assert scrub("no secret is no reason to stop", "") == "no secret is no reason to stop"


def test_a_secret_is_not_saved_by_being_cut_off():
    assert "sesame" not in scrub("x" * 195 + "sesame-1234", "sesame-1234")


@pytest.mark.parametrize(("length", "ends_with"), [(199, "x"), (200, "x"), (201, "…"), (100_000, "…")])
def test_words_are_short(length, ends_with):
    kept = scrub("x" * length)
    assert (len(kept), kept[-1]) == (min(length, 200), ends_with)


@given(
    number=st.integers(10**6, 10**15 - 1),
    cuts=st.lists(
        st.sampled_from(["", " ", "-", ".", " (", ") ", "\u200b", "\u00a0"]), min_size=15, max_size=15
    ),
)
def test_no_grouping_of_a_number_comes_through(number, cuts):
    digits = str(number)
    words = "".join(digit + cut for digit, cut in zip(digits, cuts, strict=False)).rstrip(" -.()\u200b\u00a0")
    assert re.search(r"\d", scrub(f"number {words} is wrong")) is None


@pytest.mark.parametrize("piece", ["<", "1 ", "1%20", "a://", "X-Amz-", "(((", "<a"])
def test_hostile_words_take_no_time(piece):
    assert steady_seconds(lambda: scrub(piece * 20_000))[1] < 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("41798284000.csv is empty", "[number].csv is empty"),
        ("crm/+41 79 828 40 00.txt", "crm/[number].txt"),
        ("tel0798284000.xlsx", "tel[number].xlsx"),
        ("079-828-40-00.csv", "[number].csv"),
        ("201012233456.txt", "[number].txt"),  # Egypt, and no time of this project's life
    ],
)
def test_a_number_in_the_name_of_a_file_is_not_told(text, told):
    assert without_numbers(text) == told
    assert without_numbers(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "Batches 20261124-041716-988912-001, 20261124-041716-98891f-1002 and 3 more",
        "Batches import-2195617660123456, import-unregistered-0219561766123456 are loaded",
        "crm 2026-11-24.csv, 20251121155808.csv, export-20261124-153000-1.csv",
        "10,000,000 numbers, 1.234567 each, at 2026-11-24 04:17:17 UTC",
        "task 12345678901234567jvh is unknown",
        f"inputs/{'0123456789abcdef' * 4} is not as received any more",
    ],
)
def test_ids_times_and_counts_are_told_whole(text):
    assert without_numbers(text) == text
