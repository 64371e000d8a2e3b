"""What `phonenumbers` knows of each country, as tables and patterns for reading millions of numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from ekyc_tasks.errors import ConfigurationError

MAX_DIGITS = 15  # of E.164; phonenumbers also knows a few longer service numbers
CALLING_CODES = tuple(COUNTRY_CODE_TO_REGION_CODE)


def check_region(default_region: str | None) -> None:
    if default_region is not None and default_region not in phonenumbers.SUPPORTED_REGIONS:
        message = "EKYC_DEFAULT_REGION is not a known region. Use two letters such as CH, or leave it out."
        raise ConfigurationError(message)


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a region, or all that share a calling code, write numbers. Patterns are regular expressions."""

    code: str
    lengths: tuple[int, ...]
    local_lengths: tuple[int, ...]  # enough inside an area only
    abroad: str  # what is dialled before a calling code
    trunk: str  # what is dialled before a national number
    plain_trunk: str  # what that is for most


_NEVER = "[^0-9+]"


@cache
def _numbering(region: str, code: int) -> Numbering:
    # All fields are declared optional; these are there in every region's metadata.
    metadata: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return Numbering(
        code=str(code),
        lengths=metadata.general_desc.possible_length,
        local_lengths=metadata.general_desc.possible_length_local_only,
        abroad=metadata.international_prefix or _NEVER,
        trunk=metadata.national_prefix_for_parsing or _NEVER,
        plain_trunk=metadata.national_prefix or "",
    )


def numbering_of_region(region: str) -> Numbering:
    return _numbering(region, phonenumbers.country_code_for_region(region))


def numbering_of_code(code: int) -> Numbering:
    """What `phonenumbers` judges all numbers of a calling code by, however many regions share it."""
    return _numbering(COUNTRY_CODE_TO_REGION_CODE[code][0], code)


def first_digits(pattern: str) -> set[str]:
    """The digits that a match of a metadata pattern may begin with, unless the match is empty."""
    found: set[str] = set()
    for branch in split_alternatives(pattern):
        rest = branch
        is_optional = True
        while rest and is_optional:
            atom, rest = first_atom(rest)
            if atom.startswith("("):
                found |= first_digits(atom[1:-1].removeprefix("?:"))
            else:
                found |= {digit for digit in "0123456789" if re.fullmatch(atom, digit)}
            is_optional = rest.startswith(("?", "*", "{0")) or bool(re.fullmatch(atom, ""))
            rest = re.sub(r"^(?:[?*+]|\{[0-9,]+\})", "", rest)
    return found


def split_alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern, those in its groups left alone."""
    branches, depth = [""], 0
    for sign in pattern:
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and not depth:
            branches.append("")
        else:
            branches[-1] += sign
    return branches


def first_atom(branch: str) -> tuple[str, str]:
    """A group, a class, an escape or a single sign, and what comes behind it."""
    depth = 0
    for end, sign in enumerate(branch, start=1):
        depth += (sign in "([") - (sign in ")]")
        if not depth and sign != "\\":
            return branch[:end], branch[end:]
    return branch, ""
