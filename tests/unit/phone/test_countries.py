"""Countries as people write them: codes, names, calling codes; and what is none."""

from __future__ import annotations

import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.phone.countries import (
    NOT_GIVEN,
    SEVERAL,
    UNKNOWN,
    _rows,
    agree,
    country_of,
    is_calling_code,
    main_region,
)

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
ROWS = list(_rows())


def code_of(country):
    return phonenumbers.country_code_for_region(main_region(country))


def test_the_table_has_each_region_once():
    assert [region for region, _, _ in ROWS] == REGIONS
    assert len({three for _, three, _ in ROWS}) == len(ROWS)


def ways_to_write(region, three, names):
    """Each with the country that is meant."""
    code = f"+{phonenumbers.country_code_for_region(region)}"
    flag = "".join(chr(ord(letter) + 0x1F1A5) for letter in region)
    yield from ((written, region) for written in (region, three, f" {three}\u200b", flag))
    yield from ((written, code) for written in (f"{names[0]} ({code})", f"{region} {code}"))


def test_each_region_is_known_however_it_is_written():
    ways = [way for row in ROWS for way in ways_to_write(*row)]
    assert [(*way, country_of(way[0])) for way in ways if country_of(way[0]) != way[1]] == []


def ways_to_say(names):
    for name in names:
        shouted = name.upper() if len(name) > 3 else name  # NGA is a code
        yield from (name, shouted, unicodedata.normalize("NFD", name))


def test_each_region_is_known_by_all_its_names():
    """Of regions with one calling code, a name may be that of another."""
    assert [
        (region, name)
        for region, _, names in ROWS
        for name in ways_to_say(names)
        if code_of(country_of(name)) != phonenumbers.country_code_for_region(region)
    ] == []


def test_calling_codes_in_all_notations():
    codes = sorted({phonenumbers.country_code_for_region(each) for each in REGIONS})
    notations = ("{}", "+{}", "00{}", "(+{})", "+ {}", "{}.0")
    assert [
        (notation, code)
        for code in codes
        for notation in notations
        if country_of(notation.format(code)) != f"+{code}"
    ] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uk", "GB"),
        ("U.S.A.", "US"),
        ("The Gambia", "GM"),
        ("Gambia, The", "GM"),
        ("Netherlands (the)", "NL"),
        ("Saint Kitts and Nevis", "KN"),
        ("Korea, Republic of", "KR"),
        ("Nga", "RU"),  # Vietnamese
        ("NGA", "NG"),
        ("NA", "NA"),
        ("CH - Switzerland", "CH"),
        ("Germany / Deutschland", "DE"),
        ("1-876", "+1"),
        ("+1 (684)", "+1"),
        ("44-1481", "+44"),
        ("+1-809, +1-829, +1-849", "+1"),
        ("٤٩", "+49"),
        ("🇩🇪 +49", "+49"),
        ("DE (+41)", SEVERAL),
        ("CH;DE", SEVERAL),
        ("", NOT_GIVEN),
        (" - ", NOT_GIVEN),
        ("Ch", UNKNOWN),  # a code is written in one case
        ("nga", UNKNOWN),
        ("Korea", UNKNOWN),  # one of two
        ("Congo", UNKNOWN),
        ("Atlantis", UNKNOWN),
        ("N/A", UNKNOWN),
        ("0", UNKNOWN),
        ("030", UNKNOWN),
        ("0151", UNKNOWN),
        ("+800", UNKNOWN),  # of no country
        ("999", UNKNOWN),
        ("+41798284651", UNKNOWN),
        ("Switzerland" * 20, UNKNOWN),
    ],
)
def test_examples(text, expected):
    assert country_of(text) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], NOT_GIVEN),
        (["", "CH"], "CH"),
        (["", UNKNOWN], UNKNOWN),
        ([UNKNOWN, "CH"], "CH"),
        (["CH", "+41"], "+41"),
        (["GB", "JE"], "GB"),
        (["CH", "DE"], SEVERAL),
        (["CH", SEVERAL], SEVERAL),
        (["+41", "+49"], SEVERAL),
    ],
)
def test_several_cells_of_a_row(cells, expected):
    assert agree(cells) == agree(cells[::-1]) == expected


@given(st.text(max_size=120))
def test_any_text_is_a_country_or_none(text):
    country = country_of(text)
    assert country in {NOT_GIVEN, UNKNOWN, SEVERAL, *REGIONS} or is_calling_code(country)
