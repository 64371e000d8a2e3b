"""For the list of numbers that are never sent, every number that a text may mean is one."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ekyc_tasks.phone import clean, read_cell
from ekyc_tasks.phone.possible_readings import possible_readings

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
SWISS = 41798284651


def examples():
    for region in REGIONS:
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                yield region, number


EXAMPLES = st.sampled_from(list(examples()))


def key_of(number):
    return int(phonenumbers.format_number(number, PhoneNumberFormat.E164))


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+41798284651", None, {SWISS}),
        ("41798284651", None, {SWISS}),
        ("41798284651", "DE", {SWISS, 4941798284651}),
        ("079 828 46 51", "CH", {SWISS}),
        ("798284651", "CH", {SWISS}),
        ("0041 79 828 46 51", None, {SWISS}),
        ("011 41 79 828 46 51", "US", {SWISS}),
        ("41798284651.0", None, {SWISS}),
        ("4.1798284651E+10", None, {SWISS}),
        ("41,798,284,651", None, {SWISS}),
        ("٤١٧٩٨٢٨٤٦٥١", None, {SWISS}),
        ("+４１７９８２８４６５１", None, {SWISS}),
        ("tel:079-828-46-51;phone-context=+41", None, {SWISS}),
        ("41798284651:12@s.whatsapp.net", None, {SWISS}),
        ("+41 79 828 46 51 x12", None, {SWISS}),
        ("+41 79 828 46 51 (mobile)", None, {SWISS}),
        ("+5215512345678", None, {5215512345678, 525512345678}),
        ("+525512345678", None, {5215512345678, 525512345678}),
        ("5215512345678@s.whatsapp.net", None, {5215512345678, 525512345678}),
        ("+541123456789", None, {541123456789, 5491123456789}),
        ("+5491123456789", None, {541123456789, 5491123456789}),
        ("551187654321", None, {551187654321, 5511987654321}),
        ("+5511987654321", None, {551187654321, 5511987654321}),
        ("+41798284651; 447400123456", None, {SWISS, 447400123456}),
        ("8 912 345-67-89", "RU", {79123456789}),
    ],
)
def test_these_are_all_the_numbers(text, region, expected):
    assert possible_readings(text, region) == expected


@pytest.mark.parametrize(
    ("text", "region", "some"),
    [
        ("+41 79 828 46 51 Ann", None, {SWISS}),
        ("Ann,+41798284651,2026-01-02", None, {SWISS}),
        ("+41 79 828 46 51 2026-01-02", None, {SWISS}),
        ("+41 79 828 46 51 447400123456", None, {SWISS, 447400123456}),
        ("0041 79 828 46 51", "DE", {SWISS}),
        ("1. 41798284651", "DE", {SWISS, 49141798284651}),
        ("415-555-2671/2672", "US", {14155552671, 14155552672}),
        ("0664/1234567", "AT", {436641234567}),
        ("06 12345678", "IT", {390612345678, 39612345678}),
        ("1-800-FLOWERS", None, {18003569377}),
        ("(202) 555-0123", "US", {12025550123}),
        ("06 346-3157", "HU", {363463157}),
    ],
)
def test_these_are_among_the_numbers(text, region, some):
    assert some <= possible_readings(text, region)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "\0",
        "hello",
        "12 apostles",
        "123",
        "1" * 40,
        "079 828 46 51",
        "079 828 46 51 Ann",
        "4.17983E+10",
        "+41798284651; +999123456789",
        "+41 79 828 46 51 12 34 56 78 90 12",
    ],
)
def test_what_cannot_be_read_has_no_reading(text):
    assert possible_readings(text) == frozenset()


@given(EXAMPLES, st.sampled_from(["E164", "INTERNATIONAL", "RFC3966", "NATIONAL"]), st.booleans())
def test_every_way_to_write_a_number_means_that_number(example, form, is_bare):
    region, number = example
    text = phonenumbers.format_number(number, getattr(PhoneNumberFormat, form))
    if is_bare:
        text = "".join(filter(str.isdigit, text))

    assert key_of(number) in possible_readings(text, region)


@given(
    st.text("0123456789 +-()./;,#", max_size=24) | st.text(max_size=30),
    st.sampled_from([None, "CH", "US", "DE", "BR", "RU"]),
)
def test_what_a_reader_may_send_is_always_among_the_readings(text, region):
    [cleaned] = clean(pl.Series([text]))
    sent = [number for each in read_cell(cleaned, region) for number in (each.number, each.abroad) if number]

    found = possible_readings(text, region)
    assert all(0 < key < 10**15 for key in found)
    if found:  # else the line is reported, and nothing is sent
        assert {int(number) for number in sent} <= found
