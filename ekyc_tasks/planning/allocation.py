"""What becomes of each number of a landed file. Arrays in, counts out; no I/O.

All keys are *sorted keys* (`ekyc_tasks.phone.msisdns`): a set takes eight bytes a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ekyc_tasks.models import Disposition
from ekyc_tasks.phone.msisdns import Msisdns, compact, places_in

Placement = tuple[Disposition, str | None]  # a fate, and the batch that it is about

_NOBODY = -1
_CHUNK_NUMBERS = 1 << 20


class FirstMatch:
    """Who was the first to claim each key of a pool, by the order of `add`: 0, 1, …"""

    def __init__(self, keys: Msisdns) -> None:
        self._keys = keys
        self._claims = np.full(len(keys), _NOBODY, dtype=np.int32)
        self._claimants = 0

    def add(self, others: Msisdns) -> None:
        places = places_in(self._keys, others)
        self._claims[places[self._claims[places] == _NOBODY]] = self._claimants
        self._claimants += 1

    def concern(self, others: Msisdns) -> bool:
        """Whether any of them is in the pool at all."""
        return len(places_in(self._keys, others)) > 0

    def of(self, keys: Msisdns) -> npt.NDArray[np.int32]:
        """The claimant of each of these keys of the pool; -1: none."""
        if keys is self._keys:
            return self._claims
        return self._claims[np.searchsorted(self._keys, keys)]


class Allocation:
    """The keys of one file, which it takes over. Each is settled once, by what comes first."""

    def __init__(self, keys: Msisdns) -> None:
        self.counts: Counter[Placement] = Counter()
        self.left = keys  # those without a fate

    def settle(self, others: Msisdns, verdict: Placement) -> None:
        """Whatever is left and among ``others`` has this fate."""
        places = places_in(self.left, others)
        if not len(places):
            return
        is_open = np.ones(len(self.left), dtype=np.bool_)
        is_open[places] = False
        self.counts[verdict] += len(is_open) - int(np.count_nonzero(is_open))
        self.left = compact(self.left, is_open)

    def settle_claimed(self, claims: FirstMatch, verdicts: Sequence[Placement | None]) -> None:
        """The same by claims; a claimant without a verdict for this file claims nothing of it."""
        if not verdicts:
            return
        is_open = np.array([True, *(verdict is None for verdict in verdicts)])
        found = np.zeros(len(is_open), dtype=np.int64)
        still_open = np.empty(len(self.left), dtype=np.bool_)
        claimants = claims.of(self.left)
        for start in range(0, len(self.left), _CHUNK_NUMBERS):
            codes = claimants[start : start + _CHUNK_NUMBERS] + 1
            found += np.bincount(codes, minlength=len(found))
            still_open[start : start + _CHUNK_NUMBERS] = is_open[codes]
        for place in np.flatnonzero(found[1:]).tolist():
            if verdict := verdicts[place]:
                self.counts[verdict] += int(found[place + 1])
        self.left = compact(self.left, still_open)

    def total(self, fate: Disposition) -> int:
        return sum(count for (each, _), count in self.counts.items() if each is fate)


@dataclass(frozen=True, slots=True)
class Pool:
    """What several files have left, each key once, and which file brings it: the first that has it."""

    keys: Msisdns
    owners: npt.NDArray[np.intp] | None  # index of the file; None: there is one file only


def pool_keys(files: Sequence[Msisdns]) -> Pool:
    filled = [keys for keys in files if len(keys)]
    if not filled:
        return Pool(np.empty(0, dtype=np.int64), None)
    if len(files) == 1:
        return Pool(files[0], None)
    keys: Msisdns = np.concatenate(files)
    owners = np.repeat(np.arange(len(files)), [len(each) for each in files])
    order = np.argsort(keys, kind="stable")  # of equal keys the one of the first file stays in front
    keys = keys[order]
    is_first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    return Pool(keys[is_first], owners[order[is_first]])


def carry(sortings: Sequence[Allocation], pool: Pool, batches: Sequence[tuple[str, Msisdns]]) -> None:
    """Settle what is left: in a batch on behalf of the first file that has it, in flight for the others,
    waiting when no batch has it. ``batches`` are consecutive parts of the pool, from its beginning."""
    brought = _count_brought(pool, [len(keys) for _, keys in batches], len(sortings))
    for index, sorting in enumerate(sortings):
        totals = _totals(sorting.left, [keys for _, keys in batches])
        for place, ((batch_id, _), total) in enumerate(zip(batches, totals, strict=True)):
            own = total if pool.owners is None else brought.get((index, place), 0)
            sorting.counts[Disposition.BATCHED, batch_id] += own
            sorting.counts[Disposition.IN_FLIGHT, batch_id] += total - own
        sorting.counts[Disposition.WAITING, None] += len(sorting.left) - sum(totals)
        sorting.counts = +sorting.counts


def _count_brought(pool: Pool, sizes: Sequence[int], files: int) -> dict[tuple[int, int], int]:
    """How many keys of each batch a file brings: (file, batch) → keys."""
    if pool.owners is None:
        return {}
    batch_of = np.repeat(np.arange(len(sizes)), sizes)
    pairs, counts = np.unique(pool.owners[: len(batch_of)] + batch_of * files, return_counts=True)
    return {
        (pair % files, pair // files): count
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }


def _totals(left: Msisdns, batches: Sequence[Msisdns]) -> list[int]:
    """How many of a file's keys are in each batch."""
    if not batches:
        return []
    edges = [keys[0] for keys in batches] + [batches[-1][-1] + 1]
    counts: list[int] = np.diff(np.searchsorted(left, edges)).tolist()
    return counts
