"""Texts straight into keys: as the rules for one text say, whatever way they take."""

from __future__ import annotations

import random
from collections import Counter

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneNumberFormat
from support.examples import share_of
from support.phone_lines import EXAMPLES, mixed_line, seeded
from support.phone_readings import Said, said_by, said_of

from ekyc_tasks.phone import BareDigits, Texts, cells, clean, read_cell, read_msisdns, reasons

REGIONS = ["AR", "BR", "BY", "CA", "CH", "CN", "CU", "DE", "FI", "FR", "GB", "HU", "IN", "IT", "JP", "KZ"]
REGIONS += ["MG", "MX", "RU", "SG", "US"]


def odd_line(chance: random.Random) -> str:
    """Digits of any length behind any beginning, and signs at random."""
    digits = "".join(chance.choices("0123456789", k=chance.randrange(40)))
    begin = chance.choice(("", "", "+", "00", "+00", "000", "0", " ", "( ", "-", "9" * 250))
    end = chance.choice(("", "", "", ".0", ".00", ".5", " ", ",0", " 12", " " * 240))
    noise = "".join(chance.choices("+0123456789 ().-/\t\x7fxn'\"a,٤＋é", k=chance.randrange(26)))
    return chance.choice((f"{begin}{digits}{end}", noise))


def national_line(chance: random.Random, region: str) -> str:
    """A number as people of a region write theirs, or nearly."""
    code = phonenumbers.country_code_for_region(region)
    number = chance.choice([example for example in EXAMPLES if example.country_code == code])
    text = phonenumbers.format_number(
        number,
        chance.choice((PhoneNumberFormat.NATIONAL, PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL)),
    )
    if chance.random() < 0.5:
        text = "".join(filter(str.isdigit, text))
    changed = chance.randrange(6)
    text = text[: len(text) - changed] + "".join(chance.choices("0123456789 /-.", k=changed))
    begins = ("", "", "", "0", "1", "8", "00", "06", "011", "810", "99", "119", "1. ", "12 ", "(0", "+")
    return chance.choice(begins) + text


@pytest.mark.parametrize("region", [None, *REGIONS])
def test_by_the_million_is_as_one_by_one(region):
    chance = seeded(f"keys {region}")
    count = share_of(3_000 if region is None else 400)
    lines = [line(chance) for line in (mixed_line, odd_line) for _ in range(count)]
    lines += [national_line(chance, region or "CH") for _ in range(count)]
    one_by_one = [read_cell(text, region) for text in clean(pl.Series(lines))]
    expected = [Said.of(readings) for readings in one_by_one]
    for texts in (pl.Series(lines), Texts.of_lines("".join(f"{line}\n" for line in lines).encode())):
        readings = read_msisdns(texts, default_region=region)
        said = said_by(readings)
        assert [
            (line, *pair) for line, *pair in zip(lines, said, expected, strict=True) if pair[0] != pair[1]
        ] == []
        assert readings.bare == tally(one_by_one)
    assert 0.1 < sum(bool(each.numbers) for each in expected) / len(lines) < 0.95


def tally(one_by_one) -> BareDigits:
    found = Counter()
    for reading in (each for readings in one_by_one for each in readings):
        if reading.reason in {reasons.NATIONAL, reasons.NOT_HERE}:
            found["neither"] += 1
        elif reading.is_bare:
            found["both" if reading.abroad else "national" if reading.is_national else "abroad"] += 1
    return BareDigits(**found)


def test_digits_too_many_for_a_number_are_not_cut():
    texts = ["00632225558559668", "0863222555855966863", "+4179828465112345678", "1" * 30, "00" + "1" * 30]
    said = said_of(texts)
    assert [each.numbers for each in said] == [["+632225558559668"], [], [], [], []]
    assert [each.reasons for each in said[1:]] == [[reasons.NATIONAL], *[[reasons.TOO_LONG]] * 3]


def test_numbers_that_are_integers_already():
    keys = read_msisdns(pl.Series([41798284651]).cast(pl.String)).keys
    assert keys.tolist() == [41798284651]


def test_plainly_written_numbers_need_no_second_look(monkeypatch):
    looked_at = []
    monkeypatch.setattr(
        cells, "read_one", lambda text, _: looked_at.append(text) or cells.Reading(reason="looked at")
    )
    e164 = [phonenumbers.format_number(example, PhoneNumberFormat.E164) for example in EXAMPLES]
    plain = [
        *e164,
        *(each[1:] for each in e164),
        *(f"00{each[1:]}" for each in e164),
        *(f"{each[:4]} ({each[4:6]}) {each[6:]}" for each in e164),
    ]
    read_msisdns(pl.Series(plain))
    assert len(looked_at) < 0.02 * len(plain)


@pytest.mark.parametrize("region", ["CH", "ES", "FR", "GB", "US", "IN"])
def test_nor_do_national_ones(monkeypatch, region):
    code = phonenumbers.country_code_for_region(region)
    examples = [each for each in EXAMPLES if each.country_code == code]
    plain = [phonenumbers.format_number(each, PhoneNumberFormat.NATIONAL) for each in examples] * 50
    looked_at = []
    monkeypatch.setattr(
        cells, "read_one", lambda text, _: looked_at.append(text) or cells.Reading(reason="looked at")
    )
    assert sum(bool(each.numbers) for each in said_of(plain, region)) > 0.9 * len(plain)
    assert looked_at == []
