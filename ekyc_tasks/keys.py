"""Sets of keys as sorted int64 arrays: eight bytes a number, whatever is done with them.

A key is a number's E.164 digits as an integer, without the ``+``. *Sorted keys* are ascending, each once.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
AnyKeys = TypeVar("AnyKeys", Keys, npt.NDArray[np.uint32])

NO_KEYS: Keys = np.empty(0, dtype=np.int64)

_CHUNK = 1 << 20  # keys handled at a time, so that nothing but the sets themselves takes memory
_SPARSE = 16  # so many times fewer needles are better looked up one by one


class KeyBuffer:
    """Keys that come in blocks, in memory that grows without being copied."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, keys: Keys) -> None:
        self._bytes += keys.data

    def sorted(self) -> Keys:
        """What was added, as sorted keys; the buffer is theirs from then on."""
        keys: Keys = np.frombuffer(self._bytes, dtype=np.int64)
        return distinct(keys)


def distinct(keys: AnyKeys) -> AnyKeys:
    """Sorted keys, made in place; or sorted halves of keys."""
    keys.sort()
    is_first = np.empty(min(len(keys), _CHUNK), dtype=np.bool_)
    kept, last = 0, None
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        first = is_first[: len(chunk)]
        first[0] = chunk[0] != last
        np.not_equal(chunk[1:], chunk[:-1], out=first[1:])
        last = chunk[-1].copy()
        kept = _moved(keys, kept, chunk if first.all() else chunk[first])
    return keys[:kept]


def compacted(keys: Keys, is_wanted: Flags) -> Keys:
    """Those that are wanted, made in place."""
    kept = 0
    for start in range(0, len(keys), _CHUNK):
        chunk, wanted = keys[start : start + _CHUNK], is_wanted[start : start + _CHUNK]
        kept = _moved(keys, kept, chunk if wanted.all() else chunk[wanted])
    return keys[:kept]


def _moved(keys: AnyKeys, kept: int, chunk: AnyKeys) -> int:
    end = kept + len(chunk)
    keys[kept:end] = chunk
    return end


def places_in(keys: Keys, others: Keys) -> npt.NDArray[np.intp]:
    """Where in ``keys`` those stand that are among ``others``; both are sorted keys.

    The shorter is looked up in the longer, where both overlap: n log m, and no memory but the answer.
    """
    if not len(keys) or not len(others):
        return np.empty(0, dtype=np.intp)
    start, end = np.searchsorted(keys, [others[0], others[-1] + 1])
    mine = keys[start:end]
    found = _among(mine, others) if len(mine) * _SPARSE < len(others) else _by_chunks(mine, others)
    places: npt.NDArray[np.intp] = found + start
    return places


def _among(few: Keys, many: Keys) -> npt.NDArray[np.intp]:
    places = np.searchsorted(many, few).clip(max=len(many) - 1)
    found: npt.NDArray[np.intp] = np.flatnonzero(many[places] == few)
    return found


def _by_chunks(keys: Keys, others: Keys) -> npt.NDArray[np.intp]:
    found = [np.empty(0, dtype=np.intp)]
    for start in range(0, len(others), _CHUNK):
        chunk = others[start : start + _CHUNK]
        first, last = np.searchsorted(keys, [chunk[0], chunk[-1] + 1])
        near = keys[first:last]
        if len(near):
            places = np.searchsorted(near, chunk).clip(max=len(near) - 1)
            found.append(places[near[places] == chunk] + first)
    return np.concatenate(found)
