"""A file's numbers and its lines: two accounts that add up; and what bare digits are meant to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.phone_lines import seeded

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.read_numbers import origins_of_numbers, read_named_list
from ekyc_tasks.intake.rules import ReadingRules
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
