"""Validity by the million, against what `phonenumbers` says of each number."""

from __future__ import annotations

import numpy as np
import phonenumbers
from support.examples import share_of
from support.phone_lines import EXAMPLES, seeded

from ekyc_tasks.phone.numbering_plans import are_valid


def keys_of_all_kinds(count: int) -> list[int]:
    """Numbers of all countries and kinds with wrong digits at their end, and digits at random."""
    chance = seeded(count)
    codes = list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    found = []
    for _ in range(count):
        example = chance.choice(EXAMPLES)
        digits = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
        changed = chance.randrange(8)
        digits = digits[: len(digits) - changed] + "".join(chance.choices("0123456789", k=changed))
        drawn = f"{chance.choice(codes)}{chance.randrange(10 ** chance.randrange(3, 13))}"
        found += [int(digits + chance.choice(("", "", "", "5"))), int(drawn)]
    return [key for key in found if key < 10**18]


def is_valid(key: int) -> bool:
    """The digits as they are: parsing might take a trunk prefix out."""
    digits = str(key)
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    code = next((digits[:size] for size in (1, 2, 3) if int(digits[:size]) in codes), None)
    national = digits[len(code or "") :]
    if code is None or not national or len(digits) > 15:
        return False
    zeros = len(national) - len(national.lstrip("0"))
    number = phonenumbers.PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=bool(zeros) or None,
        number_of_leading_zeros=zeros or None,
    )
    return phonenumbers.is_valid_number(number)


def test_valid_is_what_phonenumbers_calls_valid():
    keys = keys_of_all_kinds(share_of(10_000))
    found = are_valid(np.array(keys, dtype=np.int64)).tolist()
    differ = [(key, said) for key, said in zip(keys, found, strict=True) if said != is_valid(key)]
    assert differ == []
    assert 0.2 < sum(found) / len(found) < 0.8


def test_it_does_not_matter_what_was_asked_before():
    keys = np.array(keys_of_all_kinds(200), dtype=np.int64)
    one_by_one = [bool(are_valid(keys[place : place + 1])[0]) for place in range(len(keys))]
    assert one_by_one == are_valid(keys).tolist()


def test_no_number_is_none():
    assert are_valid(np.empty(0, dtype=np.int64)).tolist() == []
    assert are_valid(np.array([0, 1, 41, 10**15, 10**17])).tolist() == [False] * 5
