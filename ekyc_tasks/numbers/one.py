"""One text, read by the rules of this package and by `phonenumbers` itself."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from ekyc_tasks.numbers.metadata import MAX_DIGITS, numbering_of_region
from ekyc_tasks.numbers.reasons import (
    COMMENT,
    FRACTION,
    INCOMPLETE,
    NATIONAL,
    NO_CODE,
    NO_DIGITS,
    NO_LENGTH,
    NOT_A_NUMBER,
    ROUNDED,
    SEVERAL,
    TOO_LONG,
    TOO_SHORT,
)

MAX_CHARACTERS = 250  # what phonenumbers is ready to read

Reading = tuple[str | None, str | None]  # a number and no reason, or no number and the reason

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
BROKEN_FLOAT = r"^[0-9]{8,}[.,][0-9]+$"
PUNCTUATION = r"[ ()./\-]"
_BARE = re.compile(rf"(?i:(?:{PUNCTUATION}*[0-9])+{PUNCTUATION}*(?:(?:ext|x|#)[.: ]*[0-9]{{1,7}})?)")
_SCIENTIFIC = re.compile(r"\+?([1-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_DOUBLE_ZERO = re.compile(rf"^\+*{PUNCTUATION}*0{PUNCTUATION}*0")


def read_one(text: str, default_region: str | None = None) -> Reading:
    """Read one tidied text (see `tidied`) by the rules at the top of this module."""
    if scientific := _SCIENTIFIC.fullmatch(text):
        text = _unrounded(*scientific.groups(default=""))
        if not text:
            return None, ROUNDED
    if ";phone-context=" in text:  # RFC 3966 writes the calling code last
        return _judged(text, default_region)
    if flaw := _flaw(text):
        return None, flaw
    written = text[text.index(next(filter("+0123456789".__contains__, text))) :]
    digits = re.sub(PUNCTUATION, "", written).lstrip("+")
    if re.match("00[1-9]", digits):
        return _judged(_DOUBLE_ZERO.sub("+", written), None)
    if written.startswith("+"):
        return _judged(written, None)
    return _read_bare(text, digits, default_region)


def _unrounded(first: str, rest: str, exponent: str) -> str:
    """The digits of a number in scientific notation, or nothing when some of them are gone."""
    power = int(exponent)
    is_whole = len(rest) >= power and not rest[power:].strip("0")
    return first + rest[:power] if is_whole else ""


def _flaw(text: str) -> str | None:
    """Why a text should not even be parsed: `phonenumbers` would find a number in many of these."""
    for reason, is_flawed in (
        (NO_DIGITS, not re.search("[0-9]", text)),
        (COMMENT, text.startswith(("#", "//"))),
        (TOO_LONG, len(text) > MAX_CHARACTERS),
        (SEVERAL, re.search(r"\+.*[0-9].*\+", text)),
        (FRACTION, re.search(BROKEN_FLOAT, text)),
    ):
        if is_flawed:
            return reason
    return None


def _judged(text: str, region: str | None, *, has_to_be_complete: bool = False) -> Reading:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as trouble:
        return None, _REASON_OF_PARSING[trouble.error_type]
    length = phonenumbers.is_possible_number_with_reason(number)
    is_local = length == ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    if length != ValidationResult.IS_POSSIBLE and (has_to_be_complete or not is_local):
        return None, _REASON_OF_LENGTH[length]
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return (e164, None) if len(e164) <= MAX_DIGITS + 1 else (None, TOO_LONG)


def _read_bare(text: str, digits: str, default_region: str | None) -> Reading:
    """Digits with neither ``+`` nor ``00`` in front."""
    starts_abroad = bool(_BARE.fullmatch(text)) and not digits.startswith("0")
    abroad = _judged(f"+{text}", None, has_to_be_complete=True) if starts_abroad else (None, NOT_A_NUMBER)
    if default_region is None:
        return (None, NATIONAL) if digits.startswith("0") else abroad
    national = _judged(text, default_region, has_to_be_complete=True)
    if abroad[0] is None or (national[0] and _fits(national[0], default_region)):
        return national
    return abroad if national[0] is None or _is_valid(abroad[0]) else national


def _is_valid(e164: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(e164, None))


def _fits(e164: str, region: str) -> bool:
    """Whether a national reading has the shape of the region's numbers (or left the region by its prefix)."""
    numbering = numbering_of_region(region)
    begins_here = e164.startswith(f"+{numbering.code}")
    return not begins_here or bool(re.fullmatch(numbering.shape, e164[len(numbering.code) + 1 :]))
