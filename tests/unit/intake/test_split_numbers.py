"""A number is not sent where its first digits stand in another column: the file is a question."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from support.examples import some_of

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.split_numbers import refuse_area_codes, refuse_calling_codes

MOBILE = {
    region: example
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
}


def table(text):
    titles, *rows = [line.split(",") for line in text.split(" | ")]
    return titles, rows


def ask_calling_codes(text, region=None):
    titles, rows = table(text)
    refuse_calling_codes(titles, rows, [len(titles) - 1], region, "a.csv")


def ask_area_codes(text):
    titles, rows = table(text)
    refuse_area_codes(titles, rows, [len(titles) - 1], "a.csv")


def is_question(sign, number):
    """Whether a table of this number alone, cut behind its calling code, is a question."""
    try:
        ask_calling_codes(
            f"x,phone | {sign}{number.country_code},{phonenumbers.national_significant_number(number)}"
        )
    except InputError as error:
        return re.search("calling codes of its numbers in “x”.*country_column", str(error)) is not None
    return False


@pytest.mark.parametrize("sign", ["", "+"])
def test_a_column_of_calling_codes_is_seen_whatever_it_is_called(sign):
    assert [region for region, number in some_of(list(MOBILE.items())) if not is_question(sign, number)] == []


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("age,phone | 41,41798284651 | 33,447400123456", None),
        ("age,phone | 49,2025550123 | 31,4155552671 | 27,2125557890", "US"),
        ("id,phone | 1,2025550123 | 2,4155552671 | 3,2125557890", "US"),
        ("qty,phone | 1,2025550123 | 1,4155552671", "US"),
        ("age,phone | 41,+49301234567", None),
        ("age,phone | ,798284651", None),
        ("note,phone | 41x,798284651", None),
    ],
)
def test_small_numbers_that_are_no_codes_are_no_question(text, region):
    ask_calling_codes(text, region)


@pytest.mark.parametrize("title", ["Vorwahl", "area_code", "区号", "DDD", "Prefijo", "STD Code"])
def test_an_area_code_in_a_column_of_its_own_is_a_question(title):
    for area, rest in (("089", "7654321"), ("415", "555-2671"), ("11", "987654321")):
        with pytest.raises(InputError, match=f"area codes in a column of their own, “{title}”"):
            ask_area_codes(f"{title},phone | {area},{rest}")


@pytest.mark.parametrize("whole", ["030-1234567", "+4930123", "004930123", "(030)123", "30123456"])
def test_a_number_that_has_its_area_code_is_whole(whole):
    ask_area_codes(f"Vorwahl,phone | 030,{whole}")
    ask_area_codes(f"Prefix,phone | Mr,{whole} | ,{whole}")
    ask_area_codes(f"Remark,phone | 089,{whole}")
