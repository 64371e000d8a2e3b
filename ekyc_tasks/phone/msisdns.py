"""Sets of keys as sorted int64 arrays: eight bytes a number, whatever is done with them.

A key is a number's E.164 digits as an integer, without the ``+``. *Sorted keys* are ascending, each once.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Msisdns = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
AnyMsisdns = TypeVar("AnyMsisdns", Msisdns, npt.NDArray[np.uint32])

NO_MSISDN = 0  # in place of a number that was rejected, or of one that came back and cannot be read
NO_MSISDNS: Msisdns = np.empty(0, dtype=np.int64)

_CHUNK_KEYS = 1 << 20  # keys handled at a time, so that nothing but the sets themselves takes memory
_SPARSE_FACTOR = 16  # so many times fewer needles are better looked up one by one


class MsisdnBuffer:
    """Keys that come in blocks, in memory that grows without being copied."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, keys: Msisdns) -> None:
        self._bytes += keys.data

    def sort_keys(self) -> Msisdns:
        """What was added, as sorted keys; the buffer is theirs from then on."""
        keys: Msisdns = np.frombuffer(self._bytes, dtype=np.int64)
        return distinct(keys)


def distinct(keys: AnyMsisdns) -> AnyMsisdns:
    """Sorted keys, made in place; or sorted halves of keys."""
    keys.sort()
    is_first = np.empty(min(len(keys), _CHUNK_KEYS), dtype=np.bool_)
    kept, last = 0, None
    for start in range(0, len(keys), _CHUNK_KEYS):
        chunk = keys[start : start + _CHUNK_KEYS]
        first = is_first[: len(chunk)]
        first[0] = chunk[0] != last
        np.not_equal(chunk[1:], chunk[:-1], out=first[1:])
        last = chunk[-1].copy()
        kept = _move(keys, kept, chunk if first.all() else chunk[first])
    return keys[:kept]


def compact(keys: Msisdns, is_wanted: Flags) -> Msisdns:
    """Those that are wanted, made in place."""
    kept = 0
    for start in range(0, len(keys), _CHUNK_KEYS):
        chunk, wanted = keys[start : start + _CHUNK_KEYS], is_wanted[start : start + _CHUNK_KEYS]
        kept = _move(keys, kept, chunk if wanted.all() else chunk[wanted])
    return keys[:kept]


def _move(keys: AnyMsisdns, kept: int, chunk: AnyMsisdns) -> int:
    end = kept + len(chunk)
    keys[kept:end] = chunk
    return end


def places_in(keys: Msisdns, others: Msisdns) -> npt.NDArray[np.intp]:
    """Where in ``keys`` those stand that are among ``others``; both are sorted keys.

    The shorter is looked up in the longer, where both overlap: n log m, and no memory but the answer.
    """
    if not len(keys) or not len(others):
        return np.empty(0, dtype=np.intp)
    start, end = np.searchsorted(keys, [others[0], others[-1] + 1])
    mine = keys[start:end]
    found = _among(mine, others) if len(mine) * _SPARSE_FACTOR < len(others) else _by_chunks(mine, others)
    places: npt.NDArray[np.intp] = found + start
    return places


def _among(few: Msisdns, many: Msisdns) -> npt.NDArray[np.intp]:
    places = np.searchsorted(many, few).clip(max=len(many) - 1)
    found: npt.NDArray[np.intp] = np.flatnonzero(many[places] == few)
    return found


def _by_chunks(keys: Msisdns, others: Msisdns) -> npt.NDArray[np.intp]:
    found = [np.empty(0, dtype=np.intp)]
    for start in range(0, len(others), _CHUNK_KEYS):
        chunk = others[start : start + _CHUNK_KEYS]
        first, last = np.searchsorted(keys, [chunk[0], chunk[-1] + 1])
        near = keys[first:last]
        if len(near):
            places = np.searchsorted(near, chunk).clip(max=len(near) - 1)
            found.append(places[near[places] == chunk] + first)
    return np.concatenate(found)
