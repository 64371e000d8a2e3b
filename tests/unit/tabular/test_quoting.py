from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import at_most

from ekyc_tasks.tabular.quoting import MAX_ROW_LINES, grammar, single_rows

PIECES = [
    '"',
    '""',
    '"""',
    "a",
    "é",
    ",",
    ",",
    ";",
    "\n",
    "\r\n",
    "\r",
    " ",
    '"\n',
    '",',
    '"x"',
    "+41791234567",
]
MANY = 100  # more than what one match takes
texts = st.lists(
    st.sampled_from([*PIECES, '"' * MANY, '"' * (MANY + 1), "," * MANY, '""a' * MANY]), max_size=40
).map("".join)
signs = st.sampled_from([",", ";", "\t", "|"])


def end_of_quoted(text, start):
    """By the rules, a character at a time: behind the quote that closes what opens at ``start``, or None."""
    at = start + 1
    while at < len(text):
        if text[at] == '"' and text[at + 1 : at + 2] != '"':
            return at + 1
        at += 2 if text[at] == '"' else 1
    return None


def end_of_strict_row(text, sign):
    at = 0
    while True:
        if text[at : at + 1] == '"':
            at = end_of_quoted(text, at)
            if at is None:
                return None
            at += text.startswith("\r\n", at)
        else:
            while at < len(text) and text[at] not in {sign, "\n"}:
                at += 1
        if text[at : at + 1] != sign:
            return at + 1 if text[at : at + 1] == "\n" else None
        at += 1


def cells_by_hand(line, sign):
    """Of one line: a quote that is neither doubled nor before a delimiter is a sign like others."""
    found, at = [], 0
    while True:
        cell, is_quoted = "", line[at : at + 1] == '"'
        at += is_quoted
        while at < len(line) and (is_quoted or line[at] != sign):
            is_pair = is_quoted and line.startswith('""', at)
            if is_quoted and line[at] == '"' and not is_pair and line[at + 1 : at + 2] in {sign, ""}:
                break
            cell += line[at]
            at += 1 + is_pair
        if is_quoted and at == len(line):
            return []
        at += is_quoted
        found.append(cell)
        if at == len(line):
            return found
        at += 1


@settings(max_examples=at_most(300), deadline=None)
@given(text=texts, sign=signs)
def test_a_strict_row_ends_where_its_signs_one_by_one_say(text, sign):
    text += "\n"
    end = end_of_strict_row(text, sign)
    data = text.encode()
    found = grammar(sign).record_end(data, 0, len(data))
    assert found == (None if end is None else len(text[:end].encode()))


@settings(max_examples=at_most(300), deadline=None)
@given(text=texts, sign=signs)
def test_the_cells_of_a_line_are_what_its_signs_one_by_one_say(text, sign):
    line = text.replace("\r", "").replace("\n", "")
    assert grammar(sign).cells(line) == cells_by_hand(line, sign)


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('+41791234567,"Al" 5",true', ["+41791234567", 'Al" 5', "true"]),
        ('+41791234567,"a ""b"" c",true', ["+41791234567", 'a "b" c', "true"]),
        ('+41791234567,5" TV,true', ["+41791234567", '5" TV', "true"]),
        ('"","""",x', ["", '"', "x"]),
        ('"open,x', []),
    ],
)
def test_quotes_of_the_field(line, cells):
    assert grammar(",").cells(line) == cells


HOSTILE = {
    "quotes": '"' * 300_001,
    "pairs": 'x,"' + '""a' * 100_000,
    "pairs that close": 'x,"' + '""a' * 100_000 + '"',
    "delimiters": '"a"x,' + "," * 300_000,
    "cells that open": '"a,' * 100_000,
    "cells that are astray": '"a"b,' * 60_000,
    "lines that open": '"a,\n' * 10_000,
    "long plain cells": ("a" * 1_000 + ',"b\n') * 300,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_quotes_take_no_long_time_and_no_memory(text):
    """What backtracks takes hours; what remembers each quote takes hundreds of bytes for one."""
    data = f"{text}\n".encode()
    rows = single_rows(data, ",")
    next(rows)
    began = time.process_time()
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows) < data.count(b"\n") <= MAX_ROW_LINES * len(data)
        grammar(",").begins(data, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5
    assert peak < 64 * len(data)


def test_lines_of_rows_add_up_whatever_the_quotes():
    data = b'a,"b\nc",d\n\n"x\n1,2\n'
    assert [(line, cells) for line, _, cells in single_rows(data, ",")] == [
        (0, ["a", "b\nc", "d"]),
        (3, []),
        (4, ["1", "2"]),
    ]
    assert np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n")) == 5
