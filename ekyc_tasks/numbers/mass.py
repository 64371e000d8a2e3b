"""The same reading by the million: expressions settle what is written plainly, `read_one` the rest."""

from __future__ import annotations

import re
from functools import cache

import polars as pl

from ekyc_tasks.numbers.codes import codes_by_three_digits
from ekyc_tasks.numbers.metadata import (
    CALLING_CODES,
    MAX_DIGITS,
    Numbering,
    check_region,
    numbering_of_code,
    numbering_of_region,
)
from ekyc_tasks.numbers.one import BROKEN_FLOAT, PUNCTUATION, read_one
from ekyc_tasks.numbers.tidy import tidied

BLOCK_ROWS = 1_000_000  # bounds what the expressions hold besides the result

_SCHEMA = {"number": pl.String, "reason": pl.String}
PLAIN = r"^[ (]*\+?[ (]*[0-9][0-9 ()./\-]*$"
_E164 = rf"^\+[1-9][0-9]{{2,{MAX_DIGITS - 1}}}$"


def normalise(text: pl.Series, *, default_region: str | None = None) -> pl.DataFrame:
    """Read one number from each text: same length, same order.

    Columns: ``number`` (String, E.164 with its ``+``, null when rejected) and ``reason`` (String, a
    short fixed sentence that never holds the value, null when the number is fine).

    Raises ConfigurationError when ``default_region`` is no region.
    """
    check_region(default_region)
    texts = text.cast(pl.String)
    starts = range(0, len(texts), BLOCK_ROWS)
    blocks = [_normalise_block(texts.slice(start, BLOCK_ROWS), default_region) for start in starts]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *blocks])


@cache
def _lengths_by_three_digits(*, with_local: bool) -> pl.Series:
    """Whether a number is possible (Boolean), at ``16 * its first three digits + how many it has``."""
    possible = [False] * 16_000
    for start, code in enumerate(codes_by_three_digits()):
        if code is not None:
            numbering = numbering_of_code(code)
            lengths = numbering.lengths + (numbering.local_lengths if with_local else ())
            for digits in (len(numbering.code) + length for length in lengths):
                if digits <= MAX_DIGITS:
                    possible[16 * start + digits] = True
    return pl.Series(possible)


def _is_rewritten(e164: pl.Expr) -> pl.Expr:
    """Whether `phonenumbers` may take a national prefix out of an E.164 number."""
    numberings = [n for n in map(numbering_of_code, CALLING_CODES) if n.has_trunk()]
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
    numbering = numbering_of_region(default_region)
    national = _nationally_written(read["digits"], numbering)
    abroad = pl.when(_is_foreign(pl.col("digits"), numbering)).then("abroad")
    return read.select(pl.coalesce("international", national, abroad)).to_series()


def _digits(text: pl.Expr) -> pl.Expr:
    is_plain = text.str.contains(PLAIN) & ~text.str.contains(BROKEN_FLOAT)
    return pl.when(is_plain).then(text.str.replace_all(PUNCTUATION, ""))


def _nationally_written(digits: pl.Series, numbering: Numbering) -> pl.Series:
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


def _is_foreign(digits: pl.Expr, numbering: Numbering) -> pl.Expr:
    """Whether the only national reading there could be has a length that rules it out."""
    return ~(
        digits.str.starts_with(numbering.code)
        | _has_trunk(digits, numbering)
        | _is_dialled_abroad(digits, numbering)
        | _is_possible(f"+{numbering.code}" + digits, with_local=False)
    )


def _is_dialled_abroad(digits: pl.Expr, numbering: Numbering) -> pl.Expr:
    return digits.str.contains(rf"^\+|^(?:{numbering.abroad})")


def _has_trunk(digits: pl.Expr, numbering: Numbering) -> pl.Expr:
    return digits.str.contains(f"^(?:{numbering.trunk})")


def _has_shape(national: pl.Expr, numbering: Numbering) -> pl.Expr:
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
    return pl.DataFrame([readings[each] for each in texts], schema=_SCHEMA, orient="row")
