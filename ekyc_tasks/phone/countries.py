"""What a cell of a column of countries says: a code of ISO 3166, a name or a calling code.

It is kept as a region (``CH``) or as a calling code (``+41``). Regions that share a calling code are as good
as each other: `phonenumbers` judges a number by all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from importlib.resources import files

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS

NOT_GIVEN, UNKNOWN, SEVERAL = "", "?", "!"  # in place of a country

_CALLING_CODES = frozenset(map(phonenumbers.country_code_for_region, SUPPORTED_REGIONS))
_LONGEST = 100  # characters of a cell that names a country
_USED_CODES = {"UK": "GB", "EL": "GR"}  # not of ISO 3166, but of the European Union
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_CALLING_CODE = re.compile(r"\(?(?:\+|00)? ?([1-9][0-9]{0,2})(?:\.0+)?\)?")
# Regions that share a code with a larger one are often listed with an area code: +1-876, 44-1481.
_WITH_AREA = re.compile(r"\(?(?:\+|00)? ?(?:(1)[ -]?\(?[2-9][0-9]{2}\)?|(44)[ -]1(?:481|534|624))\)?")
_AROUND_CODE = re.compile(r"([^0-9]+?) *[(\[]?(\+[0-9][0-9 -]*)[)\]]?|(\+[0-9][0-9-]*) ([^0-9]+)")
# What stands between a name and a code: Germany (+49), +49 DE, CH - Switzerland
_BETWEEN = re.compile(r"[()\[\]/|:;,]| [-–—] |\s(?=\+)|(?<=[0-9])\s+(?=[^\W0-9])|(?<=[^\W0-9])\s+(?=[0-9])")


@lru_cache(maxsize=1 << 14)
def country_of(text: str) -> str:
    """The country that a cell names, or `SEVERAL`, `UNKNOWN`; `NOT_GIVEN` without a letter or a digit."""
    plain = _tidy(text[: _LONGEST + 1])
    if not _has_sign(plain):
        return NOT_GIVEN
    if len(plain) > _LONGEST:
        return UNKNOWN
    if whole := _country_of_whole(plain):
        return whole
    parts = [_country_of_whole(part) or UNKNOWN for part in _split(plain)]
    return UNKNOWN if UNKNOWN in parts else agree(parts)


def agree(countries: Collection[str]) -> str:
    """What several cells of one row say together, a calling code before a region. Empty ones say nothing, and
    so does an unknown one beside one that is known."""
    given = [country for country in countries if country not in {NOT_GIVEN, UNKNOWN}]
    if not given:
        return UNKNOWN if UNKNOWN in countries else NOT_GIVEN
    if SEVERAL in given or len(set(map(_calling_code_of, given))) > 1:
        return SEVERAL
    return min(given)  # a plus sorts before all letters


def main_region(country: str) -> str:
    """The region that tells how numbers of this country are written."""
    return COUNTRY_CODE_TO_REGION_CODE[int(country)][0] if is_calling_code(country) else country


def is_calling_code(country: str) -> bool:
    return country.startswith("+")


def _calling_code_of(country: str) -> int:
    return phonenumbers.country_code_for_region(main_region(country))


def _split(text: str) -> list[str]:
    """A name may have parentheses or dashes of its own."""
    if around := _AROUND_CODE.fullmatch(text):
        return [part for part in around.groups() if part]
    return [part.strip() for part in _BETWEEN.split(text) if _has_sign(part)]


def _tidy(text: str) -> str:
    flagged = _FLAG.sub(lambda flag: f"({''.join(chr(ord(each) - 0x1F1A5) for each in flag[0])})", text)
    plain = unicodedata.normalize("NFKC", flagged)
    return "".join(_tidy_character(each) for each in plain).strip()


def _tidy_character(character: str) -> str:
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.digit(character))
        case "Cf":
            return ""
    return character


def _has_sign(text: str) -> bool:
    return any(map(str.isalnum, text))


def _country_of_whole(text: str) -> str | None:
    if found := _CALLING_CODE.fullmatch(text) or _WITH_AREA.fullmatch(text):
        code = next(filter(None, found.groups()))
        return f"+{code}" if int(code) in _CALLING_CODES else None
    text = re.sub(r"^[(\[](.*)[)\]]$", r"\1", text)
    named = _names().get(_fold(text))
    coded = _codes().get(text.upper()) if text.isascii() else None
    if text.isupper():
        return coded or named
    if text.islower() and named and coded and named != coded:
        return None
    return named or (coded if text.islower() else None)  # Nga is Vietnamese for Russia, NGA is Nigeria


@cache
def _codes() -> dict[str, str]:
    two = {region: region for region in SUPPORTED_REGIONS}
    return {**two, **_USED_CODES, **{three: region for region, three, _ in _rows()}}


@cache
def _names() -> dict[str, str]:
    """Regions by the folded names that are of one calling code; without what is in parentheses, too."""
    found: dict[str, list[str]] = {}
    short: dict[str, list[str]] = {}
    for region, _, names in _rows():
        for name in names:
            found.setdefault(_fold(name), []).append(region)
            short.setdefault(_fold(re.sub(r" ?[(（].*[)）]$", "", name)), []).append(region)
    return {
        name: regions[0]
        for name, regions in {**short, **found}.items()
        if len(set(map(_calling_code_of, regions))) == 1
    }


def _rows() -> Iterator[tuple[str, str, list[str]]]:
    text = files(__package__).joinpath("country_names.txt").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        region, three, names = line.split(" ", 2)
        yield region, three, names.split("|")


def _fold(name: str) -> str:
    """Letters and digits alone, without accents; `The`, `St.` and `&` as people write them or not."""
    words = name.casefold().replace("&", " and ").replace("ı", "i").replace("đ", "d")
    words = re.sub(r"\bst\b", "saint", re.sub(r"^the\b|\(the\)$|, the$", "", words))
    return "".join(filter(_is_part_of_word, unicodedata.normalize("NFKD", words)))


def _is_part_of_word(character: str) -> bool:
    """Vowels of Indic scripts are marks as well."""
    return unicodedata.category(character)[0] in "LMN" and not "\u0300" <= character <= "\u036f"
