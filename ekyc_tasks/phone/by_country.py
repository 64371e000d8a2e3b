"""Texts into keys where the rows say of which country each number is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from ekyc_tasks.phone.byte_strings import Places, Texts
from ekyc_tasks.phone.countries import NOT_GIVEN, SEVERAL, UNKNOWN, is_calling_code, main_region
from ekyc_tasks.phone.read import BareDigits, Readings, read_msisdns
from ekyc_tasks.phone.reasons import COUNTRIES_DIFFER, NATIONAL, NOT_HERE, NOT_THERE, UNKNOWN_COUNTRY

_WITHOUT_REGION = {UNKNOWN: UNKNOWN_COUNTRY, SEVERAL: COUNTRIES_DIFFER}


def read_by_country(texts: Texts, countries: pl.Series, *, default_region: str | None = None) -> Readings:
    """Read each text with the country of its row (see `countries`); the default is for rows that give none.

    What a text says by itself, with ``+`` or ``00``, counts whatever the row says. Other numbers have to be
    valid in the country of the row. Where they are valid abroad as well, the column decides as ever; but
    beside a calling code, digits are what follows it, unless the column says otherwise.
    """
    places, found = [], []
    for country, some in _group(countries):
        places.append(some)
        found.append(_move(_read_group(texts.gather(some), country, default_region), some))
    if not found:
        return read_msisdns(texts)
    keys = np.empty(len(texts), dtype=np.int64)
    keys[np.concatenate(places)] = np.concatenate([each.keys for each in found])
    more_places = np.concatenate([each.more_places for each in found])
    order = np.argsort(more_places, kind="stable")
    return Readings(
        keys=keys,
        more_places=more_places[order],
        more_keys=np.concatenate([each.more_keys for each in found])[order],
        rejected=pl.concat([each.rejected for each in found]).sort("index", maintain_order=True),
        doubt_places=np.concatenate([each.doubt_places for each in found]),
        doubt_keys=np.concatenate([each.doubt_keys for each in found]),
        bare=sum((each.bare for each in found), BareDigits()),
    )


def _group(countries: pl.Series) -> Iterator[tuple[str, Places]]:
    rows = countries.alias("country").to_frame().with_row_index("place")
    groups = rows.group_by("country", maintain_order=True).agg("place")
    for country, places in zip(groups["country"], groups["place"], strict=True):
        yield country, places.to_numpy().astype(np.intp)


def _read_group(texts: pl.Series, country: str, default_region: str | None) -> Readings:
    if country in _WITHOUT_REGION:
        return _rename(read_msisdns(texts, at_home=True), NATIONAL, _WITHOUT_REGION[country])
    if country == NOT_GIVEN:
        return read_msisdns(texts, default_region=default_region, at_home=default_region is None)
    found = read_msisdns(texts, default_region=main_region(country), at_home=True)
    found = _rename(found, NOT_HERE, NOT_THERE)
    if is_calling_code(country):
        return found
    return replace(found, bare=replace(found.bare, both=found.bare.both + found.bare.at_odds, at_odds=0))


def _rename(readings: Readings, reason: str, told: str) -> Readings:
    return replace(readings, rejected=readings.rejected.with_columns(pl.col("reason").replace(reason, told)))


def _move(readings: Readings, places: Places) -> Readings:
    """The same of texts that stand in these places of others; keys are in the order of the texts."""
    rejected = places[readings.rejected["index"].to_numpy()]
    return replace(
        readings,
        more_places=places[readings.more_places],
        rejected=readings.rejected.with_columns(index=pl.Series(rejected, dtype=pl.Int64)),
        doubt_places=places[readings.doubt_places],
    )
