"""Numbers into batches: as few as possible, as even as possible, none that the provider would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.errors import ConfigurationError

Numbers = npt.NDArray[np.int64]
T = TypeVar("T")


def batch_sizes(count: int, *, batch_size: int, minimum: int, first: int | None = None) -> list[int]:
    """The sizes of the batches that ``count`` numbers make, each between ``minimum`` and ``batch_size``.

    Their sum is ``count`` wherever such sizes exist. Otherwise as many numbers as possible are packed and
    the rest, always fewer than ``minimum``, waits for more: the provider refuses smaller batches.

    ``first`` is the most that the first batch may hold; the others are packed as if it did not exist.

    Raises ConfigurationError for sizes that contradict each other, and for a ``first`` below ``minimum``.
    """
    _check_limits(batch_size, minimum)
    if first is None or first >= min(count, batch_size):
        return _even_sizes(count, batch_size, minimum)
    if first < max(1, minimum):
        message = (
            f"The limit {first} is below the minimum batch size {minimum}. Use a limit of {minimum} or more."
        )
        raise ConfigurationError(message)
    return [first, *_even_sizes(count - first, batch_size, minimum)]


def pack(
    numbers: pl.Series | Numbers, *, batch_size: int, minimum: int, first: int | None = None
) -> list[Numbers]:
    """Cut int64 numbers into batches (see `batch_sizes`), in the order given.

    What is left at the end waits for more numbers. The batches are views, not copies.
    """
    values: Numbers = np.asarray(numbers, dtype=np.int64)
    sizes = batch_sizes(len(values), batch_size=batch_size, minimum=minimum, first=first)
    ends = accumulate(sizes)
    return [values[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def fit_into(limit: int | None, batches: Iterable[T], size: Callable[[T], int]) -> list[T]:
    """The batches that a run takes, in their order: each that fits into what is left of ``limit`` numbers."""
    taken, left = [], limit
    for batch in batches:
        if left is None or size(batch) <= left:
            taken.append(batch)
            left = None if left is None else left - size(batch)
    return taken


def _even_sizes(count: int, batch_size: int, minimum: int) -> list[int]:
    batches = -(-count // batch_size)
    if batches * minimum > count:  # an even split would fall below the minimum: full batches, and a rest
        batches -= 1
        count = batches * batch_size
    if batches < 1:
        return []
    size, larger = divmod(count, batches)
    return [size + 1] * larger + [size] * (batches - larger)


def _check_limits(batch_size: int, minimum: int) -> None:
    if batch_size < 1:
        raise ConfigurationError(f"EKYC_BATCH_SIZE is {batch_size}. Use 1 or more.")
    if minimum > batch_size:
        message = (
            f"The minimum batch size is {minimum} (from EKYC_MIN_BATCH or from the provider), but "
            f"EKYC_BATCH_SIZE is {batch_size}. Set EKYC_BATCH_SIZE to {minimum} or more."
        )
        raise ConfigurationError(message)
