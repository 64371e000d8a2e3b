"""The numbers of batches on disk: the text that is sent, and the same as sorted keys to look them up in."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from ekyc_tasks.disk import discard, open_private, private_dir, publish, staged
from ekyc_tasks.errors import InputError
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.keys import Keys, distinct

_CHUNK = 1 << 18  # numbers turned into text at a time: with more, the kernel is busy finding memory


def write_batch(folder: DataFolder, batch_id: str, keys: Keys) -> str:
    """Write a batch's files, whole or not at all; the SHA-256 of the text. ``keys`` are sorted keys."""
    digest = sha256()
    with staged(folder.staging) as path:
        with open_private(path) as file:
            for start in range(0, len(keys), _CHUNK):
                text = _lines(keys[start : start + _CHUNK])
                digest.update(text)
                file.write(text)
        publish(path, folder.batch_file(batch_id))
    _write_keys(folder, batch_id, keys)
    return digest.hexdigest()


def keys_of_batch(folder: DataFolder, batch_id: str, *, numbers: int) -> Keys:
    """Sorted keys of a batch of so many numbers, mapped from disk where they are there.

    Raises InputError when the numbers cannot be read: others might be bought twice.
    """
    path = folder.keys_file(batch_id)
    try:
        if numbers and path.stat().st_size == numbers * np.dtype(np.int64).itemsize:
            return np.memmap(path, dtype=np.int64, mode="r")
    except OSError:  # an older batch, or somebody has tidied up: the text has them too
        pass
    return distinct(_read_text(folder.batch_file(batch_id), batch_id))


def sweep(folder: DataFolder, known: set[str]) -> None:
    """Files that a killed planning left before its commit belong to nobody."""
    for path in (*folder.batches.glob("*.txt"), *folder.keys.glob("*.i64")):
        if path.stem not in known:
            discard(path)


def _write_keys(folder: DataFolder, batch_id: str, keys: Keys) -> None:
    private_dir(folder.keys)
    with staged(folder.staging) as path:
        with open_private(path) as file:
            file.write(keys.data)
        publish(path, folder.keys_file(batch_id))


def _read_text(path: Path, batch_id: str) -> Keys:
    try:
        frame = pl.read_csv(path, has_header=False, new_columns=["key"], schema={"key": pl.Int64})
    except (OSError, pl.exceptions.PolarsError):
        raise InputError(
            f"Nothing was planned: {path}, the numbers of batch {batch_id}, cannot be read; "
            "restore it from a backup, or numbers might be bought twice."
        ) from None
    keys: Keys = frame["key"].to_numpy(writable=True)
    return keys


def _lines(keys: Keys) -> memoryview:
    """One number a line, with its ``+``."""
    text = BytesIO()
    text.write(b"+")
    pl.DataFrame({"key": keys}).write_csv(text, include_header=False, line_terminator="\n+")
    return text.getbuffer()[:-1]
