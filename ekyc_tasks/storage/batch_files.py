"""The numbers of batches on disk: the text that is sent, and the same as sorted keys to look them up in."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.normalize import is_in_range, number_keys
from ekyc_tasks.phone import digit_counts
from ekyc_tasks.phone.msisdns import NO_MSISDNS, Msisdns, distinct
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import open_private, private_dir, publish, stage_file

_CHUNK_BYTES = 4 << 20
_SHORTEST_LINE = 7  # bytes: six digits and a newline
_AS_LINES: dict[str, Any] = {"has_header": False, "separator": "\0", "quote_char": None}  # \0: in no line
_CHUNK_NUMBERS = 1 << 18  # numbers turned into text at a time: with more, the kernel is busy finding memory


def write_batch(folder: DataFolder, batch_id: str, keys: Msisdns) -> str:
    """Write a batch's files, whole or not at all; the SHA-256 of the text. ``keys`` are sorted keys."""
    with stage_file(folder.staging) as path:
        digest = write_list(path, keys)
        publish(path, folder.batch_file(batch_id))
    _write_keys(folder, batch_id, keys)
    return digest


def write_list(path: Path, keys: Msisdns) -> str:
    """The text that is sent, into a private file; its SHA-256."""
    digest = sha256()
    with open_private(path) as file:
        for start in range(0, len(keys), _CHUNK_NUMBERS):
            text = _lines(keys[start : start + _CHUNK_NUMBERS])
            digest.update(text)
            file.write(text)
    return digest.hexdigest()


def keys_of_batch(folder: DataFolder, batch_id: str, *, numbers: int) -> Msisdns:
    """Sorted keys of a batch of so many numbers, mapped from disk where they are there.

    Raises InputError when the numbers cannot be read: others might be bought twice.
    """
    path = folder.keys_file(batch_id)
    try:
        if numbers and path.stat().st_size == numbers * np.dtype(np.int64).itemsize:
            return np.memmap(path, dtype=np.int64, mode="r")
    except OSError:  # an older batch, or the file was deleted: the text has the numbers too
        pass
    return _read_text(folder.batch_file(batch_id), batch_id, numbers)


def _write_keys(folder: DataFolder, batch_id: str, keys: Msisdns) -> None:
    private_dir(folder.keys)
    with stage_file(folder.staging) as path:
        with open_private(path) as file:
            file.write(keys.data)
        publish(path, folder.keys_file(batch_id))


def _read_text(path: Path, batch_id: str, numbers: int) -> Msisdns:
    problem = "was changed since it was planned"
    try:
        keys = distinct(np.concatenate([NO_MSISDNS, *keys_in(path)]))
        if len(keys) == numbers:
            return keys
    except (OSError, ValueError):
        problem = "cannot be read"
    raise InputError(
        f"Nothing was planned: {path}, the numbers of batch {batch_id}, {problem}. Restore it from a backup; "
        "without it, numbers might be bought twice."
    )


def _lines(keys: Msisdns) -> memoryview:
    """One number a line, with its ``+``."""
    text = BytesIO()
    text.write(b"+")
    pl.DataFrame({"key": keys}).write_csv(text, include_header=False, line_terminator="\n+")
    return text.getbuffer()[:-1]


# --- a list of numbers → keys ---------------------------------------------------------------------------


def keys_in(numbers: Path) -> Iterator[Msisdns]:
    """The keys of a file with one number a line, part by part; ValueError where a line is none."""
    with numbers.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            lines = chunk + file.readline()
            plain = _plain_keys(lines)
            yield _any_keys(lines) if plain is None else plain


def is_as_sent(numbers: Path) -> bool:
    """Whether it holds a ``+`` and digits on each line, as this project writes them, and nothing else."""
    found = False
    with numbers.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found = _plain_keys(chunk + file.readline()) is not None
            if not found:
                return False
    return found


def _plain_keys(lines: bytes) -> Msisdns | None:
    """Where each line is a ``+`` and digits, as this project writes them; None where one is not.

    A line that is a number has one ``+`` at most; so their count, and that of all digits, prove it of each.
    """
    try:
        keys = pl.read_csv(lines, schema={"key": pl.Int64}, **_AS_LINES).to_series()
    except pl.exceptions.PolarsError:
        return None
    if not is_in_range(keys).all() or keys.has_nulls():
        return None
    plain: Msisdns = keys.to_numpy()
    signs = np.count_nonzero(np.frombuffer(lines, dtype=np.uint8) == ord("+"))
    ends = len(plain) - (not lines.endswith(b"\n"))
    is_plain = signs == len(plain) and len(lines) == signs + digit_counts(plain).sum() + ends
    return plain if is_plain else None


def _any_keys(lines: bytes) -> Msisdns:
    """As results have them too: with spaces, blank lines, without ``+``."""
    keys = number_keys(_texts(lines))
    if keys.has_nulls():
        raise ValueError("a line is not a number")
    found: Msisdns = keys.to_numpy()
    return found


def _texts(lines: bytes) -> pl.Series:
    """The lines that are not blank; what is no text is no number either."""
    plain = lines if lines.isascii() and b"\0" not in lines else b"?\n"
    try:
        texts = pl.read_csv(plain, schema={"number": pl.String}, **_AS_LINES).to_series().drop_nulls()
    except pl.exceptions.NoDataError:
        return pl.Series("number", [], dtype=pl.String)
    is_blank = texts.str.len_bytes() < _SHORTEST_LINE - 1
    return texts.filter(~(is_blank & (texts.str.strip_chars() == ""))) if is_blank.any() else texts
