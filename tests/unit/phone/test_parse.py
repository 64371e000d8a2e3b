"""One number, in the spellings of every day, and the reasons of what is none."""

from __future__ import annotations

import polars as pl
import pytest
from support.phone_readings import numbers_of

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.phone import read_msisdns, reasons

MADE_FOR_THE_DOCUMENTATION = "+41798284651"


def reading(text, region=None):
    return numbers_of(pl.Series([text], dtype=pl.String), region).row(0)


@pytest.mark.parametrize(
    "text",
    [
        "+41798284651",
        " +41798284651\t",
        "+41 79 828 46 51",
        "+41-79-828-46-51",
        "+41.79.828.46.51",
        "(+41) 79/828 46 51",
        "+41 (0) 79 828 46 51",
        "+41 (0)79 828 46 51",
        "0041798284651",
        "00 41 79 828 46 51",
        "+0041798284651",
        "(0041) 79 828 46 51",
        "41798284651",
        "41 79 828 46 51",
        "41798284651.0",
        "+41798284651.00",
        "41798284651,0",
        "4.1798284651E+10",
        "4,1798284651e10",
        "tel:+41798284651",
        "Tel.: +41 79 828 46 51",
        "TEL:+41-79-828-46-51",
        "tel:798284651;phone-context=+41",
        "whatsapp:+41798284651",
        "https://wa.me/41798284651",
        "41798284651@s.whatsapp.net",
        "'+41798284651",
        '="+41798284651"',
        "“+41798284651”",
        "+41 79 828 46 51 ext. 12",
        "+41798284651;ext=12",
        "41798284651 x12",
        "＋４１７９８２８４６５１",
        "٤١٧٩٨٢٨٤٦٥١",
        "۴۱۷۹۸۲۸۴۶۵۱",
        "+४१७९८२८४६५१",
        "\ufeff+41798284651",
        "\u202a+41798284651\u202c",
        "+41\u00a079\u202f828\u200946\u201151",
        "+41\u200b798284651",
    ],
)
def test_all_these_are_one_number(text):
    assert reading(text) == (MADE_FOR_THE_DOCUMENTATION, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, reasons.NO_DIGITS),
        ("", reasons.NO_DIGITS),
        ("n/a", reasons.NO_DIGITS),
        ("+", reasons.NO_DIGITS),
        ("4.17983E+10", reasons.ROUNDED),
        ("4,18E+10", reasons.ROUNDED),
        ("4E+10", reasons.ROUNDED),
        ("41798284651.5", reasons.FRACTION),
        ("# +41798284651", reasons.COMMENT),
        ("// +41798284651", reasons.COMMENT),
        ("+41798284651 +41798284652", reasons.SEVERAL),
        ("41798284651 or 41798284652", reasons.SEVERAL),
        ("room 41798284651", reasons.AND_MORE),
        ("+999123456789", reasons.NO_CODE),
        ("999123456789", reasons.NO_CODE),
        ("+41798", reasons.TOO_SHORT),
        ("41798", reasons.TOO_SHORT),
        ("+4179828465112345678", reasons.TOO_LONG),
        ("1" * 300, reasons.TOO_LONG),
        ("+81" + "9" * 15, reasons.TOO_LONG),  # possible in Japan, but no E.164
        ("+417982846512", reasons.NO_LENGTH),
        ("079 828 46 51", reasons.NATIONAL),
        ("12345678", reasons.INCOMPLETE),
    ],
)
def test_rejected_with_a_reason(text, reason):
    assert reading(text) == (None, reason)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("079 828 46 51", "CH", "+41798284651"),
        ("798284651", "CH", "+41798284651"),
        ("41798284651", "CH", "+41798284651"),
        ("0041798284651", "AU", "+41798284651"),  # 00 is international even where people dial 0011
        ("011 41 79 828 46 51", "US", "+41798284651"),
        ("201-555-0123", "US", "+12015550123"),
        ("2015550123", "US", "+12015550123"),
        ("2015550123", None, "+2015550123"),  # valid in Egypt; the rest of its column has to agree
        ("1 (201) 555-0123", "CA", "+12015550123"),
        ("07400 123456", "GB", "+447400123456"),
        ("447400123456", "GB", "+447400123456"),
        ("447400123456", "CH", "+447400123456"),  # twelve digits are possible in CH, but not of its shape
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("8 (861) 234-56-78", "RU", "+78612345678"),  # and no Taiwanese one
        ("996 47 40 61 23 45", "FI", "+4740612345"),  # 996 is dialled to go abroad; no Kyrgyz number
        ("090-1234-5678", "JP", "+819012345678"),
        ("06 20 123 4567", "HU", "+36201234567"),
        ("06 12345678", "IT", "+390612345678"),  # the zero belongs to the number
        ("+12015550123", "CH", "+12015550123"),
    ],
)
def test_default_region(text, region, number):
    assert reading(text, region) == (number, None)


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("555-0123", "US", reasons.NOT_HERE),
        ("12", "US", reasons.NOT_HERE),
        ("99041798", "FI", reasons.NOT_HERE),  # +41 798, dialled by 990
        ("011 15-2345-6789", "AR", reasons.NOT_HERE),  # the 9 of +54 9 11 2345 6789 is not in the text
        ("0 15 11 98765-4321", "BR", reasons.NOT_HERE),  # 15 is dialled for a carrier, and no part of it
    ],
)
def test_national_numbers_have_to_be_complete(text, region, reason):
    assert reading(text, region) == (None, reason)


def test_unknown_default_region():
    with pytest.raises(ConfigurationError, match="DEFAULT_REGION"):
        read_msisdns(pl.Series(["1"]), default_region="XX")
