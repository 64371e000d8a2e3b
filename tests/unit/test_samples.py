"""The committed samples: made by their script, and read as they were meant."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import polars as pl
import pytest
from support.landed_lines import read_lines
from support.phone_readings import numbers_of

from ekyc_tasks.phone import calling_codes, digit_counts, reasons

DATA = Path(__file__).parents[2] / "data"
SAMPLES = DATA / "samples"
NAMES = ["campaign.txt", "crm-export.csv", "partners.csv.gz", "signups.tsv"]


@pytest.fixture(scope="module")
def make_samples():
    spec = importlib.util.spec_from_file_location("make_samples", DATA / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_committed_files(make_samples):
    made = make_samples.samples()
    committed = {path.name: path.read_bytes() for path in SAMPLES.iterdir()}
    assert sorted(committed) == sorted(made) == NAMES
    assert {name: unpacked(made[name]) == unpacked(committed[name]) for name in NAMES} == dict.fromkeys(
        NAMES, True
    )


def unpacked(content: bytes) -> bytes:
    """Packed bytes differ between versions of zlib; what is packed may not."""
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


@pytest.fixture(scope="module")
def lines():
    read = [read_lines(SAMPLES / name, name=name).with_columns(file=pl.lit(name)) for name in NAMES]
    table = pl.concat(read)
    return pl.concat([table, numbers_of(table["text"])], how="horizontal")


def test_every_number_is_found_again(make_samples, lines):
    meant = {make_samples.e164(number) for number in make_samples.numbers_of_the_world()}
    assert len(meant) == 4_000
    assert set(lines["number"].drop_nulls()) == meant


def test_they_come_from_everywhere(lines):
    keys = lines["number"].drop_nulls().cast(pl.Int64).to_numpy()
    assert calling_codes(keys, digit_counts(keys)).n_unique() > 200


def test_they_hold_the_dirt_that_lists_have(lines):
    content = lines.filter(~pl.col("is_blank") & ~pl.col("is_header"))
    accepted = content.filter(pl.col("number").is_not_null())
    expected = {
        reasons.COMMENT,
        reasons.NATIONAL,
        reasons.NO_DIGITS,
        reasons.ROUNDED,
        reasons.TOO_SHORT,
    }
    assert expected <= set(content["reason"].drop_nulls())
    assert lines["is_blank"].sum() > 20
    assert lines["is_header"].sum() == 2
    assert accepted.select("number", "file").is_duplicated().sum() > 100  # inside a file
    assert accepted.select("number", "file").unique()["number"].is_duplicated().sum() > 200  # across files
    assert (accepted["text"] != accepted["number"]).mean() > 0.3
