"""What came back against what was sent: accepted, unreadable, unexpected, duplicate, missing.

Numbers are compared by their digits, as integers: their lower halves, where they stand, and who
answered take six bytes a number at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ekyc_tasks.models import Reconciliation
from ekyc_tasks.phone.msisdns import NO_MSISDN
from ekyc_tasks.results.key_index import Halves, KeyIndex, by_upper_half, first_come_first
from ekyc_tasks.tabular import Int64Array

Codes = npt.NDArray[np.uint8]

_LAST_TIER = 255


class RowDisposition(IntEnum):
    """What becomes of a row. Further tables are read only for the numbers that better ones lack."""

    ACCEPTED = 0
    UNREADABLE = 1
    UNEXPECTED = 2
    DUPLICATE = 3
    KNOWN = 4  # of a further table; a better one has it, so it is none that came back
    STRAY = 5  # of a further table, about no number that was sent: nor is this one


class Reconciler:
    """Sorts the rows of one batch, block by block, in the order in which they came back."""

    def __init__(self, submitted: Iterable[Int64Array]) -> None:
        """``submitted`` are the keys of what was sent, a part at a time, in any order; asked for late."""
        self._submitted = submitted
        self._tier = 1
        self._rows = np.zeros(len(RowDisposition), dtype=np.int64)

    def gather(self) -> None:
        """Takes all of what was submitted, which is done when it is needed at the latest."""
        len(self._sent)

    @cached_property
    def _sent(self) -> dict[int, _Sent]:
        return {upper: _Sent.of(lows) for upper, lows in _by_upper_half(self._submitted).items()}

    def sort(self, keys: Int64Array) -> Codes:
        """The `RowDisposition` of each row. Of rows with the same number the first that came is accepted."""
        fates = np.full(len(keys), RowDisposition.UNEXPECTED, dtype=np.uint8)
        for upper, lows, places in by_upper_half(keys):
            if sent := self._sent.get(upper):
                in_order, rows = first_come_first(lows, places)
                fates[rows] = sent.fates(in_order, self._tier)
        fates[keys == NO_MSISDN] = RowDisposition.UNREADABLE
        if self._is_further:
            fates[fates == RowDisposition.UNEXPECTED] = RowDisposition.STRAY
        self._rows += np.bincount(fates, minlength=len(RowDisposition))
        return fates

    def count_unreadable(self, rows: int) -> None:
        """Rows that did not even have cells."""
        self._rows[RowDisposition.UNREADABLE] += rows

    def begin_tier(self) -> None:
        """From now on rows come from further tables, which hold those of earlier ones again."""
        self._tier = min(self._tier + 1, _LAST_TIER)

    @property
    def _is_further(self) -> bool:
        return self._tier > 1

    def lacks(self, keys: Int64Array) -> bool:
        """Whether one of these numbers was sent and is not answered yet."""
        halves = ((self._sent.get(upper), lows) for upper, lows, _ in by_upper_half(keys))
        return any(sent.lacks(lows) for sent, lows in halves if sent)

    @property
    def accepted(self) -> int:
        return int(self._rows[RowDisposition.ACCEPTED])

    @property
    def stray(self) -> int:
        return int(self._rows[RowDisposition.STRAY])

    @property
    def submitted(self) -> int:
        return sum(len(sent.shelf.lows) for sent in self._sent.values())

    @property
    def missing(self) -> int:
        """Sent numbers that are not answered, counted one by one."""
        return sum(int(np.count_nonzero(sent.answered_by == 0)) for sent in self._sent.values())

    def accounts(self, *, returned: int, accepted: int, cell_issues: int) -> Reconciliation:
        """The batch's accounts, none of them made to agree by subtraction.

        ``returned`` and ``accepted`` are the reader's and the writer's own counts (rows); missing numbers are
        counted among the submitted ones.
        """
        _, unreadable, unexpected, duplicate, *_ = (int(rows) for rows in self._rows)
        return Reconciliation(
            submitted=self.submitted,
            returned=returned,
            accepted=accepted,
            unreadable=unreadable,
            unexpected=unexpected,
            duplicate=duplicate,
            missing=self.missing,
            cell_issues=cell_issues,
        )


@dataclass(frozen=True, slots=True)
class _Sent:
    """The numbers that were sent and have one upper half in common; each is answered by a tier, or by 0."""

    shelf: KeyIndex
    answered_by: Codes

    @classmethod
    def of(cls, lows: bytearray) -> _Sent:
        shelf = KeyIndex(np.frombuffer(lows, dtype=np.uint32))
        return cls(shelf, np.zeros(len(shelf.lows), dtype=np.uint8))

    def fates(self, lows: Halves, tier: int) -> Codes:
        """Of sorted rows, which are answers from now on."""
        places = self.shelf.places(lows)
        is_submitted = self.shelf.lows[places] == lows
        answered_by = self.answered_by[places]
        is_repeat = answered_by == tier
        is_repeat[1:] |= lows[1:] == lows[:-1]
        is_known = (answered_by > 0) & (answered_by < tier)
        self.answered_by[places[is_submitted & ~is_known]] = tier
        fates = np.where(is_repeat, np.uint8(RowDisposition.DUPLICATE), np.uint8(RowDisposition.ACCEPTED))
        fates[is_known] = RowDisposition.KNOWN
        fates[~is_submitted] = RowDisposition.UNEXPECTED
        return fates

    def lacks(self, lows: Halves) -> bool:
        places = self.shelf.places(lows)
        return bool(((self.shelf.lows[places] == lows) & (self.answered_by[places] == 0)).any())


def _by_upper_half(parts: Iterable[Int64Array]) -> dict[int, bytearray]:
    """The lower halves of keys, four bytes each, by the upper half; buffers grow without being copied."""
    found: dict[int, bytearray] = defaultdict(bytearray)
    for keys in parts:
        for upper, lows, _ in by_upper_half(keys):
            found[upper] += lows.data
    return found
