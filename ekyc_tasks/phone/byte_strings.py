"""Many short texts in one piece of bytes, and the digits in them without a String for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ekyc_tasks.phone.msisdns import Msisdns

Places = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_DIGITS = 16  # of one text: two words of eight bytes
_PART_TEXTS = 1 << 15  # texts at a time

_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_WORD = 8
_PLUS, _NEWLINE = b"+\n"
_ZEROS = np.uint64(0x3030303030303030)  # a word of digits, xor this: their values
_ABOVE_NINE = np.uint64(0x7676767676767676)  # carries every value above nine into its highest bit
_HIGHEST_BITS = np.uint64(0x8080808080808080)
_PAIRS = np.uint64(0x000000FF000000FF)


def _last_bytes(count: int) -> int:
    """A mask of the last bytes of a word, which are its highest."""
    return (1 << 64) - (1 << 8 * (_WORD - count))


_FIRST_WORD = np.array([_last_bytes(max(0, count - _WORD)) for count in range(MOST_DIGITS + 1)], np.uint64)
_SECOND_WORD = np.array([_last_bytes(min(count, _WORD)) for count in range(MOST_DIGITS + 1)], np.uint64)


class Texts:
    """Texts by where each starts and ends in ``data``, which has room around them (`_with_room`)."""

    def __init__(self, data: _Bytes, starts: Places, ends: Places) -> None:
        self._data, self._starts, self._ends = data, starts, ends

    @classmethod
    def of_lines(cls, lines: bytes) -> Texts:
        """One text a line; each ends with a newline."""
        data = np.frombuffer(lines, dtype=np.uint8)
        ends = np.flatnonzero(data == _NEWLINE)
        starts = np.zeros_like(ends)
        np.add(ends[:-1], 1, out=starts[1:])
        return cls(_with_room(data), starts, ends)

    @classmethod
    def of(cls, texts: pl.Series) -> Texts:
        """A null is an empty one."""
        filled = texts.fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = filled.buffers()
        edges = np.frombuffer(offsets, dtype=np.int64)[filled.offset : filled.offset + len(filled) + 1]
        return cls(_with_room(np.frombuffer(data or b"", dtype=np.uint8)), edges[:-1], edges[1:])

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def sizes(self) -> Counts:
        """In bytes."""
        return self._ends - self._starts

    def parts(self) -> Iterator[tuple[slice, Texts]]:
        """All of them, a few thousand at a time, so that what is made of them stays near the processor."""
        for start in range(0, len(self), _PART_TEXTS):
            part = slice(start, start + _PART_TEXTS)
            yield part, Texts(self._data, self._starts[part], self._ends[part])

    def gather(self, places: Places) -> pl.Series:
        """Some of them, as they are written."""
        sizes = self.sizes[places]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        bytes_at = np.repeat(self._starts[places] - offsets[:-1] + MOST_DIGITS, sizes)
        bytes_at += np.arange(offsets[-1])
        data = pa.py_buffer(self._data[bytes_at])
        texts = pa.LargeStringArray.from_buffers(len(places), pa.py_buffer(offsets), data)
        return cast(pl.Series, pl.from_arrow(texts))

    def without(self, characters: bytes) -> Texts:
        """What is left of each when some characters are taken out."""
        is_kept = np.ones(256, dtype=np.bool_)
        is_kept[list(characters)] = False
        keeps = is_kept[self._data[MOST_DIGITS:-1]]
        edges = np.concatenate([[0], np.cumsum(keeps)])
        data = self._data[MOST_DIGITS:-1][keeps]
        return Texts(_with_room(data), edges[self._starts], edges[self._ends])

    def have_plus(self) -> Flags:
        has_plus: Flags = self._data[self._starts + MOST_DIGITS] == _PLUS
        has_plus &= self._ends > self._starts
        return has_plus

    def behind(self, sizes: Counts | Flags) -> Texts:
        """What comes behind so many bytes of each."""
        return Texts(self._data, self._starts + sizes, self._ends)

    def shorten(self, sizes: Counts | int) -> Texts:
        """No more than so many bytes of each."""
        return Texts(self._data, self._starts, np.minimum(self._ends, self._starts + sizes))

    def values(self, digits: Counts) -> tuple[Msisdns, Flags]:
        """What the last so many characters of each say, and whether they are digits all (and `MOST_DIGITS`
        at most)."""
        shown = np.minimum(digits, MOST_DIGITS)
        words = np.ndarray((len(self._data) - _WORD + 1,), dtype="<u8", buffer=self._data.data, strides=(1,))
        first = (words[self._ends] ^ _ZEROS) & _FIRST_WORD[shown]
        second = (words[self._ends + _WORD] ^ _ZEROS) & _SECOND_WORD[shown]
        others = ((first + _ABOVE_NINE) | first | (second + _ABOVE_NINE) | second) & _HIGHEST_BITS
        values = (_value(first) * np.uint64(10**_WORD) + _value(second)).view(np.int64)
        return values, (others == 0) & (digits <= MOST_DIGITS)


def _with_room(data: _Bytes) -> _Bytes:
    """For the two words that end where the first text does, and for a look behind the last one."""
    roomy = np.empty(len(data) + MOST_DIGITS + 1, dtype=np.uint8)
    roomy[:MOST_DIGITS] = roomy[-1] = 0
    roomy[MOST_DIGITS:-1] = data
    return roomy


def _value(word: _Words) -> _Words:
    """The number that eight digits make, the first of them in the lowest byte: neighbours are joined to
    pairs, pairs to fours, and these to one."""
    pairs = word * np.uint64(10) + (word >> np.uint64(8))
    outer = (pairs & _PAIRS) * np.uint64(100 + (1_000_000 << 32))
    inner = ((pairs >> np.uint64(16)) & _PAIRS) * np.uint64(1 + (10_000 << 32))
    return (outer + inner) >> np.uint64(32)
