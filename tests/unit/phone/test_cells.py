"""Words, signs and further numbers in a cell."""

from __future__ import annotations

import itertools

import pytest
from support.phone_readings import said_of

from ekyc_tasks.phone import reasons

SWISS, OTHER = "+41798284651", "+447400123456"


def read(text, region=None):
    (said,) = said_of([text], region)
    return said.numbers, said.reasons


@pytest.mark.parametrize(
    "word", ["Ann", "Max Muster", "CHE", "(mobile)", "- Ann", "<Ann>", "Анна", "王", "/ Ann", "; Ann"]
)
@pytest.mark.parametrize("number", ["+41 79 828 46 51", SWISS, "0041798284651"])
def test_a_word_beside_a_whole_number_is_cut_off(number, word):
    assert read(f"{number} {word}") == ([SWISS], [])


@pytest.mark.parametrize("word", ["Ann", "Mobil:", "mobile", "Анна,", "WhatsApp (private)", "phone ="])
def test_a_word_in_front_of_it_too(word):
    assert read(f"{word} +41 79 828 46 51") == ([SWISS], [])


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("1-800-FLOWERS", None),
        ("1-800-FLOWERS", "US"),
        ("+1 800 FLOWERS", None),
        ("1800FLOWERS", "US"),
        ("0800 REIFEN", "DE"),
        ("+41798284651Ann", None),
        ("+41798284651-Ann", None),
        ("a41798284651", None),
        ("+4179828465I", None),
        ("+41 79 828 46 XX", None),
    ],
)
def test_letters_are_never_dialled(text, region):
    numbers, why = read(text, region)
    assert numbers == []
    assert set(why) <= {reasons.LETTERS, reasons.AND_MORE, reasons.NOT_HERE}


@pytest.mark.parametrize("word", ["order", "Ref.", "id", "Kunde"])
def test_bare_digits_behind_a_word_may_be_anything(word):
    assert read(f"{word} 41798284651") == ([], [reasons.AND_MORE])


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("079 828 46 51 Ann", "CH", SWISS),
        ("Ann 0798284651", "CH", SWISS),
        ("(201) 555-0123 home", "US", "+12015550123"),
        ("mobile 41798284651", None, SWISS),
    ],
)
def test_national_numbers_have_words_as_well(text, region, number):
    assert read(text, region) == ([number], [])


SIGNS = ["; ", ";", ", ", ",", " / ", "/", " ::: ", " | ", "|", "\n", "\r\n"]


@pytest.mark.parametrize(("sign", "count"), [(sign, count) for sign in SIGNS for count in (2, 3, 5)])
def test_several_numbers_are_read_where_each_is_one(sign, count):
    numbers = [f"+4179828465{digit}" for digit in range(count)]
    assert read(sign.join(numbers)) == (numbers, [])
    assert read(sign.join(number[1:] for number in numbers)) == (numbers, [])
    assert read(sign.join(f"079 828 46 5{digit}" for digit in range(count)), "CH") == (numbers, [])


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("part", ["2672", "12", "+4179", "abc 12", "999999999999"])
def test_the_good_ones_are_read_and_the_part_is_rejected(sign, part):
    numbers, why = read(f"{SWISS}{sign}{part}{sign}{OTHER}")
    assert numbers == [SWISS, OTHER]
    assert len(why) == 1


@pytest.mark.parametrize("sign", SIGNS)
def test_words_and_gaps_between_them_do_not_matter(sign):
    assert read(f"{SWISS}{sign}{sign}{OTHER}{sign}Ann") == ([SWISS, OTHER], [])


@pytest.mark.parametrize(
    "text", [f"{SWISS} {OTHER}", f"{SWISS} or {OTHER}", f"{SWISS} & {OTHER}", f"{SWISS}{OTHER}"]
)
def test_numbers_that_nothing_separates_are_rejected(text):
    assert read(text) == ([], [reasons.SEVERAL])


@pytest.mark.parametrize(
    ("text", "region", "numbers"),
    [
        ("415-555-2671/2672", "US", ["+14155552671"]),
        ("415-555-2671/2672", None, []),
        ("(+41) 79/828 46 51", None, [SWISS]),
        ("079/828 46 51", "CH", [SWISS]),
        ("030/23456789", "DE", ["+493023456789"]),
        ("+49 30/123456", None, ["+4930123456"]),
        ("44 668 18 00/01", "CH", ["+41446681800"]),
    ],
)
def test_a_slash_stands_in_a_number_or_between_two(text, region, numbers):
    assert read(text, region)[0] == numbers


def families():
    """Ordinals, dates, addresses, identifiers: bare digits that would be some country's number."""
    for item in ("1.", "2)", "10.", "(3)", "#4", "No. 5", "17 -"):
        yield f"{item} 41798284651"
        yield f"{item} 447400123456"
    for sign, (day, year) in itertools.product("-/. ", (("29", "2024"), ("3", "1999"))):
        yield f"{day}{sign}11{sign}{year}"
        yield f"{year}{sign}11{sign}{day}"
        yield f"{year}{sign}11{sign}{day} 12:30:15"
    for first in (62, 20, 44, 7):
        yield f"{first}.210.123.45"
    yield from ("CH93 0076 2011 6238 5295 7", "12345-678 41798284651")


@pytest.mark.parametrize("text", ["(202) 555-0123", "(20) 1555 0123 45", "202/5550123", "(0)201 5550 123"])
def test_signs_of_a_national_number_make_no_international_one(text):
    assert read(text) == ([], [reasons.NATIONAL])


@pytest.mark.parametrize("text", list(families()))
@pytest.mark.parametrize("region", [None, "DE", "CH"])
def test_what_is_no_number_is_not_bought(text, region):
    assert read(text, region)[0] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("41798284651@s.whatsapp.net", SWISS),
        ("41798284651:12@s.whatsapp.net", SWISS),
        ("41798284651.0:3@s.whatsapp.net", SWISS),
        ("41798284651@c.us", SWISS),
        ("5215512345678@s.whatsapp.net", "+525512345678"),
        ("5491123456789@s.whatsapp.net", "+5491123456789"),
        ("5511987654321@s.whatsapp.net", "+5511987654321"),
        ("551187654321@s.whatsapp.net", "+551187654321"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("41,798,284,651", SWISS),
        ("41'798'284'651", SWISS),
        ("41’798’284’651", SWISS),
        ("41.798.284.651", SWISS),
        ("41\u00a0798\u00a0284\u00a0651", SWISS),
        ("'+41798284651", SWISS),
        ("'41798284651", SWISS),
        ("4.1798284651E10", SWISS),
    ],
)
@pytest.mark.parametrize("region", [None, "CH", "US"])
def test_what_programs_make_of_numbers(text, number, region):
    assert read(text, region) == ([number], [])


@pytest.mark.parametrize(
    "text",
    [
        "120363041234567890@g.us",
        "41798284651-1614000000@g.us",
        "123456789012345@lid",
        "status@broadcast",
        "41798284651@example.com",
    ],
)
def test_what_is_nobody_s_number(text):
    assert read(text)[0] == []


def test_a_long_text_costs_little():
    numbers, why = read("; ".join(f"+41798{index:06}" for index in range(400)))
    assert (len(numbers), why) == (400, [])
    assert read(";" * 200_000 + "1") == ([], [reasons.TOO_LONG])
