"""Numbers beside countries: the national number of that country, or none; what is complete stays as it is."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberFormat
from support.examples import share_of, some_of
from support.phone_lines import mixed_line, seeded
from support.phone_readings import said_by

from ekyc_tasks.phone import BareDigits, Texts, read_by_country, read_cell, read_msisdns
from ekyc_tasks.phone.clean import clean
from ekyc_tasks.phone.countries import NOT_GIVEN, SEVERAL, UNKNOWN, main_region
from ekyc_tasks.phone.reasons import COUNTRIES_DIFFER, NATIONAL, NOT_THERE, UNKNOWN_COUNTRY

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)


def examples_of(region):
    found = [phonenumbers.example_number_for_type(region, kind) for kind in KINDS]
    return [number for number in found if number is not None]


EXAMPLES = [number for region in REGIONS for number in examples_of(region)]


def read(rows, region=None):
    texts, countries = (pl.Series(column, dtype=pl.String) for column in zip(*rows, strict=True))
    return read_by_country(Texts.of(texts), countries, default_region=region)


def said(rows, region=None):
    return [(each.numbers, each.reasons) for each in said_by(read(rows, region))]


def written_nationally(region):
    """``text, country, number, has to be read`` of the examples of a region."""
    code = f"+{phonenumbers.country_code_for_region(region)}"
    for number in examples_of(region):
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        bare = phonenumbers.national_significant_number(number)
        for country in (region, code):
            for text in {national, "".join(filter(str.isdigit, national)), bare}:
                certain = (text, country) == (bare, code) and phonenumbers.is_valid_number(number)
                yield text, country, e164, certain


def test_a_national_number_is_of_its_row():
    rows = [row for region in some_of(REGIONS) for row in written_nationally(region)]
    found = said([(text, country) for text, country, _, _ in rows])
    assert [
        (row, numbers, reasons)
        for row, (numbers, reasons) in zip(rows, found, strict=True)
        if numbers != [row[2]] and (row[3] or numbers or not reasons)
    ] == []


def judge(tidy, country):
    """What is meant, text by text: the plain reading, less bare digits of another country."""
    region = None if country in {NOT_GIVEN, UNKNOWN, SEVERAL} else main_region(country)
    code = "none" if region is None else f"+{phonenumbers.country_code_for_region(region)}"
    found = read_cell(tidy, region)
    return [
        each.number
        for each in found
        if each.number and (not each.is_bare or each.is_national or each.number.startswith(code))
    ]


def test_by_the_million_is_as_one_by_one():
    chance = seeded("countries")
    countries = ["CH", "DE", "US", "IT", "AR", "+49", "+1", "+7", "JM", NOT_GIVEN, UNKNOWN, SEVERAL]
    rows = [(mixed_line(chance), chance.choice(countries)) for _ in range(share_of(4_000))]
    for number in some_of(EXAMPLES):
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        rows += [(text, chance.choice(countries)) for text in (e164[1:], e164, national, f"{e164[1:]} Ann")]
    chance.shuffle(rows)
    meant = [
        judge(tidy, country)
        for tidy, (_, country) in zip(clean(pl.Series([text for text, _ in rows])), rows, strict=True)
    ]
    assert [
        (*row, numbers)
        for row, (numbers, _), expected in zip(rows, said(rows), meant, strict=True)
        if numbers != expected
    ] == []


def test_reasons_say_what_the_row_lacks():
    national = "079 828 46 51"
    assert said([(national, UNKNOWN), (national, SEVERAL), (national, NOT_GIVEN), (national, "DK")]) == [
        ([], [UNKNOWN_COUNTRY]),
        ([], [COUNTRIES_DIFFER]),
        ([], [NATIONAL]),
        ([], [NOT_THERE]),
    ]
    assert said([(national, UNKNOWN), (national, NOT_GIVEN)], "CH") == [
        ([], [UNKNOWN_COUNTRY]),
        (["+41798284651"], []),
    ]


@pytest.mark.parametrize("country", ["DE", "+49", UNKNOWN, SEVERAL, NOT_GIVEN])
@pytest.mark.parametrize("text", ["+41 79 828 46 51", "0041798284651", "+41 79 828 46 51 Ann"])
def test_a_complete_number_counts_whatever_the_row_says(country, text):
    assert said([(text, country)]) == [(["+41798284651"], [])]


def test_bare_digits_of_another_country_are_rejected_and_those_with_the_own_code_read():
    assert said([("41798284651", "FR"), ("41798284651", "CH"), ("41798284651", UNKNOWN)]) == [
        ([], [NOT_THERE]),
        (["+41798284651"], []),
        ([], [UNKNOWN_COUNTRY]),
    ]


def test_what_is_valid_here_and_abroad_is_left_to_the_column_but_beside_a_calling_code_it_is_of_that():
    beside_name, beside_code = read([("15123456789", "DE")]), read([("15123456789", "+49")])
    assert beside_name.keys.tolist() == beside_code.keys.tolist() == [4915123456789]
    assert beside_name.doubt_keys.tolist() == beside_code.doubt_keys.tolist() == [15123456789]
    assert (beside_name.bare, beside_code.bare) == (BareDigits(both=1), BareDigits(at_odds=1))


def test_rows_of_one_country_are_read_as_with_that_region():
    rows = [("079 828 46 51; +4915123456789, 12", "CH"), ("Ann", "CH"), ("", "CH"), ("0798284652", "CH")]
    alone = read_msisdns(pl.Series([text for text, _ in rows]), default_region="CH")
    beside = read([*rows, ("15123456789", "+49")])
    assert beside.keys[:-1].tolist() == alone.keys.tolist()
    assert beside.more_keys.tolist() == alone.more_keys.tolist() == [4915123456789]
    assert beside.rejected["index"].to_list() == alone.rejected["index"].to_list()


def test_further_numbers_stay_with_their_texts():
    rows = [
        ("0798284651; 0798284652", "CH"),
        ("0151 23456789; +41798284653", "+49"),
        ("0798284654, 0798284655", "CH"),
    ]
    assert [numbers for numbers, _ in said(rows)] == [
        ["+41798284651", "+41798284652"],
        ["+4915123456789", "+41798284653"],
        ["+41798284654", "+41798284655"],
    ]
    assert read(rows).more_places.tolist() == [0, 1, 2]


def test_of_no_texts_there_are_no_numbers():
    assert (
        len(read_by_country(Texts.of(pl.Series([], dtype=pl.String)), pl.Series([], dtype=pl.String)).keys)
        == 0
    )
