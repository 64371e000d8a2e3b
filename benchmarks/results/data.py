"""A result archive of any size and the numbers that were sent for it: seeded, so the same everywhere.

Rows are those of the provider's page for ``tg_avatar``: 62 % have an account, 60 % of these a picture, 1 %
of values are written otherwise. 0.1 % of the rows are bad (an unreadable number, one that was not sent, an
age that is none), 0.5 % come twice, 0.1 % never. They come back in another order than they were sent.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

CHUNK = 500_000
SEED = 20_260_101

_AREAS = np.array([41, 49, 33, 44, 1, 91, 55, 998]) * 10**9
_STEP, _RING = 387_420_489, 10**9  # coprime: every number once
_CATEGORIES = ["individual portrait", "individual portrait", "pet avatar", "object", "landscape", "cartoon"]
_HAIR = ["black", "brown", "blonde", "gray", "red"]
_SKIN = ["white", "black", "brown", "yellow"]
_GENDERS = ["male", "female"]
_AGES = [str(age) for age in range(16, 66)]
_ODD_AGES = ["unknown", "30-35", "25~34"]
_ODD_GENDERS = ["Male", "unknown", "Female"]

Int64s = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """``archive`` answers ``numbers``, a file of one number a line."""

    archive: Path
    numbers: Path


def sample(folder: Path, rows: int) -> Sample:
    """Made once for each count of rows; a half-written one is made again."""
    made = Sample(folder / f"{rows}.zip", folder / f"{rows}.txt")
    folder.mkdir(parents=True, exist_ok=True)
    if not made.numbers.exists():
        _write_archive(made.archive, rows)
        _write_numbers(made.numbers, rows)
    return made


def _write_numbers(path: Path, rows: int) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for start in range(0, rows, CHUNK):
            numbers = _numbers(np.arange(start, min(start + CHUNK, rows)))
            file.write(pl.DataFrame({"number": numbers}).write_csv(include_header=False).encode())
    part.replace(path)


def _write_archive(path: Path, rows: int) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
        archive.open("d4g8o46p2jvh04o9uolg/all.csv", "w", force_zip64=True) as member,
    ):
        for position, frame in enumerate(_chunks(rows)):
            member.write(frame.write_csv(include_header=position == 0).encode())


def _chunks(rows: int) -> Iterator[pl.DataFrame]:
    random = np.random.default_rng(SEED)
    order = random.permutation(rows)
    again = pl.DataFrame()
    for start in range(0, rows, CHUNK):
        answers = _answers(order[start : start + CHUNK], rows, random)
        yield pl.concat([answers, again]) if again.height else answers
        again = answers.filter(random.random(answers.height) < 0.005)
    yield again


def _answers(places: Int64s, rows: int, random: np.random.Generator) -> pl.DataFrame:
    places = places[random.random(len(places)) >= 0.001]
    drawn = partial(_drawn, random, len(places))
    fate, odd = random.random(len(places)), random.random(len(places)) < 0.01
    is_known = random.random(len(places)) >= 0.01
    has_account = random.random(len(places)) < 0.62
    has_picture = has_account & is_known & (random.random(len(places)) < 0.6)
    category = drawn(_CATEGORIES)
    is_portrait = has_picture & (category == "individual portrait").to_numpy()
    age = _either(fate > 0.9995, pl.Series(["old"]).new_from_index(0, len(places)), drawn(_AGES))
    return pl.DataFrame(
        {
            "Number": _numbers(places + rows * ((fate >= 0.0005) & (fate < 0.00075))).set(
                pl.Series(fate < 0.0005), "number lost"
            ),
            "telegram": _where(is_known, pl.Series(np.where(has_account, "yes", "no"))),
            "avatar": _where(has_picture, _links(random, len(places))).set(
                pl.Series(odd & ~has_picture), "unknown"
            ),
            "age": _where(is_portrait, _either(odd, drawn(_ODD_AGES), age)),
            "gender": _where(is_portrait, _either(odd, drawn(_ODD_GENDERS), drawn(_GENDERS))),
            "category": _where(has_picture, _either(odd, category.str.replace(" ", "_"), category)),
            "hair_color": _where(is_portrait, drawn(_HAIR)),
            "skin_color": _where(is_portrait, drawn(_SKIN)),
        }
    )


def _drawn(random: np.random.Generator, rows: int, words: Sequence[str]) -> pl.Series:
    return pl.Series(words).gather(random.integers(0, len(words), rows))


def _links(random: np.random.Generator, rows: int) -> pl.Series:
    marks = pl.Series(random.integers(0, 1 << 32, rows)).cast(pl.String).str.zfill(10)
    return "https://example.com/avatars/" + marks + ".jpg"


def _where(is_meant: Flags, text: pl.Series) -> pl.Series:
    return text.set(pl.Series(~is_meant), None)


def _either(is_meant: Flags, text: pl.Series, other: pl.Series) -> pl.Series:
    return text.zip_with(pl.Series(is_meant), other)


def _numbers(places: Int64s) -> pl.Series:
    keys = _AREAS[places % len(_AREAS)] + (places * _STEP) % _RING
    return pl.select("+" + pl.Series("number", keys).cast(pl.String)).to_series()
