"""The do-not-send list: numbers that are never bought, whichever way a line of it is read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.phone import NO_MSISDN, read_msisdns
from ekyc_tasks.phone.msisdns import NO_MSISDNS, MsisdnBuffer, Msisdns
from ekyc_tasks.phone.possible_readings import list_twins, possible_readings

_LETTERS = "donotsend"  # of the list's name
_LIKENESS = 0.85  # of two names, where 1 is the same
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_COMMENT = re.compile(r"(?:^|(?<=\s))(?:#|//).*")
_LINES_NAMED = 3  # in one sentence
_PLAIN = r"^\+[1-9][0-9]{6,14}$"
_PLAIN_ABROAD = r"^\+?[1-9][0-9]{6,14}$"  # without a region there is one way to read bare digits
_HAS_TWINS = r"^\+?5[245]"


def keys_of_do_not_send(path: Path, *, region: str | None) -> Msisdns:
    """All numbers that the lines may mean, as sorted keys; none where there is no such file.

    Raises InputError when the file is not a text, or a line of it cannot be read: never skipped.
    """
    if not path.exists():
        return NO_MSISDNS.copy()
    numbered = [(number, line.strip()) for number, line in _list_lines(path) if line.strip()]
    if numbered and not re.search(r"\d", numbered[0][1]):  # a heading
        del numbered[0]
    numbers, lines = [number for number, _ in numbered], [line for _, line in numbered]
    keys, places_left = _read_plain(lines, _PLAIN if region else _PLAIN_ABROAD)
    buffer = MsisdnBuffer()
    buffer.add(keys)
    unclear = []
    for place in places_left:
        found = possible_readings(lines[place], region)
        buffer.add(np.array(sorted(found), dtype=np.int64))
        if not found:
            unclear.append(numbers[place])
    if unclear:
        raise InputError(
            f"In {path}, {_name_lines(unclear)} cannot be read as a phone number, so nothing is planned. "
            "Write each number with its calling code, or put a # in front of the line."
        )
    return buffer.sort_keys()


def find_misnamed(path: Path) -> list[Path]:
    """Files beside the list that were meant to be it, by their names: do-not-send.csv, Do_Not_Send.txt, …"""
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        return []
    return [each for each in beside if is_like_do_not_send(each.name) and not _is_the_list(each, path)]


def require_no_misnamed(path: Path) -> None:
    """InputError where there is no list, and a file that was meant to be it."""
    if not path.exists() and (misnamed := find_misnamed(path)):
        raise InputError(f"{describe_misnamed(misnamed[0], path)} Nothing is planned until then.")


def describe_misnamed(misnamed: Path, path: Path) -> str:
    return (
        f"{misnamed} is not read, because the do-not-send list has to be called {path.name}: a text with one "
        "number on each line. Rename or remove it."
    )


def require_not_the_list(name: str, path: Path) -> None:
    """InputError for a landed file that is called like the list: its numbers are the last to be bought."""
    if is_like_do_not_send(name.rpartition("/")[2]):
        raise InputError(
            f"{name} was not planned, because it has the name of the do-not-send list. Move it to {path}; or "
            "rename it if its numbers are to be checked."
        )


def is_like_do_not_send(name: str) -> bool:
    """Whether a file of this name was meant to be the list, or a part or a copy of it."""
    if name.startswith(".") or name.endswith("~"):
        return False
    letters = "".join(filter(str.isalpha, unicodedata.normalize("NFKC", name).casefold().split(".")[0]))
    if letters.startswith(_LETTERS):
        return True
    return SequenceMatcher(a=_LETTERS, b=letters, autojunk=False).ratio() >= _LIKENESS


def _is_the_list(path: Path, the_list: Path) -> bool:
    """By whatever name: to some file systems small and capital letters are the same."""
    return path == the_list or (the_list.exists() and path.samefile(the_list))


def _list_lines(path: Path) -> list[tuple[int, str]]:
    """The lines from 1, without comments."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}), so nothing is planned. Fix its permissions."
        ) from None
    lines = re.split(r"\r\n|\r|\n", _decode(content, path))
    return [(number, _COMMENT.sub("", line)) for number, line in enumerate(lines, start=1)]


def _decode(content: bytes, path: Path) -> str:
    is_wide = content.startswith(_UTF_16_MARKS)
    if b"\0" in content and not is_wide:
        raise InputError(
            f"{path} is not a text, so nothing is planned. Save it as a text with one number on each line."
        )
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # an older encoding has the same digits


def _read_plain(lines: Sequence[str], plain_digits: str) -> tuple[Msisdns, list[int]]:
    """The keys of all that is plain and has one reading, at once; and where the others are."""
    texts = pl.Series("text", lines, dtype=pl.String)
    plain = np.flatnonzero(texts.str.contains(plain_digits).to_numpy())
    keys = read_msisdns(texts.gather(plain)).keys
    plain, keys = plain[keys != NO_MSISDN], keys[keys != NO_MSISDN]
    doubled = texts.gather(plain).to_frame().filter(pl.col("text").str.contains(_HAS_TWINS))["text"]
    twins = [int(twin) for text in doubled for twin in list_twins(text.removeprefix("+"))]
    left = np.setdiff1d(np.arange(len(lines)), plain)
    return np.concatenate([keys, np.array(twins, dtype=np.int64)]), left.tolist()


def _name_lines(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:_LINES_NAMED]))
    more = f" and {len(numbers) - _LINES_NAMED:,} more" if len(numbers) > _LINES_NAMED else ""
    return f"line{'' if len(numbers) == 1 else 's'} {named}{more}"
