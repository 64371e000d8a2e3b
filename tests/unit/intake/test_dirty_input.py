"""The short versions of what `make torture` does with lines and files."""

from __future__ import annotations

import random

import polars as pl
from support.dirty_input import by_phonenumbers, mangled, mixed, outcome_of, packed_samples

from ekyc_tasks.phone import NO_MSISDN, read_msisdns


def test_international_numbers_are_those_that_phonenumbers_calls_possible():
    texts = mixed(random.Random(1), 5_000)  # noqa: S311
    readings = read_msisdns(pl.Series(texts))
    keys = readings.keys
    assert keys.tolist() == [by_phonenumbers(text) for text in texts]
    assert readings.rejected["index"].to_list() == [
        index for index, key in enumerate(keys) if key == NO_MSISDN
    ]


def test_mangled_files_are_read_or_refused_with_a_sentence(tmp_path):
    chance = random.Random(2)  # noqa: S311
    originals = packed_samples()
    outcomes = set()
    for _ in range(150):
        name, content = chance.choice(originals)
        (tmp_path / "copy").write_bytes(mangled(content, chance))
        outcomes.add(outcome_of(tmp_path / "copy", name))
    assert outcomes == {"read", "refused"}
