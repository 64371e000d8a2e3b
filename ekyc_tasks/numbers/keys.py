"""Texts straight into keys: E.164 numbers without their ``+``, as integers."""

from __future__ import annotations

import numpy as np
import polars as pl

from ekyc_tasks.keys import Keys
from ekyc_tasks.numbers.codes import POWERS, digit_counts
from ekyc_tasks.numbers.mass import PLAIN, normalise
from ekyc_tasks.numbers.metadata import check_region
from ekyc_tasks.numbers.one import MAX_CHARACTERS
from ekyc_tasks.numbers.reasons import NATIONAL, NO_DIGITS
from ekyc_tasks.numbers.texts import MOST_DIGITS, Counts, Flags, Places, Texts
from ekyc_tasks.numbers.tidy import tidied
from ekyc_tasks.numbers.verdicts import LOOK, MORE, POSSIBLE, PREFIX, REASONS, Verdicts, verdict_table

NO_KEY = 0  # in place of a number that was rejected

_WORDS = "^[ -/:-~]*$"  # in ASCII: others have digits of their own
_NO_DIGITS = "^[^0-9]*$"
_FLOAT = r"^ *\+?[0-9]{7,}[.,][0-9]+ *$"  # is mended or refused, not read digit by digit
_PUNCTUATION = b" ()./-"
_ABROAD_SIZE = 3  # 00, and a digit that is none


def read_keys(texts: Texts | pl.Series, *, default_region: str | None = None) -> tuple[Keys, pl.DataFrame]:
    """The key of each text (`NO_KEY` when rejected), and ``index, reason`` of the rejected ones.

    The same numbers and reasons as `normalise`. Raises ConfigurationError when ``default_region`` is no
    region.
    """
    check_region(default_region)
    has_region = default_region is not None
    texts = texts if isinstance(texts, Texts) else Texts.of(texts)
    keys, verdicts = _judged_as_written(texts, has_region=has_region)
    for tidy, words in ((_as_written, _WORDS), (tidied, _NO_DIGITS)):
        left = np.flatnonzero(verdicts == LOOK)
        rest = tidy(texts.gather(left))
        keys[left], verdicts[left] = _judged_by_digits(rest, words, has_region=has_region)
    unsettled = np.flatnonzero(verdicts[left] == LOOK)
    readings = normalise(rest.gather(unsettled), default_region=default_region)
    found = readings["number"].str.strip_prefix("+").cast(pl.Int64).fill_null(NO_KEY)
    keys[left[unsettled]] = found.to_numpy()
    return keys, _reasons(verdicts, left[unsettled], readings["reason"])


def _as_written(text: pl.Series) -> pl.Series:
    return text


def _reasons(verdicts: Verdicts, places: Places, given: pl.Series) -> pl.DataFrame:
    """``index, reason`` of the rejected, by verdict or by the reasons that were given at some places."""
    judged = np.flatnonzero(verdicts > POSSIBLE)
    by_verdict = pl.DataFrame({"index": judged, "reason": pl.Series(REASONS).gather(verdicts[judged])})
    by_reading = pl.DataFrame({"index": places, "reason": given}).drop_nulls()
    return pl.concat([by_verdict, by_reading]).sort("index")


def _judged_as_written(texts: Texts, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """Keys and verdicts of texts of nothing but digits, with or without a ``+``, that nobody could read
    otherwise. With a region, bare digits may be a national number."""
    keys = np.empty(len(texts), dtype=np.int64)
    verdicts = np.empty(len(texts), dtype=np.uint8)
    for place, part in texts.parts():
        has_plus = part.have_plus()
        digits = part.sizes - has_plus
        values, is_number = part.values(digits)
        digits *= is_number
        verdicts[place] = _verdicts(values, digits, digits, has_plus, has_region=has_region)
        keys[place] = values * (verdicts[place] == POSSIBLE)
    return keys, verdicts


def _verdicts(values: Keys, shown: Counts, digits: Counts, has_plus: Flags, *, has_region: bool) -> Verdicts:
    """Verdicts of numbers of so many ``digits``, of which ``values`` are those that are ``shown``."""
    starts = values // POWERS[np.maximum(shown, PREFIX) - PREFIX]
    starts *= (starts >= POWERS[PREFIX - 1]) & (shown > 0)  # no zero in front, and digits enough
    places = (has_plus * POWERS[PREFIX] + starts) * (MORE + 1) + np.minimum(digits, MORE)
    verdicts: Verdicts = verdict_table()[places]
    return verdicts * has_plus if has_region else verdicts


def _judged_by_digits(text: pl.Series, words: str, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """The same by the digits in texts that have punctuation besides; ``words`` matches what holds none."""
    written = pl.col("text").fill_null("")
    found = text.to_frame("text").select(
        is_plain=written.str.contains(PLAIN) & ~written.str.contains(_FLOAT),
        is_short=written.str.len_bytes() < MAX_CHARACTERS,
        has_none=written.str.contains(words),
    )
    is_plain, is_short, has_none = (column.to_numpy() for column in found)
    texts = Texts.of(text).without(_PUNCTUATION)
    has_plus = texts.have_plus()
    texts = texts.behind(has_plus)
    first, _ = texts.shortened(_ABROAD_SIZE).values(np.minimum(texts.sizes, _ABROAD_SIZE))
    is_dialled_abroad = (first > 0) & (first < POWERS[1]) & (texts.sizes >= _ABROAD_SIZE)
    texts = texts.behind(2 * is_dialled_abroad)
    has_plus |= is_dialled_abroad
    shown = np.minimum(texts.sizes, MOST_DIGITS) * (is_plain & is_short)
    values, _ = texts.shortened(shown).values(shown)
    verdicts = _verdicts(values, shown, texts.sizes, has_plus, has_region=has_region)
    if not has_region:
        verdicts[(digit_counts(values) < shown) & ~has_plus] = REASONS.index(NATIONAL)
    verdicts[has_none] = REASONS.index(NO_DIGITS)
    return values * (verdicts == POSSIBLE), verdicts
