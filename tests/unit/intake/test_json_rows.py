"""JSON in its usual shapes: the key of the numbers is found as a column is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.landed_files import A, B, C, D, blocks_of, numbers, read

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.json_rows import BROKEN_JSON
from ekyc_tasks.intake.rules import ReadingRules

ROWS = [{"id": 41790000007, "phone": A}, {"id": 41790000008, "phone": B}]


def as_lines(rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", as_lines(ROWS)),
        ("a.ndjson", "\n" + as_lines(ROWS)),
        ("a.txt", as_lines(ROWS)),
        ("a.json", as_lines(ROWS)),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.json", json.dumps({"total": 2, "contacts": ROWS})),
        ("a.json", json.dumps([{"contact": {"tel": row["phone"], "name": "x"}} for row in ROWS])),
        ("a.json", json.dumps([[{"phones": [{"type": "mobile", "number": row["phone"]}]}] for row in ROWS])),
        ("a.json", json.dumps([A, B])),
        ("a.jsonl", as_lines([A, B])),
    ],
)
def test_json_in_its_usual_shapes(tmp_path, name, content):
    assert numbers(read(tmp_path, name, content)) == [A, B]


def test_values_are_read_as_they_are_written(tmp_path):
    content = (
        f'{{"phone": {A[1:]}}}\n{{"phone": 4.1798284652E10}}\n{{"phone": 41798284653.0}}\n{{"phone": null}}\n'
    )
    frame = read(tmp_path, "a.jsonl", content)
    assert numbers(frame) == [A[1:], "4.1798284652E10", "41798284653.0"]
    assert frame["line"].to_list() == [1, 2, 3, 4]


def test_several_values_of_one_row(tmp_path):
    content = f'{{"phone": ["{A}", "{B}"]}}\n\n{{"phone": "{C}", "phone": "{D}"}}\n'
    assert read(tmp_path, "a.jsonl", content).select("line", "text").rows() == [
        (1, A),
        (1, B),
        (2, ""),
        (3, C),
        (3, D),
    ]


def test_a_line_that_is_broken_is_rejected_alone(tmp_path):
    content = f'{{"phone": "{A}"}}\n{{"phone": "{B}"\n{{"phone": "{C}"}}\n'
    [block] = blocks_of(tmp_path, "a.jsonl", content)
    assert dict(block.flaws) == {1: BROKEN_JSON}
    assert numbers(read(tmp_path, "a.jsonl", content)) == [A, f'{{"phone": "{B}"', C]
    with pytest.raises(InputError, match=r"a\.json cannot be read as JSON"):
        read(tmp_path, "a.json", f'[{{"phone": "{A}"')


def test_keys_are_chosen_as_columns_are(tmp_path):
    rows = [{"id": 1, "phone": A, "mobile": B, "fax": C}]
    with pytest.raises(InputError, match="several columns of phone numbers: “phone”, “mobile”"):
        read(tmp_path, "a.jsonl", as_lines(rows))
    assert numbers(read(tmp_path, "a.jsonl", as_lines(rows), column="*")) == [A, B]
    assert numbers(read(tmp_path, "a.jsonl", as_lines(rows), column="Fax")) == [C]
    with pytest.raises(InputError, match=r"no column “手机”\. It has: id, phone, mobile, fax\."):
        read(tmp_path, "a.jsonl", as_lines(rows), column="手机")
    with pytest.raises(InputError, match="no number in “phone”, but in “contact”"):
        read(tmp_path, "a.jsonl", as_lines([{"phone": "", "contact": A}, {"phone": None, "contact": B}]))


def test_a_key_that_comes_up_far_below(tmp_path):
    rows = [{"phone1": A}] * 1000
    assert numbers(read(tmp_path, "a.jsonl", as_lines([*rows, {"phone2": B}])))[-1] == B
    assert len(numbers(read(tmp_path, "a.jsonl", as_lines([*rows, {"mobile": "n/a"}])))) == 1000
    with pytest.raises(InputError, match="“mobile”, further down"):
        read(tmp_path, "a.jsonl", as_lines([*rows, {"mobile": B}]))
    named = read(
        tmp_path, "a.jsonl", as_lines([*rows, {"mobile": B}]), rules=ReadingRules(columns=("phone1",))
    )
    assert len(numbers(named)) == 1000


@given(
    st.lists(st.one_of(st.sampled_from([A, B]), st.lists(st.sampled_from([C, D]), max_size=3)), max_size=30)
)
def test_no_value_is_dropped(tmp_path_factory, values):
    rows = [{"id": 1, "phone": value} for value in values]
    expected = [each for value in values for each in ([value] if isinstance(value, str) else value)]
    for name, content in (("a.jsonl", as_lines(rows)), ("a.json", json.dumps(rows))):
        if content:
            frame = read(tmp_path_factory.mktemp("rows"), name, content)
            assert numbers(frame) == expected
            assert frame["line"].n_unique() == len(rows)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_nesting_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read(tmp_path, "a.json", content)


@pytest.mark.parametrize("empty", [None, "", []])
def test_empty_keys_are_not_replaced_by_others(tmp_path, empty):
    rows = [{"id": 41790000007, "phone": empty}, {"id": 41790000008, "phone": empty}]
    frame = read(tmp_path, "a.json", json.dumps(rows))
    assert (numbers(frame), frame.height) == ([], 2)
    with pytest.raises(InputError, match="besides “id”"):
        read(tmp_path, "a.jsonl", as_lines([{"id": 41790000007}]))
