"""Numbers as people write them, against what `phonenumbers` makes of them."""

from __future__ import annotations

import random

import numpy as np
import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberFormat

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.numbers import (
    Texts,
    calling_codes,
    digit_counts,
    mass,
    normalise,
    read_keys,
    read_one,
    reasons,
    tidied,
)

MADE_FOR_THE_DOCUMENTATION = "+41798284651"


def reading(text, region=None):
    return normalise(pl.Series([text], dtype=pl.String), default_region=region).row(0)


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
        ("+41798284651 / +41798284652", reasons.SEVERAL),
        ("+41798284651,+41798284652", reasons.SEVERAL),
        ("41798284651 or 41798284652", reasons.NOT_A_NUMBER),
        ("room 41798284651", reasons.NOT_A_NUMBER),
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
        ("2015550123", None, "+2015550123"),  # what the missing region costs: read as Egyptian
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
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+12015550123", "CH", "+12015550123"),
    ],
)
def test_default_region(text, region, number):
    assert reading(text, region) == (number, None)


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("555-0123", "US", reasons.INCOMPLETE),
        ("12", "US", reasons.TOO_SHORT),
        ("99041798", "FI", reasons.TOO_SHORT),  # +41 798, dialled by 990
    ],
)
def test_national_numbers_have_to_be_complete(text, region, reason):
    assert reading(text, region) == (None, reason)


def test_unknown_default_region():
    with pytest.raises(ConfigurationError, match="DEFAULT_REGION"):
        normalise(pl.Series(["1"]), default_region="XX")


def test_shape_of_the_answer(monkeypatch):
    monkeypatch.setattr(mass, "BLOCK_ROWS", 2)
    text = pl.Series("any name", ["+41798284651", "junk", None, "+12015550123", "079"])
    frame = normalise(text)
    assert frame.schema == {"number": pl.String, "reason": pl.String}
    assert frame["number"].to_list() == ["+41798284651", None, None, "+12015550123", None]
    assert (frame["number"].is_null() == frame["reason"].is_not_null()).all()
    assert normalise(text.head(0)).schema == frame.schema
    assert normalise(text.head(0)).height == 0


def test_numbers_that_are_integers_already():
    assert reading_of_integers([41798284651]) == ["+41798284651"]


def reading_of_integers(values):
    return normalise(pl.Series(values, dtype=pl.Int64))["number"].to_list()


EXAMPLES = [
    example
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (0, 1, 3)
    if (example := phonenumbers.example_number_for_type(region, kind))
]


def seeded(seed) -> random.Random:
    return random.Random(seed)  # noqa: S311  # chance in tests needs to repeat, not to be secret


def national_line(chance: random.Random, region: str) -> str:
    """A number as people of a region write theirs, or nearly."""
    code = phonenumbers.country_code_for_region(region)
    number = chance.choice([example for example in EXAMPLES if example.country_code == code])
    text = phonenumbers.format_number(
        number, chance.choice((PhoneNumberFormat.NATIONAL, PhoneNumberFormat.E164))
    )
    digits = "".join(filter(str.isdigit, text))
    changed = chance.randrange(6)
    digits = digits[: len(digits) - changed] + "".join(chance.choices("0123456789", k=changed))
    return chance.choice(("", "", "", "0", "1", "8", "00", "06", "011", "810", "99", "119")) + digits


def mixed_line(chance: random.Random) -> str:
    """A line of a kind that lists hold: mostly a number in some notation, often with wrong digits."""
    number = chance.choice(EXAMPLES)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if chance.random() < 0.5:
        changed = chance.randrange(1, 6)
        e164 = e164[:-changed] + "".join(
            chance.choices("0123456789", k=changed + chance.choice((0, 0, 0, -1, 1)))
        )
    written = chance.choice(
        (
            lambda: e164,
            lambda: e164[1:],
            lambda: f"00{e164[1:]}",
            lambda: f"{e164[:3]} (0){e164[3:6]}-{e164[6:]}",
            lambda: f"{e164[1:]}.0",
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
            lambda: phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
            lambda: "".join(chance.choices("+0123456789 ().-/", k=chance.randrange(20))),
            lambda: "".join(chance.choices("+0123456789 ().-/xet#;,E:٤", k=chance.randrange(20))),
        )
    )
    return written()


REGIONS = [
    "AR",
    "BR",
    "BY",
    "CA",
    "CH",
    "CN",
    "CU",
    "FI",
    "GB",
    "HU",
    "IT",
    "JP",
    "KZ",
    "MG",
    "RU",
    "SG",
    "US",
]


@pytest.mark.parametrize("region", [None, *REGIONS])
def test_expressions_agree_with_the_rules(region):
    chance = seeded(f"seed {region}")
    lines = pl.Series([mixed_line(chance) for _ in range(10_000 if region is None else 150)])
    if region:
        lines = pl.concat([lines, pl.Series([national_line(chance, region) for _ in range(250)])])
    expected = [read_one(text, region) for text in tidied(lines)]
    assert normalise(lines, default_region=region).rows() == expected
    assert 0.3 < sum(number is not None for number, _ in expected) / len(lines) < 0.95


def odd_line(chance: random.Random) -> str:
    """Digits of any length behind any beginning, and signs at random."""
    digits = "".join(chance.choices("0123456789", k=chance.randrange(40)))
    begin = chance.choice(("", "", "+", "00", "+00", "000", "0", " ", "( ", "-", "9" * 250))
    end = chance.choice(("", "", "", ".0", ".00", ".5", " ", ",0", " 12", " " * 240))
    noise = "".join(chance.choices("+0123456789 ().-/\t\x7fxn'\"a,٤＋é", k=chance.randrange(26)))
    return chance.choice((f"{begin}{digits}{end}", noise))


@pytest.mark.parametrize("region", [None, "CH", "US"])
def test_keys_are_the_numbers_and_their_reasons_the_same(region):
    chance = seeded(f"keys {region}")
    count = 3_000 if region is None else 500
    lines = [line(chance) for line in (mixed_line, odd_line, odd_line) for _ in range(count)]
    expected = normalise(pl.Series(lines), default_region=region)
    for texts in (pl.Series(lines), Texts.of_lines("".join(f"{line}\n" for line in lines).encode())):
        keys, rejected = read_keys(texts, default_region=region)
        assert [f"+{key}" if key else None for key in keys.tolist()] == expected["number"].to_list()
        reasons_given = (
            expected.with_row_index().drop_nulls("reason").select(pl.col("index").cast(pl.Int64), "reason")
        )
        assert rejected.equals(reasons_given)


def test_digits_too_many_for_a_number_are_not_cut():
    texts = ["00632225558559668", "0863222555855966863", "+4179828465112345678", "1" * 30, "00" + "1" * 30]
    keys, rejected = read_keys(pl.Series(texts))
    assert keys.tolist() == [632225558559668, 0, 0, 0, 0]
    assert rejected["reason"].to_list() == [reasons.NATIONAL, *[reasons.TOO_LONG] * 3]


def test_texts_are_cut_out_where_somebody_asks():
    texts = Texts.of_lines("+41\n\n é \nlast\n".encode())
    assert texts.gather(np.array([0, 1, 2, 3])).to_list() == ["+41", "", " é ", "last"]
    assert texts.gather(np.array([], dtype=np.int64)).to_list() == []
    assert Texts.of(pl.Series(["a b", None, "", "c"])).without(b" ").gather(np.arange(4)).to_list() == [
        "ab",
        "",
        "",
        "c",
    ]
    assert len(Texts.of_lines(b"")) == 0


def digits_after_plus(count: int) -> list[str]:
    chance = seeded(count)
    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    starts = chance.choices([*codes, "999", "0", ""], k=count)
    return [f"+{start}{chance.randrange(10 ** chance.randrange(2, 13))}" for start in starts]


def possible_by_phonenumbers(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return e164 if phonenumbers.is_possible_number(number) and len(e164) <= 16 else None


def test_international_numbers_are_those_that_phonenumbers_calls_possible():
    lines = [line for line in digits_after_plus(10_000) if not line.startswith("+00")]
    expected = [possible_by_phonenumbers(line) for line in lines]
    assert normalise(pl.Series(lines))["number"].to_list() == expected
    assert 2_000 < sum(number is not None for number in expected) < 8_000


def test_plainly_written_numbers_need_no_second_look(monkeypatch):
    looked_at = []
    monkeypatch.setattr(mass, "read_one", lambda text, _: looked_at.append(text) or (None, "looked at"))
    e164 = [phonenumbers.format_number(example, PhoneNumberFormat.E164) for example in EXAMPLES]
    plain = [
        *e164,
        *(f"00{each[1:]}" for each in e164),
        *(f"{each[:4]} ({each[4:6]}) {each[6:]}" for each in e164),
    ]
    normalise(pl.Series(plain))
    assert len(looked_at) < 0.02 * len(plain)


def test_no_reason_holds_the_value():
    chance = seeded(1)
    lines = pl.Series([mixed_line(chance) for _ in range(500)])
    given = normalise(lines)["reason"].drop_nulls().unique().to_list()
    fixed = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert len(given) > 3
    assert set(given) <= fixed


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (41798284651, 41),
        (12015550123, 1),
        (79123456789, 7),
        (77001234567, 7),
        (3545551234, 354),
        (99890123456, 998),
        (80012345678, 800),
        (99912345678, None),  # not assigned
        (123456, 1),
        (998901234567890, 998),
    ],
)
def test_calling_code_is_read_from_the_first_three_digits(key, code):
    keys = np.array([key, key])
    codes = calling_codes(keys, digit_counts(keys))
    assert (codes.dtype, codes.to_list()) == (pl.Int32, [code, code])
    assert digit_counts(keys).tolist() == [len(str(key))] * 2
