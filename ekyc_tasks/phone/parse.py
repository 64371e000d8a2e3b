"""One text that holds at most one number, read by the law of digits (see the package).

Everything here is plain Python and `phonenumbers` itself. `read` does the same by the million with tables,
and tests compare the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from ekyc_tasks.phone.metadata import CALLING_CODES, MAX_DIGITS, Numbering, numbering_of_region
from ekyc_tasks.phone.reasons import (
    AND_MORE,
    DATE,
    FRACTION,
    INCOMPLETE,
    MOVED,
    NATIONAL,
    NO_CODE,
    NO_DIGITS,
    NO_LENGTH,
    NOT_A_NUMBER,
    NOT_HERE,
    ROUNDED,
    SEVERAL,
    TOO_LONG,
    TOO_SHORT,
    TWO_WAYS,
)

MAX_CHARACTERS = 250  # what phonenumbers is ready to read


@dataclass(frozen=True, slots=True)
class Reading:
    """A ``number`` (E.164 with its ``+``), or the ``reason`` why there is none.

    ``is_bare``: it has neither ``+`` nor ``00``, and is a number of the default region (``is_national``) or
    one abroad; where it is both, ``abroad`` is the other. Most of the column has to agree.
    """

    number: str | None = None
    reason: str | None = None
    is_bare: bool = False
    is_national: bool = False
    abroad: str | None = None


_REASON_OF_LENGTH = {
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: INCOMPLETE,
    ValidationResult.INVALID_COUNTRY_CODE: NO_CODE,
    ValidationResult.INVALID_LENGTH: NO_LENGTH,
    ValidationResult.TOO_LONG: TOO_LONG,
    ValidationResult.TOO_SHORT: TOO_SHORT,
}
_REASON_OF_PARSING = {
    NumberParseException.INVALID_COUNTRY_CODE: NO_CODE,
    NumberParseException.NOT_A_NUMBER: NOT_A_NUMBER,
    NumberParseException.TOO_LONG: TOO_LONG,
    NumberParseException.TOO_SHORT_AFTER_IDD: TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: TOO_SHORT,
}

# Read by two engines, Python's and that of polars: no look-arounds, no classes that differ.
PUNCTUATION = r"[ ()./\-]"
BROKEN_FLOAT = r"^[0-9]{8,}[.,][0-9]+$"
DATES = (
    r"^ *(?:(?:19|20)[0-9]{2}[ ./-]+[0-9]{1,2}[ ./-]+[0-9]{1,2}"
    r"|[0-9]{1,2}[ ./-]+[0-9]{1,2}[ ./-]+(?:(?:19|20)[0-9]{2}|[0-9]{2})) *$"
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
QUADS = rf"^ *{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET} *$"
UNBALANCED = r"^[^(]*\)|\([^)]*$|\([^)]*\(|\)[^(]*\)"  # parentheses
ORDINAL = r"^ *[0-9]{1,4}(?: *\)|\. )[ .(]*[0-9]"  # 1. or 2) and what it numbers
FEWEST_ALONE = 9  # digits of a group that may be a number by itself; with a trunk prefix in front:
FEWEST_WITH_TRUNK = 7
_EXTENSION = re.compile(
    r"(?i)(?:;ext=|[,;]? *(?:\b|(?<=[0-9)]))"
    r"(?:ext(?:ension|n)?\.?|x|#|доб\.?|anexo|durchwahl|dw\.?|poste|int\.)[:. ]*)[0-9]{1,7}$"
)
_CONTEXT = re.compile(r"(?i)^([0-9() .\-]+);phone-context=\+([0-9]{1,4})(?:;.*)?$")
_SCIENTIFIC = re.compile(r"\+?([1-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_THOUSANDS = re.compile(r"\+?[0-9]{1,3}(?:([,.'’ _])[0-9]{3})(?:\1[0-9]{3}){2,}")
_MEXICO = re.compile(r"^521([0-9]{10})$")  # WhatsApp keeps the 1 that Mexico gave up in 2019


def read_one(text: str, region: str | None = None) -> Reading:
    """Read one tidied text (see `clean`) without words in it."""
    if scientific := _SCIENTIFIC.fullmatch(text):
        text = _undo_rounding(*scientific.groups(default=""))
        if not text:
            return Reading(reason=ROUNDED)
    if context := _CONTEXT.match(text):  # RFC 3966 writes the calling code last
        return _read_international(context[2] + _digits(context[1]))
    text = _EXTENSION.sub("", text).rstrip()
    if _THOUSANDS.fullmatch(text) and not re.search(QUADS, text):
        text = re.sub("[^0-9+]", "", text)
    if flaw := _flaw(text):
        return Reading(reason=flaw)
    digits = _digits(text)
    if re.match("00[1-9]", digits):
        return _read_international(digits[2:])
    if "+" in text:
        return _read_international(digits)
    return _read_bare(text, digits, region)


def is_valid(digits: str) -> bool:
    """Whether these digits, just as they are, are a number that its country has given out."""
    code = _calling_code_of(digits)
    national = digits[len(code or "") :]
    if code is None or not national or len(digits) > MAX_DIGITS:
        return False
    number = phonenumbers.PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=national.startswith("0") or None,
        number_of_leading_zeros=len(national) - len(national.lstrip("0")) or None,
    )
    return phonenumbers.is_valid_number(number)


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text)


def _undo_rounding(first: str, rest: str, exponent: str) -> str:
    """The digits of a number in scientific notation, or nothing when some of them are gone."""
    power = int(exponent)
    is_whole = len(rest) >= power and not rest[power:].strip("0")
    return first + rest[:power] if is_whole else ""


def _flaw(text: str) -> str | None:
    """Why a text should not even be parsed: `phonenumbers` would find a number in many of these."""
    for reason, is_flawed in (
        (NO_DIGITS, not re.search("[0-9]", text)),
        (TOO_LONG, len(text) > MAX_CHARACTERS),
        (SEVERAL, re.search(r"\+.*[0-9].*\+", text)),
        (NOT_A_NUMBER, re.search(r"[0-9].*\+", text)),
        (FRACTION, re.search(BROKEN_FLOAT, text)),
        (NOT_A_NUMBER, not re.fullmatch(r"[ (]*\+?[ (]*[0-9][0-9 ()./\-]*", text)),
    ):
        if is_flawed:
            return reason
    return None


# --- with a calling code ----------------------------------------------------------------------------------


def _read_international(digits: str) -> Reading:
    """By all the digits of a text, behind ``+`` or ``00``."""
    digits = digits.removeprefix("00")  # +0041…
    if mexican := _MEXICO.match(digits):
        return Reading(number=f"+52{mexican[1]}")
    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except NumberParseException as trouble:
        return Reading(reason=_REASON_OF_PARSING[trouble.error_type])
    length = phonenumbers.is_possible_number_with_reason(number)
    if length not in {ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY}:
        return Reading(reason=_REASON_OF_LENGTH[length])
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if len(e164) > MAX_DIGITS + 1:
        return Reading(reason=TOO_LONG)
    is_kept = _is_kept(e164[1:], digits, str(number.country_code))
    return Reading(number=e164) if is_kept else Reading(reason=MOVED)


def _is_kept(e164: str, digits: str, code: str) -> bool:
    """Whether no digit was left out but a trunk zero behind the calling code."""
    return digits in (e164, f"{code}0{e164[len(code) :]}")


# --- without ----------------------------------------------------------------------------------------------


def _read_bare(text: str, digits: str, region: str | None) -> Reading:
    """Digits with neither ``+`` nor ``00`` in front: they are a number only where that is valid."""
    if re.search(DATES, text) or re.search(QUADS, text):
        return Reading(reason=DATE)
    if re.search(UNBALANCED, text) or _is_list_item(text, region):
        return Reading(reason=AND_MORE)
    abroad = f"+{digits}" if _may_be_abroad(text) and is_valid(digits) else None
    if region is None:
        return Reading(number=abroad, is_bare=True) if abroad else Reading(reason=_why_not(digits))
    national = national_readings(digits, numbering_of_region(region))
    if len(national) > 1:
        return Reading(reason=TWO_WAYS)
    if not national:
        return Reading(number=abroad, is_bare=True) if abroad else _read_dialled(digits, region)
    other = abroad if abroad != national[0] else None
    return Reading(number=national[0], is_bare=True, is_national=True, abroad=other)


def _may_be_abroad(text: str) -> bool:
    """Parentheses and slashes are signs of a national number."""
    return not re.search("[(/]", text)


def _calling_code_of(digits: str) -> str | None:
    return next((digits[:size] for size in (1, 2, 3) if digits[:size] in _calling_codes()), None)


@cache
def _calling_codes() -> frozenset[str]:
    return frozenset(map(str, CALLING_CODES))


def _is_list_item(text: str, region: str | None) -> bool:
    """Whether one of several groups is a number by itself: then the others are something else."""
    groups = re.findall("[0-9]+", text)
    if len(groups) == 1:
        return False
    if re.search(ORDINAL, text) and _is_alone("".join(groups[1:]), region, 1):
        return True
    return any(_is_alone(group, region, FEWEST_ALONE) for group in groups)


def _is_alone(digits: str, region: str | None, fewest: int) -> bool:
    if len(digits) >= fewest and is_valid(digits):
        return True
    numbering = None if region is None else numbering_of_region(region)
    if numbering is None or len(digits) < min(fewest, FEWEST_WITH_TRUNK):
        return False
    has_trunk = bool(numbering.plain_trunk) and digits.startswith(numbering.plain_trunk)
    return (has_trunk or fewest == 1) and bool(national_readings(digits, numbering))


def national_readings(digits: str, numbering: Numbering) -> list[str]:
    """The valid numbers of a region that these digits are, with or without its trunk prefix."""
    found = [digits]
    if numbering.plain_trunk and digits.startswith(numbering.plain_trunk):
        found.append(digits[len(numbering.plain_trunk) :])
    return [f"+{numbering.code}{each}" for each in found if is_valid(f"{numbering.code}{each}")]


def _read_dialled(digits: str, region: str) -> Reading:
    """A number abroad behind what is dialled for that, such as 011 in the US; else why there is none."""
    found = re.match(numbering_of_region(region).abroad, digits)
    rest = digits[found.end() :] if found else ""
    if is_valid(rest):
        return Reading(number=f"+{rest}")
    return Reading(reason=NOT_HERE)


def _why_not(digits: str) -> str:
    """Why digits are no number without a region."""
    if digits.startswith("0"):
        return NATIONAL
    if _calling_code_of(digits) is None:
        return NO_CODE
    try:
        length = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(f"+{digits}", None))
    except NumberParseException as trouble:
        return _REASON_OF_PARSING[trouble.error_type]
    if length == ValidationResult.IS_POSSIBLE:
        return NATIONAL if len(digits) <= MAX_DIGITS else TOO_LONG
    return _REASON_OF_LENGTH[length]
