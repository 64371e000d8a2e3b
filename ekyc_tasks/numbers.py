"""Phone numbers: what people write, made E.164, and what an E.164 number says about itself.

The rules, which `read_one` spells out for a single text:

* ``+`` or ``00`` in front: international, and accepted when `phonenumbers` calls it possible (its
  length fits the country) and it has no more than the 15 digits of E.164.
* Digits without either are commonly E.164 that lost its plus. Without a default region that is how
  they are read. With one, the national reading is tried first, as `phonenumbers` does it; the
  international one takes over when the national one does not fit the country's number pattern and
  the international one is a valid number, or the only possible one. Either way they have to be
  complete: a length that works inside an area only, which `phonenumbers` lets pass, is rejected.
* What a spreadsheet damaged is mended where every digit survived (``41798284651.0``,
  ``4.1798284651E+10``) and rejected where not: a guess would be paid for.

`normalise` gives the same answers by the million. Expressions built from the metadata of
`phonenumbers` settle what is written plainly; only the rest goes through `read_one`.

A *key* is an E.164 number without its ``+``, as an integer: `read_keys` reads most texts straight into
keys, by tables of the same metadata, and leaves the others to `normalise`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl
from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
    ValidationResult,
)

from ekyc_tasks.errors import ConfigurationError

MAX_DIGITS = 15  # of E.164; phonenumbers also knows a few longer service numbers
MAX_CHARACTERS = 250  # what phonenumbers is ready to read
BLOCK_ROWS = 1_000_000  # bounds what the expressions hold besides the result

COMMENT = "commented out"
FRACTION = "a fraction, not a phone number"
INCOMPLETE = "area code is missing"
NATIONAL = "national number and no default region"
NO_CODE = "no such calling code"
NO_DIGITS = "no digits"
NO_LENGTH = "no number of this country has this length"
NOT_A_NUMBER = "not a phone number"
ROUNDED = "spreadsheet rounding lost digits"
SEVERAL = "more than one number"
TOO_LONG = "too long"
TOO_SHORT = "too short"

Keys = npt.NDArray[np.int64]
NO_KEY = 0  # in place of a number that was rejected

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
_WRAPPING = "[ '\"=`\u2018\u2019\u201c\u201d]+"
_LABEL = r"(?i)^(?:(?:tel|phone|mobile|cell|sms|callto|whatsapp)[.:= ]+/*|(?:https?://)?wa\.me/)"
_WHATSAPP_ID = r"@(?:s\.whatsapp\.net|c\.us)$"
_WHOLE_FLOAT = r"^(\+?[0-9]{7,15})[.,]0{1,6}$"
_BROKEN_FLOAT = r"^[0-9]{8,}[.,][0-9]+$"
_PLAIN_ASCII = {"\t": " ", "\x7f": ""}
_PUNCTUATION = r"[ ()./\-]"
_PLAIN = r"^[ (]*\+?[ (]*[0-9][0-9 ()./\-]*$"
_E164 = rf"^\+[1-9][0-9]{{2,{MAX_DIGITS - 1}}}$"
_BARE = re.compile(rf"(?i:(?:{_PUNCTUATION}*[0-9])+{_PUNCTUATION}*(?:(?:ext|x|#)[.: ]*[0-9]{{1,7}})?)")
_SCIENTIFIC = re.compile(r"\+?([1-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_DOUBLE_ZERO = re.compile(rf"^\+*{_PUNCTUATION}*0{_PUNCTUATION}*0")


def normalise(text: pl.Series, *, default_region: str | None = None) -> pl.DataFrame:
    """Read one number from each text: same length, same order.

    Columns: ``number`` (String, E.164 with its ``+``, null when rejected) and ``reason`` (String, a
    short fixed sentence that never holds the value, null when the number is fine).

    Raises ConfigurationError when ``default_region`` is no region.
    """
    _check_region(default_region)
    texts = text.cast(pl.String)
    starts = range(0, max(1, len(texts)), BLOCK_ROWS)
    return pl.concat([_normalise_block(texts.slice(start, BLOCK_ROWS), default_region) for start in starts])


def read_keys(text: pl.Series, *, default_region: str | None = None) -> tuple[Keys, pl.DataFrame]:
    """The key of each text (`NO_KEY` when rejected), and ``index, reason`` of the rejected ones.

    The same numbers and reasons as `normalise`. Raises ConfigurationError when ``default_region`` is no
    region.
    """
    _check_region(default_region)
    has_region = default_region is not None
    keys, verdicts = _judged_plainly(text, has_region=has_region)
    left = np.flatnonzero(verdicts == _LOOK)
    rest = tidied(text.gather(left))
    keys[left], verdicts[left] = _judged_in_digits(rest, has_region=has_region)
    unsettled = np.flatnonzero(verdicts[left] == _LOOK)
    readings = normalise(rest.gather(unsettled), default_region=default_region)
    found = readings["number"].str.strip_prefix("+").cast(pl.Int64).fill_null(NO_KEY)
    keys[left[unsettled]] = found.to_numpy()
    return keys, _reasons(verdicts, left[unsettled], readings["reason"])


def _reasons(verdicts: Verdicts, places: npt.NDArray[np.intp], given: pl.Series) -> pl.DataFrame:
    """``index, reason`` of the rejected, by verdict or by the reasons that were given at some places."""
    judged = np.flatnonzero(verdicts > _POSSIBLE)
    by_verdict = pl.DataFrame({"index": judged, "reason": pl.Series(_REASONS).gather(verdicts[judged])})
    by_reading = pl.DataFrame({"index": places, "reason": given}).drop_nulls()
    return pl.concat([by_verdict, by_reading]).sort("index")


def calling_code(number: pl.Expr) -> pl.Expr:
    """The calling code (Int32) of E.164 strings that carry their ``+``; null when there is none."""
    start = number.str.slice(1, 3).cast(pl.Int32, strict=False).clip(0, 999)
    code = pl.lit(_codes_by_three_digits()).gather(start)
    return pl.when(number.str.starts_with("+")).then(code)


def digit_counts(keys: Keys) -> npt.NDArray[np.intp]:
    """How many digits each number has, given as an integer."""
    return np.searchsorted(_POWERS, keys, side="right")


def calling_codes(keys: Keys, digits: npt.NDArray[np.intp]) -> pl.Series:
    """The calling codes (Int32) of E.164 numbers, given as integers of so many digits; null for none."""
    return _codes_by_three_digits().gather(keys // _POWERS[digits - 3])


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
    digits = re.sub(_PUNCTUATION, "", written).lstrip("+")
    if re.match("00[1-9]", digits):
        return _judged(_DOUBLE_ZERO.sub("+", written), None)
    if written.startswith("+"):
        return _judged(written, None)
    return _read_bare(text, digits, default_region)


def _check_region(default_region: str | None) -> None:
    if default_region is not None and default_region not in phonenumbers.SUPPORTED_REGIONS:
        message = "EKYC_DEFAULT_REGION is no region. Use two letters such as CH, or leave it out."
        raise ConfigurationError(message)


def tidied(text: pl.Series) -> pl.Series:
    """Take off what is no part of a number: labels, quotes, invisible marks, foreign digits, ``.0``."""
    is_ascii = (text.str.len_bytes() == text.str.len_chars()).all()
    written = pl.col("text").str.replace_many(_PLAIN_ASCII if is_ascii else _plain_characters())
    for pattern, replacement in (
        (f"^{_WRAPPING}|{_WRAPPING}$", ""),
        (_LABEL, ""),
        (_WHATSAPP_ID, ""),
        (_WHOLE_FLOAT, "${1}"),
    ):
        written = written.str.replace_all(pattern, replacement)
    return text.to_frame("text").select(written).to_series()


@cache
def _plain_characters() -> dict[str, str]:
    """The digits of all scripts, spaces, dashes and full-width signs in ASCII; invisible marks as nothing."""
    plain = {"＋": "+", "（": "(", "）": ")", "．": ".", "／": "/", "−": "-", **_PLAIN_ASCII}
    for character in map(chr, range(0x80, 0x10000)):
        match unicodedata.category(character):
            case "Nd":
                plain[character] = str(unicodedata.digit(character))
            case "Zs":
                plain[character] = " "
            case "Pd":
                plain[character] = "-"
            case "Cf":
                plain[character] = ""
    return plain


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
        (FRACTION, re.search(_BROKEN_FLOAT, text)),
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
    numbering = _numbering_of_region(region)
    begins_here = e164.startswith(f"+{numbering.code}")
    return not begins_here or bool(re.fullmatch(numbering.shape, e164[len(numbering.code) + 1 :]))


@dataclass(frozen=True, slots=True)
class _Numbering:
    """How a region, or all that share a calling code, write numbers. Patterns are regular expressions."""

    code: str
    shape: str  # of a whole national number
    lengths: tuple[int, ...]
    local_lengths: tuple[int, ...]  # enough inside an area only
    abroad: str  # what is dialled before a calling code
    trunk: str  # what is dialled before a national number
    plain_trunk: str  # what that is for most
    is_trunk_replaced: bool  # all but the plain one may give way to other digits

    def has_trunk(self) -> bool:
        return self.trunk != _NEVER


_NEVER = "[^0-9+]"


@cache
def _numbering(region: str, code: int) -> _Numbering:
    # All fields are declared optional; these are there in every region's metadata.
    metadata: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return _Numbering(
        code=str(code),
        shape=metadata.general_desc.national_number_pattern,
        lengths=metadata.general_desc.possible_length,
        local_lengths=metadata.general_desc.possible_length_local_only,
        abroad=metadata.international_prefix or _NEVER,
        trunk=metadata.national_prefix_for_parsing or _NEVER,
        plain_trunk=metadata.national_prefix or "",
        is_trunk_replaced=metadata.national_prefix_transform_rule is not None,
    )


def _numbering_of_region(region: str) -> _Numbering:
    return _numbering(region, phonenumbers.country_code_for_region(region))


def _numbering_of_code(code: int) -> _Numbering:
    """What `phonenumbers` judges all numbers of a calling code by, however many regions share it."""
    return _numbering(COUNTRY_CODE_TO_REGION_CODE[code][0], code)


@cache
def _codes_by_three_digits() -> pl.Series:
    """Calling code (Int32) by the first three digits, 000 to 999; null where none is assigned.

    Exact, because no calling code is the beginning of another and none has more than three digits.
    """
    codes: list[int | None] = [None] * 1000
    for code in COUNTRY_CODE_TO_REGION_CODE:
        width = 10 ** (3 - len(str(code)))
        codes[code * width : (code + 1) * width] = [code] * width
    return pl.Series("calling_code", codes, dtype=pl.Int32)


@cache
def _lengths_by_three_digits(*, with_local: bool) -> pl.Series:
    """Whether a number is possible (Boolean), at ``16 * its first three digits + how many it has``."""
    possible = [False] * 16_000
    for start, code in enumerate(_codes_by_three_digits()):
        if code is not None:
            numbering = _numbering_of_code(code)
            lengths = numbering.lengths + (numbering.local_lengths if with_local else ())
            for digits in (len(numbering.code) + length for length in lengths):
                if digits <= MAX_DIGITS:
                    possible[16 * start + digits] = True
    return pl.Series(possible)


def _is_rewritten(e164: pl.Expr) -> pl.Expr:
    """Whether `phonenumbers` may take a national prefix out of an E.164 number."""
    numberings = [n for n in map(_numbering_of_code, COUNTRY_CODE_TO_REGION_CODE) if n.has_trunk()]
    certain = "|".join(f"{n.code}(?:{n.trunk})" for n in numberings if not re.match(n.trunk, ""))
    # A pattern that matches nothing at all takes nothing out: what it matches has to be measured.
    optional = [rf"^\+{n.code}({n.trunk})" for n in numberings if re.match(n.trunk, "")]
    cut = [(e164.str.extract(pattern).str.len_bytes() > 0).fill_null(False) for pattern in optional]
    return pl.any_horizontal(e164.str.contains(rf"^\+(?:{certain})"), *cut)


def _is_possible(e164: pl.Expr, *, with_local: bool) -> pl.Expr:
    place = 16 * e164.str.slice(1, 3).cast(pl.Int32, strict=False) + e164.str.len_bytes().cast(pl.Int32) - 1
    known_place = pl.when(e164.str.contains(_E164)).then(place).otherwise(0)
    return pl.lit(_lengths_by_three_digits(with_local=with_local)).gather(known_place)


def _if_possible(e164: pl.Expr, *, with_local: bool) -> pl.Expr:
    """The number where it is possible and `phonenumbers` would leave it as it is; null elsewhere."""
    return pl.when(_is_possible(e164, with_local=with_local) & ~_is_rewritten(e164)).then(e164)


def _plainly_written(text: pl.Series, default_region: str | None) -> pl.Series:
    """What `read_one` makes of tidied texts of digits and punctuation; null where it has to look itself."""
    # One select after the other: polars would evaluate a nested expression once for every mention.
    digits = text.to_frame("text").select(digits=_digits(pl.col("text")))
    written = digits.select(
        pl.col("digits"),
        international=pl.col("digits").str.replace(r"^\+?00([1-9])", "+${1}"),
        abroad="+" + pl.col("digits"),
    )
    read = written.select(
        pl.col("digits"),
        international=_if_possible(pl.col("international"), with_local=True),
        abroad=_if_possible(pl.col("abroad"), with_local=False),
    )
    if default_region is None:
        return read.select(pl.coalesce("international", "abroad")).to_series()
    numbering = _numbering_of_region(default_region)
    national = _nationally_written(read["digits"], numbering)
    abroad = pl.when(_is_foreign(pl.col("digits"), numbering)).then("abroad")
    return read.select(pl.coalesce("international", national, abroad)).to_series()


def _digits(text: pl.Expr) -> pl.Expr:
    is_plain = text.str.contains(_PLAIN) & ~text.str.contains(_BROKEN_FLOAT)
    return pl.when(is_plain).then(text.str.replace_all(_PUNCTUATION, ""))


def _nationally_written(digits: pl.Series, numbering: _Numbering) -> pl.Series:
    """E.164 where the digits fit the region's own shape in the one way `phonenumbers` can read them."""
    written = pl.col("digits")
    without_code = written.str.slice(len(numbering.code))
    is_own_e164 = ~_has_shape(written, numbering) & ~_has_trunk(without_code, numbering)
    trunk = written.str.extract(f"^({numbering.trunk})")
    is_just_cut = trunk == numbering.plain_trunk if numbering.is_trunk_replaced else trunk.is_not_null()
    without_trunk = written.str.strip_prefix(trunk)
    national = (
        pl.when(_is_dialled_abroad(written, numbering))
        .then(None)
        .when(written.str.starts_with(numbering.code))
        .then(pl.when(is_own_e164).then(without_code))
        .when(_has_trunk(written, numbering))
        .then(pl.when(is_just_cut).then(without_trunk))
        .otherwise(written)
    )
    frame = digits.to_frame("digits").select(national=national)
    fits = _has_shape(pl.col("national"), numbering) & pl.col("national").str.len_bytes().is_in(
        numbering.lengths
    )
    frame = frame.select(e164=pl.when(fits).then(f"+{numbering.code}" + pl.col("national")))
    return frame.select(_if_possible(pl.col("e164"), with_local=False)).to_series()


def _is_foreign(digits: pl.Expr, numbering: _Numbering) -> pl.Expr:
    """Whether the only national reading there could be has a length that rules it out."""
    return ~(
        digits.str.starts_with(numbering.code)
        | _has_trunk(digits, numbering)
        | _is_dialled_abroad(digits, numbering)
        | _is_possible(f"+{numbering.code}" + digits, with_local=False)
    )


def _is_dialled_abroad(digits: pl.Expr, numbering: _Numbering) -> pl.Expr:
    return digits.str.contains(rf"^\+|^(?:{numbering.abroad})")


def _has_trunk(digits: pl.Expr, numbering: _Numbering) -> pl.Expr:
    return digits.str.contains(f"^(?:{numbering.trunk})")


def _has_shape(national: pl.Expr, numbering: _Numbering) -> pl.Expr:
    return national.str.contains(f"^(?:{numbering.shape})$")


def _normalise_block(text: pl.Series, default_region: str | None) -> pl.DataFrame:
    number = text.to_frame("text").select(number=_if_possible(pl.col("text"), with_local=True))["number"]
    reason = pl.repeat(None, len(text), dtype=pl.String, eager=True).alias("reason")
    left = number.is_null().arg_true()
    if len(left):
        rest = tidied(text.gather(left))
        plain = _plainly_written(rest, default_region)
        unsettled = plain.is_null().arg_true()
        readings = _read_each(rest.gather(unsettled), default_region)
        number.scatter(left, plain.scatter(unsettled, readings["number"]))
        reason.scatter(left.gather(unsettled), readings["reason"])
    return pl.DataFrame([number.alias("number"), reason])


def _read_each(text: pl.Series, default_region: str | None) -> pl.DataFrame:
    """`read_one` for each text, once for those that repeat: junk does."""
    texts = text.fill_null("").to_list()
    readings = {each: read_one(each, default_region) for each in set(texts)}
    schema = {"number": pl.String, "reason": pl.String}
    return pl.DataFrame([readings[each] for each in texts], schema=schema, orient="row")


# --- straight into keys -----------------------------------------------------------------------------------

Verdicts = npt.NDArray[np.uint8]  # what becomes of a text: places in _REASONS

_REASONS = (None, None, NO_CODE, NO_LENGTH, TOO_SHORT, TOO_LONG, INCOMPLETE, NATIONAL, NO_DIGITS)
_LOOK, _POSSIBLE = 0, 1  # somebody has to look closer · a number
_POWERS = 10 ** np.arange(19, dtype=np.int64)
_PREFIX = 4  # digits: they hold the calling code and at least one digit of the national number
_MORE = MAX_DIGITS + 1  # stands for all lengths above


def _judged_plainly(text: pl.Series, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """Keys and verdicts of texts of nothing but digits, with or without a ``+``, that nobody could read
    otherwise. With a region, bare digits may be a national number."""
    values: Keys = text.cast(pl.Int64, strict=False).fill_null(NO_KEY).to_numpy(writable=True)
    has_plus = text.str.starts_with("+").fill_null(False).to_numpy()
    digits = text.str.len_bytes().fill_null(0).to_numpy().astype(np.int64) - has_plus
    np.clip(digits, _PREFIX, len(_POWERS) - 1, out=digits)
    # As many digits as bytes: no sign, no space, no zero in front is hidden in the integer.
    starts = values // _POWERS[digits - _PREFIX]
    starts *= (starts >= _POWERS[_PREFIX - 1]) & (starts < _POWERS[_PREFIX])
    places = (has_plus * _POWERS[_PREFIX] + starts) * (_MORE + 1) + np.minimum(digits, _MORE)
    verdicts: Verdicts = _verdicts()[places]
    if has_region:
        verdicts *= has_plus
    values *= verdicts == _POSSIBLE
    return values, verdicts


def _judged_in_digits(tidy: pl.Series, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """The same for tidied texts, by the digits in them."""
    written = tidy.to_frame("text").select(
        digits=_digits(pl.col("text")).str.replace(r"^\+?00([1-9])", "+${1}"),
        has_digits=pl.col("text").str.contains("[0-9]").fill_null(False),
    )
    is_too_long = (tidy.str.len_bytes() > MAX_CHARACTERS).fill_null(False)
    digits = written["digits"].set(is_too_long, None).str.slice(0, len(_POWERS) - 1)
    keys, verdicts = _judged_plainly(digits, has_region=has_region)
    if not has_region:
        is_national = digits.str.starts_with("0").fill_null(False)
        verdicts[is_national.to_numpy()] = _REASONS.index(NATIONAL)
    verdicts[~written["has_digits"].to_numpy()] = _REASONS.index(NO_DIGITS)
    return keys, verdicts


@cache
def _verdicts() -> Verdicts:
    """What `_judged` says of an E.164 number, at ``(_MORE + 1) * its first digits + how many it has``: once
    for those that have to have their area code, then for the others. Somebody has to look closer wherever
    `phonenumbers` may take a national prefix out of the number."""
    table = np.full((2, 10**_PREFIX, _MORE + 1), _REASONS.index(NO_CODE), dtype=np.uint8)
    table[:, : 10 ** (_PREFIX - 1)] = _LOOK
    for code in COUNTRY_CODE_TO_REGION_CODE:
        numbering = _numbering_of_code(code)
        width = 10 ** (_PREFIX - 1 - len(numbering.code))
        cut = _first_digits(numbering.trunk)
        for place, is_complete in enumerate((True, False)):
            lengths = [_verdict_of_length(numbering, digits, is_complete) for digits in range(_MORE + 1)]
            for digit in "0123456789":
                start = int(numbering.code + digit) * width
                table[place, start : start + width] = _LOOK if digit in cut else lengths
    return table.reshape(-1)


def _verdict_of_length(numbering: _Numbering, digits: int, is_complete: bool) -> int:
    """As `phonenumbers` sorts lengths; no number of E.164 has more than fifteen digits."""
    length = digits - len(numbering.code)
    if digits > MAX_DIGITS or length > max(numbering.lengths):
        return _REASONS.index(TOO_LONG)
    if length in numbering.local_lengths:
        return _REASONS.index(INCOMPLETE) if is_complete else _POSSIBLE
    if length in numbering.lengths:
        return _POSSIBLE
    return _REASONS.index(TOO_SHORT if length < min(numbering.lengths) else NO_LENGTH)


def _first_digits(pattern: str) -> set[str]:
    """The digits that a match of a metadata pattern may begin with, unless the match is empty."""
    found: set[str] = set()
    for branch in _split(pattern):
        rest = branch
        is_optional = True
        while rest and is_optional:
            atom, rest = _first_atom(rest)
            if atom.startswith("("):
                found |= _first_digits(atom[1:-1].removeprefix("?:"))
            else:
                found |= {digit for digit in "0123456789" if re.fullmatch(atom, digit)}
            is_optional = rest.startswith(("?", "*", "{0")) or bool(re.fullmatch(atom, ""))
            rest = re.sub(r"^(?:[?*+]|\{[0-9,]+\})", "", rest)
    return found


def _split(pattern: str) -> list[str]:
    """The alternatives of a pattern, those in its groups left alone."""
    branches, depth = [""], 0
    for sign in pattern:
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and not depth:
            branches.append("")
        else:
            branches[-1] += sign
    return branches


def _first_atom(branch: str) -> tuple[str, str]:
    """A group, a class, an escape or a single sign, and what comes behind it."""
    depth = 0
    for end, sign in enumerate(branch, start=1):
        depth += (sign in "([") - (sign in ")]")
        if not depth and sign != "\\":
            return branch[:end], branch[end:]
    return branch, ""
