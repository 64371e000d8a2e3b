"""A file's numbers and its lines: two accounts that add up; and what bare digits are meant to be."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.landed_files import workbook
from support.phone_lines import seeded

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import columns, lines, read_numbers, workbooks
from ekyc_tasks.intake.read_numbers import keep_decisions, origins_of_numbers, read_named_list
from ekyc_tasks.intake.rules import ReadingRules, as_text, rules_from
from ekyc_tasks.phone.numbering_plans import are_valid


def read(path, lines, region=None, rejects=None):
    path.write_text("".join(f"{line}\n" for line in lines))
    return read_named_list(path, name="list.txt", reading=ReadingRules(region=region), rejects=rejects)


CELLS = st.sampled_from(
    ["", " ", "+41798284651", "+41798284652 / +41798284653", "+41798284651/52", "Ann", "n/a", "12/34", "+417"]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("lists") / "list.txt"


@given(st.lists(CELLS, min_size=1, max_size=12))
def test_both_accounts_add_up(path, lines):
    found = read(path, ["+447400123456", *lines])
    numbers = [
        part for line in lines for part in line.replace("/52", "").split("/") if len(part.strip()) > 10
    ]
    assert found.lines == len(lines) + 1
    assert found.blank == sum(not line.strip() for line in lines)
    assert found.rejected == sum(line in {"Ann", "n/a", "12/34", "+417"} for line in lines)
    assert found.headers == 0
    assert found.numbers == len(numbers) + 1
    assert len(found.keys) == len({part.strip() for part in numbers}) + 1


def test_each_number_has_the_line_that_it_stands_on_first(path):
    read(path, ["+41798284652 / +41798284651", "", "+41798284651", "+41798284650 / 12"])
    found = origins_of_numbers(path, name="list.txt", reading=ReadingRules())
    keys, lines = found.keys, found.lines
    assert dict(zip(keys.tolist(), lines.tolist(), strict=True)) == {
        41798284650: 4,
        41798284651: 1,
        41798284652: 1,
    }


ROWS = [
    ("+41798284651", "x", "+41798284652"), ("41798284653", "", "0041798284654"),
    ("+41798284651; +41798284655", "7", ""), ("junk", "y", "+41798284657"),
]  # fmt: skip


def as_csv(*titles, delimiter=",", above=""):
    rows = [titles] if titles else []
    return above + "".join(f"{delimiter.join(row)}\n" for row in [*rows, *ROWS])


def as_json_lines(*titles):
    return "".join(json.dumps(dict(zip(titles, row, strict=True))) + "\n" for row in ROWS)


def as_workbook(*titles):
    rows = [titles, *ROWS]
    return workbook(
        {"A1": "no numbers here"},
        {f"{'ABC'[x]}{y}": cell for y, row in enumerate(rows, 1) for x, cell in enumerate(row) if cell},
    )


@pytest.mark.parametrize(
    ("name", "content", "reading"),
    [
        ("a.csv", as_csv("Phone 1", "Note", "Phone 2"), ReadingRules()),
        ("a.csv", as_csv("Mobile", "Note", "Fax", delimiter=";"), ReadingRules()),
        ("a.csv", as_csv("Mobile", "Note", "Office"), ReadingRules(("Office",), "CH")),
        ("a.csv", as_csv("Mobile", "Note", "Office", above="Customers\n\n"), ReadingRules(("*",))),
        ("a.csv", as_csv(), ReadingRules(("*",))),
        ("a.txt", as_csv(), ReadingRules(("*",), "DE")),
        ("a.txt", "+41798284651, +41798284652\n+41798284653\n", ReadingRules()),
        ("a.txt", "41798284651\n14155552671\n12025550123\n", ReadingRules(region="DE")),
        ("a.jsonl", as_json_lines("Phone 1", "Note", "Phone 2"), ReadingRules()),
        ("a.jsonl", as_json_lines("Mobile", "Note", "Office"), ReadingRules(("Office",))),
        ("a.xlsx", as_workbook("Mobile", "Note", "Fax"), ReadingRules()),
    ],
)
def test_what_was_decided_once_is_read_the_same_by_a_reader_that_decides_otherwise(
    path, monkeypatch, name, content, reading
):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_named_list(path, name=name, reading=reading)
    before = origins_of_numbers(path, name=name, reading=reading)
    assert len(found.keys)

    def decide_otherwise(*_, **__):
        raise InputError("in doubt")

    for module, decision in (
        (columns, "_choose_columns"),
        (columns, "_find_named"),
        (lines, "_find_delimiter"),
        (workbooks, "_has_numbers"),
        (read_numbers, "are_abroad"),
    ):
        monkeypatch.setattr(module, decision, decide_otherwise)
    kept = rules_from(as_text(keep_decisions(reading, found)))
    again = read_named_list(path, name=name, reading=kept)
    assert replace(again, keys=0, layout=0) == replace(found, keys=0, layout=0)
    assert again.keys.tolist() == found.keys.tolist()
    after = origins_of_numbers(path, name=name, reading=kept)
    assert after.lines.tolist() == before.lines.tolist()
    titles = [[each.title for each in one.layout.columns] for one in (before, after)]
    assert titles[0] == titles[1]


def american_numbers(count):
    chance = seeded(count)
    drawn = np.array([chance.randrange(2_000_000_000, 10_000_000_000) for _ in range(4 * count)])
    return drawn[are_valid(drawn + 10_000_000_000)][:count].tolist()


@pytest.mark.parametrize("count", [10, 100, 20_000])
def test_a_column_of_american_numbers_is_a_question_without_a_region(path, count):
    numbers = american_numbers(count)
    with pytest.raises(InputError, match="EKYC_DEFAULT_REGION"):
        read(path, numbers)
    assert read(path, numbers, "US").keys.tolist() == sorted({number + 10_000_000_000 for number in numbers})


@pytest.mark.parametrize("junk", [0, 1, 10])
def test_a_column_of_bare_international_numbers_is_read_as_such(path, junk):
    numbers = [41798280000 + number for number in range(100)]
    assert read(path, [*numbers, *["12345678"] * junk]).keys.tolist() == numbers


MAY_BE_BOTH = [
    41798284651 + number for number in range(5)
]  # numbers of Switzerland, and of an area of Germany


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([12015550100 + number for number in range(100)], MAY_BE_BOTH),
        ([f"0171 12345{number:02}" for number in range(100)], [int(f"49{number}") for number in MAY_BE_BOTH]),
    ],
)
def test_the_column_says_what_bare_digits_are(path, others, expected):
    found = read(path, [*MAY_BE_BOTH, *others], "DE")
    assert set(expected) <= set(found.keys.tolist())
    assert len(found.keys) == len(MAY_BE_BOTH) + len(others)
    lines = origins_of_numbers(path, name="list.txt", reading=ReadingRules(region="DE")).lines
    assert sorted(lines.tolist()) == list(range(1, len(found.keys) + 1))


@pytest.mark.parametrize("others", [[], ["0171 1234567"], ["12015550123"], ["0171 1234567", "12015550123"]])
def test_where_it_does_not_say_the_file_is_a_question(path, others):
    with pytest.raises(InputError, match=r"may be meant for DE.*Write a \+"):
        read(path, [*MAY_BE_BOTH, *others], "DE")
