"""What an E.164 number is worth, by its first digits and by how many it has: a table of the metadata."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ekyc_tasks.phone.metadata import CALLING_CODES, MAX_DIGITS, Numbering, first_digits, numbering_of_code
from ekyc_tasks.phone.reasons import (
    INCOMPLETE,
    NATIONAL,
    NO_CODE,
    NO_DIGITS,
    NO_LENGTH,
    NOT_HERE,
    TOO_LONG,
    TOO_SHORT,
)

Validities = npt.NDArray[np.uint8]  # what becomes of a text: places in REASONS

REASONS = (None, None, NO_CODE, NO_LENGTH, TOO_SHORT, TOO_LONG, INCOMPLETE, NATIONAL, NO_DIGITS, NOT_HERE)
LOOK, POSSIBLE = 0, 1  # a closer look is needed · a number
PREFIX = 4  # digits: they hold the calling code and at least one digit of the national number
MORE = MAX_DIGITS + 1  # stands for all lengths above
_MEXICAN_MOBILE = slice(5210, 5220)  # may have a 1 too many, see `parse`


@cache
def validity_table() -> Validities:
    """What `_verdict_of_length` says of an E.164 number, at ``(MORE + 1) * its first digits + its length``:
    once for those that have to have their area code, then for the others. A closer look is needed wherever
    `phonenumbers` may take a national prefix out of the number."""
    table = np.full((2, 10**PREFIX, MORE + 1), REASONS.index(NO_CODE), dtype=np.uint8)
    table[:, : 10 ** (PREFIX - 1)] = LOOK
    for code in CALLING_CODES:
        numbering = numbering_of_code(code)
        width = 10 ** (PREFIX - 1 - len(numbering.code))
        cut = first_digits(numbering.trunk)
        for place, is_complete in enumerate((True, False)):
            lengths = [_verdict_of_length(numbering, digits, is_complete) for digits in range(MORE + 1)]
            for digit in "0123456789":
                start = int(numbering.code + digit) * width
                table[place, start : start + width] = LOOK if digit in cut else lengths
    table[:, _MEXICAN_MOBILE] = LOOK
    return table.reshape(-1)


def _verdict_of_length(numbering: Numbering, digits: int, is_complete: bool) -> int:
    """As `phonenumbers` sorts lengths; no number of E.164 has more than fifteen digits."""
    length = digits - len(numbering.code)
    if digits > MAX_DIGITS or length > max(numbering.lengths):
        return REASONS.index(TOO_LONG)
    if length in numbering.local_lengths:
        return REASONS.index(INCOMPLETE) if is_complete else POSSIBLE
    if length in numbering.lengths:
        return POSSIBLE
    return REASONS.index(TOO_SHORT if length < min(numbering.lengths) else NO_LENGTH)
