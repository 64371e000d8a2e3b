"""Texts straight into keys: E.164 numbers without their ``+``, as integers.

The same law as `cells` and `parse`, by tables: what is written plainly is settled here, the rest there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ekyc_tasks.phone.byte_strings import MOST_DIGITS, Counts, Flags, Places, Texts
from ekyc_tasks.phone.calling_codes import POWERS, digit_counts
from ekyc_tasks.phone.cells import read_cell
from ekyc_tasks.phone.clean import clean
from ekyc_tasks.phone.metadata import MAX_DIGITS, Numbering, check_region, first_digits, numbering_of_region
from ekyc_tasks.phone.msisdns import NO_MSISDN, Msisdns
from ekyc_tasks.phone.numbering_plans import are_valid
from ekyc_tasks.phone.parse import (
    DATES,
    FEWEST_ALONE,
    FEWEST_WITH_TRUNK,
    MAX_CHARACTERS,
    ORDINAL,
    QUADS,
    UNBALANCED,
    Reading,
)
from ekyc_tasks.phone.reasons import NATIONAL, NO_DIGITS, NOT_HERE
from ekyc_tasks.phone.validity import LOOK, MORE, POSSIBLE, PREFIX, REASONS, Validities, validity_table

_WORDS = "^[ -/:-~]*$"  # in ASCII: others have digits of their own
_NO_DIGITS = "^[^0-9]*$"
_FLOAT = r"^ *\+?[0-9]{7,}[.,][0-9]+ *$"  # is repaired or refused, not read digit by digit
_PLAIN = r"^[ (]*\+?[ (]*[0-9][0-9 ().\-]*(?:/[0-9 ().\-]*)?$"
_NATIONAL_SIGNS = "[(/]"
_AREA_AND_SLASH = r"^[ (]*[0-9]{2,4}[ )]*/"
_PUNCTUATION = b" ()./-"
_ABROAD_SIZE = 3  # 00, and a digit that is none


@dataclass(frozen=True, slots=True)
class BareDigits:
    """How bare digits, with neither ``+`` nor ``00``, can be read: how many as a valid number of the default
    region, as a valid number abroad, as both or as neither. ``at_odds``: as both, where the row says of which
    country the number is, and the one abroad is of another."""

    national: int = 0
    abroad: int = 0
    both: int = 0
    neither: int = 0
    at_odds: int = 0

    def __add__(self, other: BareDigits) -> BareDigits:
        return BareDigits(
            self.national + other.national,
            self.abroad + other.abroad,
            self.both + other.both,
            self.neither + other.neither,
            self.at_odds + other.at_odds,
        )


@dataclass(frozen=True, slots=True)
class Readings:
    """What some texts say.

    ``keys``: the first number of each text, `NO_MSISDN` where there is none. ``more_places``, ``more_keys``:
    the further numbers of texts that hold several. ``rejected``: ``index, reason`` of texts without a number,
    and of parts of the others. ``doubt_places``, ``doubt_keys``: bare digits that are a number abroad, too,
    and which; ``keys`` has them as numbers of the region.
    """

    keys: Msisdns
    more_places: Places
    more_keys: Msisdns
    rejected: pl.DataFrame
    doubt_places: Places
    doubt_keys: Msisdns
    bare: BareDigits


def read_msisdns(
    texts: Texts | pl.Series, *, default_region: str | None = None, at_home: bool = False
) -> Readings:
    """Read all numbers of the texts. Raises ConfigurationError when ``default_region`` is no region.

    ``at_home``: bare digits are of this region or rejected, of any country where the column says so; without
    a region, they are no number.
    """
    check_region(default_region)
    texts = texts if isinstance(texts, Texts) else Texts.of(texts)
    reader = _TextReader(len(texts), default_region, at_home=at_home)
    reader.read_digits(texts)
    for tidy, words in ((_as_written, _WORDS), (clean, _NO_DIGITS)):
        left = reader.places_left()
        rest = tidy(texts.gather(left))
        reader.read_plain(rest, left, words)
    reader.read_cells(rest, left)
    return reader.readings()


def _as_written(text: pl.Series) -> pl.Series:
    return text


@dataclass(frozen=True, slots=True)
class _Digits:
    """What some texts consist of: so many ``digits``, of which ``values`` are those that are ``shown``. Where
    none are shown, there is more to the text. ``may_be_abroad``: nothing says that they are national.
    ``is_one``: they may not be several numbers."""

    values: Msisdns
    shown: Counts
    digits: Counts
    has_plus: Flags
    may_be_abroad: Flags
    is_one: Flags


class _TextReader:
    """Texts by place; those whose verdict is LOOK are left for the next way to read them."""

    def __init__(self, count: int, region: str | None, *, at_home: bool) -> None:
        self._region = region
        self._at_home = at_home
        self._numbering = None if region is None else numbering_of_region(region)
        self._keys = np.empty(count, dtype=np.int64)
        self._verdicts = np.full(count, LOOK, dtype=np.uint8)
        self._doubts: list[tuple[Places, Msisdns]] = []
        self._more: list[tuple[int, int]] = []
        self._reasons: list[tuple[int, str]] = []
        self._bare = BareDigits()

    def places_left(self) -> Places:
        return np.flatnonzero(self._verdicts == LOOK)

    def read_digits(self, texts: Texts) -> None:
        """Texts that are only digits, with or without a ``+``."""
        for part, some in texts.parts():
            has_plus = some.have_plus()
            digits = some.sizes - has_plus
            values, is_number = some.values(digits)
            digits *= is_number
            yes = np.ones(len(some), dtype=np.bool_)
            found = _Digits(values, digits, digits, has_plus, may_be_abroad=yes, is_one=yes)
            self._judge(found, np.arange(part.start, part.start + len(some)))

    def read_plain(self, text: pl.Series, places: Places, words: str) -> None:
        """By the digits in texts that have punctuation besides; ``words`` matches what holds none."""
        texts = Texts.of(text).without(_PUNCTUATION)
        has_plus = texts.have_plus()
        texts = texts.behind(has_plus)
        first, _ = texts.shorten(_ABROAD_SIZE).values(np.minimum(texts.sizes, _ABROAD_SIZE))
        is_dialled_abroad = (first > 0) & (first < POWERS[1]) & (texts.sizes >= _ABROAD_SIZE)
        texts = texts.behind(2 * is_dialled_abroad)
        has_plus |= is_dialled_abroad
        is_settled, has_slash = _match(text, _IS_PLAIN, _contains("/"))
        bare = np.flatnonzero(is_settled & ~has_plus)
        is_odd, has_area, is_national = _match(
            text.gather(bare), self._is_odd(), _contains(_AREA_AND_SLASH), _contains(_NATIONAL_SIGNS)
        )
        is_settled &= ~has_plus | ~has_slash
        is_settled[bare] = ~is_odd & (~has_slash[bare] | has_area)
        may_be_abroad = np.ones(len(text), dtype=np.bool_)
        may_be_abroad[bare] = ~is_national
        shown = np.minimum(texts.sizes, MOST_DIGITS) * is_settled
        values, _ = texts.shorten(shown).values(shown)
        digits = texts.sizes * is_settled
        self._judge(_Digits(values, shown, digits, has_plus, may_be_abroad, is_one=~has_slash), places)
        (has_none,) = _match(text, _contains(words))
        self._verdicts[places[has_none]] = REASONS.index(NO_DIGITS)

    def _is_odd(self) -> pl.Expr:
        """Whether bare digits with punctuation may be something besides a number."""
        return pl.any_horizontal(_contains(each) for each in self._odd_shapes())

    def _odd_shapes(self) -> Iterator[str]:
        yield from (DATES, QUADS, ORDINAL, UNBALANCED, rf"[0-9]{{{FEWEST_ALONE}}}")
        if self._numbering is not None and self._numbering.plain_trunk:
            rest = FEWEST_WITH_TRUNK - len(self._numbering.plain_trunk)
            yield rf"(?:^|[ ()./-]){self._numbering.plain_trunk}[0-9]{{{rest}}}"

    def read_cells(self, text: pl.Series, places: Places) -> None:
        """What is left of tidied texts, one by one, once for those that repeat: junk does."""
        known: dict[str, tuple[Reading, ...]] = {}
        is_left = self._verdicts[places] == LOOK
        texts = text.filter(pl.Series(is_left)).fill_null("").to_list()
        for place, each in zip(places[is_left].tolist(), texts, strict=True):
            if each not in known:
                known[each] = tuple(map(self._keep_at_home, read_cell(each, self._region)))
            self._add(place, known[each])

    def readings(self) -> Readings:
        rejected = np.flatnonzero(self._verdicts > POSSIBLE)
        by_verdict = pl.DataFrame(
            {"index": rejected, "reason": pl.Series(REASONS).gather(self._verdicts[rejected])}
        )
        given = pl.DataFrame(self._reasons, schema=by_verdict.schema, orient="row")
        more = np.array(self._more, dtype=np.int64).reshape(-1, 2)
        none = (np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64))
        doubt_places, doubt_keys = map(np.concatenate, zip(none, *self._doubts, strict=True))
        return Readings(
            keys=self._keys,
            more_places=more[:, 0].copy(),
            more_keys=more[:, 1].copy(),
            rejected=pl.concat([by_verdict, given]).sort("index", maintain_order=True),
            doubt_places=doubt_places,
            doubt_keys=doubt_keys,
            bare=self._bare,
        )

    def _add(self, place: int, found: tuple[Reading, ...]) -> None:
        numbers = [reading for reading in found if reading.number is not None]
        self._keys[place] = _key(numbers[0]) if numbers else NO_MSISDN
        self._verdicts[place] = POSSIBLE
        self._more += [(place, _key(reading)) for reading in numbers[1:]]
        self._reasons += [(place, reading.reason) for reading in found if reading.reason is not None]
        for reading in found:
            self._bare += self._count_bare(reading)
            if reading.abroad is not None:
                self._doubts.append((np.array([place]), np.array([int(reading.abroad)])))

    def _judge(self, found: _Digits, places: Places | slice) -> None:
        verdicts = _verdicts_by_table(found)
        self._keys[places] = found.values
        self._verdicts[places] = verdicts
        is_bare = ~found.has_plus & (found.shown > 0)
        if is_bare.any():
            bare = np.flatnonzero(is_bare)
            self._judge_bare(found, bare, bare + places.start if isinstance(places, slice) else places[bare])
        self._keys[places] *= self._verdicts[places] == POSSIBLE

    def _judge_bare(self, found: _Digits, bare: Places, places: Places) -> None:
        """Digits of these places in ``found``, which are those of these places of all texts."""
        values, digits = found.values[bare], found.digits[bare]
        zeros = digits - digit_counts(values)
        has_zero = zeros > 0
        is_abroad = found.may_be_abroad[bare] & ~has_zero & (digits <= MAX_DIGITS)
        is_abroad &= are_valid(values * is_abroad)
        if self._numbering is None and self._at_home:
            self._verdicts[places] = np.where(
                (zeros > 1) | ~found.is_one[bare], LOOK, REASONS.index(NATIONAL)
            )
            return
        if self._numbering is None:
            by_table = self._verdicts[places]
            verdicts = np.where(has_zero | (by_table == POSSIBLE), REASONS.index(NATIONAL), by_table)
            verdicts[is_abroad] = POSSIBLE
            verdicts[(zeros > 1) | (~is_abroad & ~found.is_one[bare])] = LOOK
            self._verdicts[places] = verdicts
            self._bare += BareDigits(
                abroad=int(np.count_nonzero(is_abroad)),
                neither=int(np.count_nonzero(verdicts == REASONS.index(NATIONAL))),
            )
            return
        keys, is_national, is_unclear = _read_nationally(values, digits, self._numbering)
        is_doubtful = is_national & is_abroad & (keys != values)
        is_at_odds = np.zeros(len(values), dtype=np.bool_)
        if self._at_home:
            code = self._numbering.code
            is_at_odds = values // POWERS[np.clip(digits - len(code), 0, MOST_DIGITS)] != int(code)
            is_abroad &= is_national | ~is_at_odds
        starts = values // POWERS[np.minimum(digits, MOST_DIGITS) - 1]
        is_dialled = np.isin(starts, [int(digit) for digit in first_digits(self._numbering.abroad)])
        neither = np.where(is_dialled, LOOK, REASONS.index(NOT_HERE))
        verdicts = np.where(is_national | is_abroad, POSSIBLE, neither)
        verdicts[is_unclear | (zeros > 1) | ((verdicts > POSSIBLE) & ~found.is_one[bare])] = LOOK
        is_settled = verdicts == POSSIBLE
        is_doubtful &= is_settled
        self._keys[places] = np.where(is_national, keys, values)
        self._verdicts[places] = verdicts
        self._doubts.append((places[is_doubtful], values[is_doubtful]))
        self._bare += BareDigits(
            national=int(np.count_nonzero(is_settled & is_national & ~is_doubtful)),
            abroad=int(np.count_nonzero(is_settled & ~is_national)),
            both=int(np.count_nonzero(is_doubtful & ~is_at_odds)),
            neither=int(np.count_nonzero(verdicts == REASONS.index(NOT_HERE))),
            at_odds=int(np.count_nonzero(is_doubtful & is_at_odds)),
        )

    def _keep_at_home(self, reading: Reading) -> Reading:
        """As it is, or rejected: bare digits of another country than that of the row."""
        is_abroad = reading.is_bare and not reading.is_national
        if not self._at_home or not is_abroad or self._is_home(reading.number):
            return reading
        return Reading(reason=NATIONAL if self._numbering is None else NOT_HERE)

    def _is_home(self, number: str | None) -> bool:
        return self._numbering is not None and (number or "").startswith(f"+{self._numbering.code}")

    def _count_bare(self, reading: Reading) -> BareDigits:
        if reading.reason in {NATIONAL, NOT_HERE}:
            return BareDigits(neither=1)
        if not reading.is_bare:
            return BareDigits()
        if reading.abroad is None:
            return BareDigits(national=1) if reading.is_national else BareDigits(abroad=1)
        return (
            BareDigits(at_odds=1)
            if self._at_home and not self._is_home(reading.abroad)
            else BareDigits(both=1)
        )


def _contains(pattern: str) -> pl.Expr:
    return pl.col("text").fill_null("").str.contains(pattern)


_IS_PLAIN = (
    _contains(_PLAIN) & ~_contains(_FLOAT) & (pl.col("text").fill_null("").str.len_bytes() < MAX_CHARACTERS)
)


def _match(text: pl.Series, *tests: pl.Expr) -> list[Flags]:
    found = text.to_frame("text").select(each.alias(str(place)) for place, each in enumerate(tests))
    return [column.to_numpy().copy() for column in found]


def _verdicts_by_table(found: _Digits) -> Validities:
    starts = found.values // POWERS[np.maximum(found.shown, PREFIX) - PREFIX]
    starts *= (starts >= POWERS[PREFIX - 1]) & (found.shown > 0)  # no zero in front, and digits enough
    places = (found.has_plus * POWERS[PREFIX] + starts) * (MORE + 1) + np.minimum(found.digits, MORE)
    verdicts: Validities = validity_table()[places]
    return verdicts


def _read_nationally(values: Msisdns, digits: Counts, numbering: Numbering) -> tuple[Msisdns, Flags, Flags]:
    """Keys in the region; whether they are valid there; whether they are so with and without trunk prefix."""
    code, trunk = numbering.code, numbering.plain_trunk
    whole, is_whole = _put_code_before(code, values, digits)
    rest = np.maximum(digits - len(trunk), 0)
    has_trunk = (values // POWERS[np.minimum(rest, MOST_DIGITS)] == int(trunk or -1)) & (rest > 0)
    cut, is_cut = _put_code_before(code, values % POWERS[np.minimum(rest, MOST_DIGITS)], rest * has_trunk)
    return np.where(is_cut, cut, whole), is_whole ^ is_cut, is_whole & is_cut


def _put_code_before(code: str, values: Msisdns, digits: Counts) -> tuple[Msisdns, Flags]:
    fits = (digits > 0) & (digits + len(code) <= MAX_DIGITS)
    keys = (int(code) * POWERS[digits * fits] + values) * fits
    return keys, are_valid(keys)


def _key(reading: Reading) -> int:
    return int(reading.number or NO_MSISDN)
