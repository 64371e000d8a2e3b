"""Texts straight into keys: E.164 numbers without their ``+``, as integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.keys import Keys
from ekyc_tasks.numbers.codes import POWERS
from ekyc_tasks.numbers.mass import normalise, plain_digits
from ekyc_tasks.numbers.metadata import check_region
from ekyc_tasks.numbers.one import MAX_CHARACTERS
from ekyc_tasks.numbers.reasons import NATIONAL, NO_DIGITS
from ekyc_tasks.numbers.tidy import tidied
from ekyc_tasks.numbers.verdicts import LOOK, MORE, POSSIBLE, PREFIX, REASONS, Verdicts, verdict_table

NO_KEY = 0  # in place of a number that was rejected


def read_keys(text: pl.Series, *, default_region: str | None = None) -> tuple[Keys, pl.DataFrame]:
    """The key of each text (`NO_KEY` when rejected), and ``index, reason`` of the rejected ones.

    The same numbers and reasons as `normalise`. Raises ConfigurationError when ``default_region`` is no
    region.
    """
    check_region(default_region)
    has_region = default_region is not None
    keys, verdicts = _judged_plainly(text, has_region=has_region)
    left = np.flatnonzero(verdicts == LOOK)
    rest = tidied(text.gather(left))
    keys[left], verdicts[left] = _judged_in_digits(rest, has_region=has_region)
    unsettled = np.flatnonzero(verdicts[left] == LOOK)
    readings = normalise(rest.gather(unsettled), default_region=default_region)
    found = readings["number"].str.strip_prefix("+").cast(pl.Int64).fill_null(NO_KEY)
    keys[left[unsettled]] = found.to_numpy()
    return keys, _reasons(verdicts, left[unsettled], readings["reason"])


def _reasons(verdicts: Verdicts, places: npt.NDArray[np.intp], given: pl.Series) -> pl.DataFrame:
    """``index, reason`` of the rejected, by verdict or by the reasons that were given at some places."""
    judged = np.flatnonzero(verdicts > POSSIBLE)
    by_verdict = pl.DataFrame({"index": judged, "reason": pl.Series(REASONS).gather(verdicts[judged])})
    by_reading = pl.DataFrame({"index": places, "reason": given}).drop_nulls()
    return pl.concat([by_verdict, by_reading]).sort("index")


def _judged_plainly(text: pl.Series, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """Keys and verdicts of texts of nothing but digits, with or without a ``+``, that nobody could read
    otherwise. With a region, bare digits may be a national number."""
    values: Keys = text.cast(pl.Int64, strict=False).fill_null(NO_KEY).to_numpy(writable=True)
    has_plus = text.str.starts_with("+").fill_null(False).to_numpy()
    digits = text.str.len_bytes().fill_null(0).to_numpy().astype(np.int64) - has_plus
    np.clip(digits, PREFIX, len(POWERS) - 1, out=digits)
    # As many digits as bytes: no sign, no space, no zero in front is hidden in the integer.
    starts = values // POWERS[digits - PREFIX]
    starts *= (starts >= POWERS[PREFIX - 1]) & (starts < POWERS[PREFIX])
    places = (has_plus * POWERS[PREFIX] + starts) * (MORE + 1) + np.minimum(digits, MORE)
    verdicts: Verdicts = verdict_table()[places]
    if has_region:
        verdicts *= has_plus
    values *= verdicts == POSSIBLE
    return values, verdicts


def _judged_in_digits(tidy: pl.Series, *, has_region: bool) -> tuple[Keys, Verdicts]:
    """The same for tidied texts, by the digits in them."""
    written = tidy.to_frame("text").select(
        digits=plain_digits(pl.col("text")).str.replace(r"^\+?00([1-9])", "+${1}"),
        has_digits=pl.col("text").str.contains("[0-9]").fill_null(False),
    )
    is_too_long = (tidy.str.len_bytes() > MAX_CHARACTERS).fill_null(False)
    digits = written["digits"].set(is_too_long, None).str.slice(0, len(POWERS) - 1)
    keys, verdicts = _judged_plainly(digits, has_region=has_region)
    if not has_region:
        is_national = digits.str.starts_with("0").fill_null(False)
        verdicts[is_national.to_numpy()] = REASONS.index(NATIONAL)
    verdicts[~written["has_digits"].to_numpy()] = REASONS.index(NO_DIGITS)
    return keys, verdicts
