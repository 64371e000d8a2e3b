"""What the reader by the million says of each text, as `read_cell` says it of one."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import polars as pl

from ekyc_tasks.phone import Readings, Texts, read_msisdns


class Said(NamedTuple):
    numbers: list[str]
    reasons: list[str]
    abroad: list[str]  # what bare digits are besides

    @classmethod
    def of(cls, readings) -> Said:
        """The same of what `read_cell` gives."""
        return cls(
            [each.number for each in readings if each.number],
            [each.reason for each in readings if each.reason],
            [each.abroad for each in readings if each.abroad],
        )


def said_of(texts: list[str | None] | Texts, region: str | None = None) -> list[Said]:
    if not isinstance(texts, Texts):
        texts = Texts.of(pl.Series(texts, dtype=pl.String))
    return said_by(read_msisdns(texts, default_region=region))


def said_by(readings: Readings) -> list[Said]:
    numbers, reasons, abroad = defaultdict(list), defaultdict(list), defaultdict(list)
    for place, key in enumerate(readings.keys.tolist()):
        numbers[place] += [f"+{key}"] if key else []
    for found, places, keys in (
        (numbers, readings.more_places, readings.more_keys),
        (abroad, readings.doubt_places, readings.doubt_keys),
    ):
        for place, key in zip(places.tolist(), keys.tolist(), strict=True):
            found[place].append(f"+{key}")
    for place, reason in readings.rejected.iter_rows():
        reasons[place].append(reason)
    return [Said(numbers[place], reasons[place], abroad[place]) for place in range(len(readings.keys))]


def numbers_of(texts: pl.Series, region: str | None = None) -> pl.DataFrame:
    """``number, reason`` of texts that hold one number at most."""
    said = said_of(texts.cast(pl.String).to_list(), region)
    rows = [((each.numbers or [None])[0], (each.reasons or [None])[0]) for each in said]
    return pl.DataFrame(rows, schema={"number": pl.String, "reason": pl.String}, orient="row")
