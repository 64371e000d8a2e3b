"""All numbers that a text may mean, for a list of numbers that must never be sent.

The opposite of `parse`, which takes one reading or none: here each reading counts, for a number too many on
such a list costs nothing, and one too few is somebody who asked not to be checked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from ekyc_tasks.phone.metadata import MAX_DIGITS, numbering_of_region

_FEWEST_DIGITS = 4  # of a number
_USUAL_DIGITS = 7  # beside other digits, fewer are a part of a number, an ordinal, an extension
_POSSIBLE = {ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY}

_SEPARATOR = re.compile(r"[;,|/\n\r]|:::")
_EXTENSION = re.compile(r"(?i);?\s*(?:ext(?:ension)?|x|#|dw)[.:=\s]*\d{1,7}\s*$")
_ORDINAL = re.compile(r"^\s*[(#]?\d{1,6}[.):]\s+(?=[+(\d])")
_DEVICE = re.compile(r":\d+(?=@)")
_CONTEXT = re.compile(r"^(.*);phone-context=(\+\d+)")
_SCIENTIFIC = re.compile(r"(?<![\d.,])\+?([1-9])[.,](\d+)[eE]\+?(\d{1,2})(?!\d)")
_FLOAT = re.compile(r"^(\D*\d{7,})[.,]0+(\D*)$")
_WORD = re.compile(r"[^\W\d_][^+\d(]*")  # and what follows it, up to the next number
_ABROAD = ("", "00", "011", "0")  # what may stand before a calling code

# Numbers that the world writes in two ways, for one and the same phone.
_TWINS = (
    (re.compile(r"52(?:1)?(\d{10})"), ("52{}", "521{}")),  # WhatsApp keeps Mexico's old 1
    (re.compile(r"54(?:9)?(\d{10})"), ("54{}", "549{}")),  # Argentina's 9 for mobile phones
    (re.compile(r"(55\d\d)9?([6-9]\d{7})"), ("{}{}", "{}9{}")),  # Brazil's ninth digit
)


def possible_readings(text: str, default_region: str | None = None) -> frozenset[int]:
    """The keys of all numbers that ``text`` may mean; none: it cannot be read, or a part of it cannot."""
    plain = _unify(text)
    if context := _CONTEXT.match(plain):
        plain = context[2] + "".join(filter(str.isdigit, context[1]))
    if not _SEPARATOR.search(plain):
        written = _read_part(plain, default_region)
    else:
        whole = _read_joined(plain, default_region)  # what looks like several parts may be one number
        parts = [_read_part(part, default_region) for part in _split(plain)]
        if not whole and not all(parts):
            return frozenset()
        firsts = [plain[: found.start()] for found in _SEPARATOR.finditer(plain)]
        joined = [_read_joined(first, default_region) for first in firsts]
        written = set().union(whole, *parts, *joined, *_read_tails(plain, default_region))
    if not re.search("[A-Za-z]{2}", plain):  # letters that are no word are no reason to doubt it
        written = written.union(_judge(plain, default_region), _judge(f"+{plain}", None))
    return frozenset(int(twin) for digits in written for twin in list_twins(digits))


def _unify(text: str) -> str:
    """Digits of all scripts and signs of all widths in ASCII; what cannot be seen is gone."""
    if text.isascii():
        return text
    return "".join(map(_unify_character, unicodedata.normalize("NFKC", text)))


def _unify_character(character: str) -> str:
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.digit(character))
        case "Cf":
            return ""
        case "Zs":
            return " "
    return character


def _count_digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _split(text: str) -> list[str]:
    """The parts that are long enough for a number of their own."""
    return [part for part in _SEPARATOR.split(text) if _count_digits(part) >= _USUAL_DIGITS]


def _read_tails(text: str, region: str | None) -> Iterator[set[str]]:
    """`415-555-2671/2672` is two numbers: a short part stands for the end of the number before it."""
    before: set[str] = set()
    for part in _SEPARATOR.split(text):
        tail = "".join(filter(str.isdigit, part))
        if len(tail) >= _USUAL_DIGITS:
            before = _read_part(part, region)
        elif tail:
            yield {number[: -len(tail)] + tail for number in before}


def _read_part(text: str, region: str | None) -> set[str]:
    """The readings of a text between separators; none where a part of it that may be a number has none."""
    text = _DEVICE.sub("", text)
    if _SCIENTIFIC.search(text):
        text = _SCIENTIFIC.sub(_undo_exponent, text)
    text = _FLOAT.sub(r"\1\2", text)
    found: set[str] = set()
    for written in {text, _EXTENSION.sub("", text), _ORDINAL.sub("", text)}:
        readings = [_read_run(run, region) for run in _runs(written)]
        if all(readings):
            found = found.union(*readings)
    return found | _dial_letters(text, region)


def _undo_exponent(match: re.Match[str]) -> str:
    """The whole digits, or nothing where some of them are lost."""
    first, rest, power = match[1], match[2], int(match[3])
    is_whole = len(rest) >= power and not rest[power:].strip("0")
    return first + rest[:power] if is_whole else ""


def _runs(text: str) -> list[str]:
    """What stands between words, each ``+`` the beginning of another."""
    runs = [run for piece in _WORD.split(text) for run in re.split(r"(?=\+)", piece)]
    return [run for run in runs if _count_digits(run) >= _USUAL_DIGITS] or [max(runs, key=_count_digits)]


def _read_joined(text: str, region: str | None) -> frozenset[str]:
    digits = "".join(filter(str.isdigit, text))
    return _read_digits(digits, region, has_plus=text.lstrip().startswith("+"))


def _read_run(run: str, region: str | None) -> set[str]:
    """All digits together, with or without `(0)`; else as many of the first groups as are a number."""
    has_plus = run.lstrip().startswith("+")
    found: set[str] = set()
    for written in {run, run.replace("(0)", "")}:
        found |= _read_joined(written, region)
    groups, rest = re.findall(r"\d+", run), ""
    while not found and len(groups) > 1:
        rest = groups.pop() + rest
        found |= _read_digits("".join(groups), region, has_plus=has_plus)
    if not found or len(rest) < _USUAL_DIGITS:
        return found
    others = _read_digits(rest, region, has_plus=False)  # so many may be a number of their own
    return found | others if others else set()


@lru_cache(maxsize=256)  # one text comes to the same digits in several ways
def _read_digits(digits: str, region: str | None, *, has_plus: bool) -> frozenset[str]:
    if not _FEWEST_DIGITS <= len(digits) <= MAX_DIGITS + len(max(_ABROAD, key=len)):
        return frozenset()
    abroad = {digits.removeprefix(prefix) for prefix in _ABROAD if digits.startswith(prefix)}
    twins = {twin for each in abroad for twin in list_twins(each)}
    found = {number for each in twins for number in _judge(f"+{each}", None)}
    if region is not None and not has_plus:
        numbering = numbering_of_region(region)
        rests = {digits, digits.removeprefix(numbering.plain_trunk), digits.lstrip("0")}
        found |= set(_judge(digits, region))
        found |= {number for rest in rests for number in _judge(f"+{numbering.code}{rest}", None)}
    return frozenset(found)


def _judge(text: str, region: str | None) -> Iterator[str]:
    """The digits of the number, if there can be one of this length."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    if phonenumbers.is_possible_number_with_reason(number) in _POSSIBLE and len(e164) <= MAX_DIGITS:
        yield e164


def _dial_letters(text: str, region: str | None) -> frozenset[str]:
    """`1-800-FLOWERS`, as the keys of a phone spell it."""
    if not re.search(r"\d[ \-]?[A-Za-z]{3}", text):
        return frozenset()
    return _read_joined(phonenumbers.convert_alpha_characters_in_number(text), region)


def list_twins(digits: str) -> Iterator[str]:
    """These digits of an E.164 number, and those that the same phone has in the other way of writing."""
    yield digits
    for shape, forms in _TWINS:
        if found := shape.fullmatch(digits):
            yield from (form.format(*found.groups()) for form in forms)
