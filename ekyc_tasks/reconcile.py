"""What came back against what was sent: accepted, unreadable, unexpected, duplicate, missing.

Numbers are compared by their digits, as integers. Their lower halves, sorted, and one flag each take five
bytes a number; the upper halves are few, for they hold the country and the first digits behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ekyc_tasks.archive import Int64Array
from ekyc_tasks.keys import distinct
from ekyc_tasks.models import Reconciliation
from ekyc_tasks.normalize import UNREADABLE

Codes = npt.NDArray[np.uint8]
Halves = npt.NDArray[np.uint32]

_HALF_BITS = 32
_COUNTED_BITS = 16
_AT_A_TIME = 1 << 10


class RowFate(IntEnum):
    """What becomes of a returned row; all but the first are quarantined."""

    ACCEPTED = 0
    UNREADABLE = 1
    UNEXPECTED = 2
    DUPLICATE = 3


class Reconciler:
    """Sorts the rows of one batch, block by block, in the order in which they came back."""

    def __init__(self, submitted: Iterable[Int64Array]) -> None:
        """``submitted`` are the keys of what was sent, a part at a time, in any order."""
        self._shelves = {high: _Shelf.of(lows) for high, lows in _by_high_half(submitted).items()}
        self._rows = np.zeros(len(RowFate), dtype=np.int64)

    def sort(self, keys: Int64Array) -> Codes:
        """The `RowFate` of each row. Of rows with the same number the first that came is accepted."""
        order = _first_come_first(keys)
        in_order = keys[order]
        fates = np.empty(len(keys), dtype=np.uint8)
        fates[order] = self._fates(in_order)
        self._rows += np.bincount(fates, minlength=len(RowFate))
        return fates

    def _fates(self, keys: Int64Array) -> Codes:
        """The same for sorted keys."""
        fates = np.full(len(keys), RowFate.UNEXPECTED, dtype=np.uint8)
        fates[keys == UNREADABLE] = RowFate.UNREADABLE
        for high, lows, place in _halves(keys):
            if shelf := self._shelves.get(high):
                shelf.tell(lows, fates[place])
        return fates

    def count_unreadable(self, rows: int) -> None:
        """Rows that did not even have cells."""
        self._rows[RowFate.UNREADABLE] += rows

    def accounts(self, *, returned: int, accepted: int, cell_issues: int) -> Reconciliation:
        """The batch's accounts, none of them made to agree by subtraction.

        ``returned`` and ``accepted`` are the reader's and the writer's own counts (rows); missing numbers are
        counted among the submitted ones.
        """
        _, unreadable, unexpected, duplicate = (int(rows) for rows in self._rows)
        return Reconciliation(
            submitted=sum(len(shelf.lows) for shelf in self._shelves.values()),
            returned=returned,
            accepted=accepted,
            unreadable=unreadable,
            unexpected=unexpected,
            duplicate=duplicate,
            missing=sum(int(np.count_nonzero(~shelf.is_answered)) for shelf in self._shelves.values()),
            cell_issues=cell_issues,
        )


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The numbers that were sent and have one upper half in common: sorted lower halves, each once."""

    lows: Halves
    is_answered: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, lows: bytearray) -> _Shelf:
        once = distinct(np.frombuffer(lows, dtype=np.uint32))
        return cls(once, np.zeros(len(once), dtype=np.bool_))

    def tell(self, lows: Halves, fates: Codes) -> None:
        """Writes down the fates of sorted rows, where these numbers were sent."""
        places = _places(self.lows, lows)
        places.clip(max=len(self.lows) - 1, out=places)
        is_submitted = self.lows[places] == lows
        is_repeat = self.is_answered[places]
        is_repeat[1:] |= lows[1:] == lows[:-1]
        self.is_answered[places[is_submitted]] = True
        fates[is_submitted] = np.where(is_repeat[is_submitted], RowFate.DUPLICATE, RowFate.ACCEPTED)


def _by_high_half(parts: Iterable[Int64Array]) -> dict[int, bytearray]:
    """The lower halves of keys, four bytes each, by the upper half; buffers grow without being copied."""
    found: dict[int, bytearray] = defaultdict(bytearray)
    for keys in parts:
        highs = keys >> _HALF_BITS
        narrow = highs.astype(np.min_scalar_type(highs.max(initial=0)))  # 16 bits are sorted by counting
        for high, lows, _ in _halves(keys[narrow.argsort(kind="stable")]):
            found[high] += lows.data
    return found


def _halves(keys: Int64Array) -> Iterator[tuple[int, Halves, slice]]:
    """The upper halves, in order, of keys that are sorted by them; with their lower halves and places."""
    highs, lows = keys >> _HALF_BITS, keys.astype(np.uint32)
    starts = [0, *(np.flatnonzero(highs[1:] != highs[:-1]) + 1).tolist(), len(keys)]
    for start, end in pairwise(starts):
        if end > start:
            place = slice(start, end)
            yield int(highs[start]), lows[place], place


def _places(sent: Halves, lows: Halves) -> npt.NDArray[np.intp]:
    """`numpy.searchsorted` for needles that are sorted too: some at a time, in memory that is at hand."""
    if len(lows) <= _AT_A_TIME:
        return np.searchsorted(sent, lows)
    starts = range(0, len(lows), _AT_A_TIME)
    edges = [*np.searchsorted(sent, lows[::_AT_A_TIME]).tolist(), len(sent)]
    places = np.empty(len(lows), dtype=np.intp)
    for start, first, last in zip(starts, edges, edges[1:], strict=False):
        some = slice(start, start + _AT_A_TIME)
        places[some] = np.searchsorted(sent[first:last], lows[some])
        places[some] += first
    return places


def _first_come_first(keys: Int64Array) -> npt.NDArray[np.intp]:
    """The order that sorts the keys, equal ones as they came; numpy sorts 16 bits at a time by counting."""
    order = np.arange(len(keys))
    for shift in range(0, int(keys.max(initial=0)).bit_length(), _COUNTED_BITS):
        digits = (keys[order] >> shift).astype(np.uint16)
        order = order[digits.argsort(kind="stable")]
    return order
