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


@pytest.mark.parametrize(("region", "three", "names"), ROWS, ids=REGIONS)
def test_each_region_is_known_however_it_is_written(region, three, names):
    code = phonenumbers.country_code_for_region(region)
    assert country_of(region) == country_of(three) == country_of(f" {three}\u200b") == region
    assert country_of(f"{names[0]} (+{code})") == country_of(f"{region} +{code}") == f"+{code}"
    assert country_of("".join(chr(ord(letter) + 0x1F1A5) for letter in region)) == region
    for name in names:
        shouted = name.upper() if len(name) > 3 else name  # NGA is a code
        for written in (name, shouted, unicodedata.normalize("NFD", name)):
            assert code_of(country_of(written)) == code, written


@pytest.mark.parametrize("code", sorted({phonenumbers.country_code_for_region(each) for each in REGIONS}))
def test_calling_codes_in_all_notations(code):
    for written in (
        f"{code}",
        f"+{code}",
        f"00{code}",
        f"(+{code})",
        f"+ {code}",
        f"{code}.0",
        f"'+{code}"[1:],
    ):
        assert country_of(written) == f"+{code}"


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
