"""Numbers into batches: as few as possible, as even as possible, none that the provider would refuse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from ekyc_tasks.errors import ConfigurationError

Numbers = npt.NDArray[np.int64]


def batch_sizes(count: int, *, batch_size: int, minimum: int) -> list[int]:
    """The sizes of the batches that ``count`` numbers make, each between ``minimum`` and ``batch_size``.

    Their sum is ``count`` wherever such sizes exist. Otherwise as many numbers as possible are packed and
    the rest, always fewer than ``minimum``, waits for company: the provider refuses smaller batches.

    Raises ConfigurationError when ``minimum`` and ``batch_size`` contradict each other.
    """
    _check_limits(batch_size, minimum)
    batches = -(-count // batch_size)
    if batches * minimum > count:  # an even split would fall below the minimum: full batches, and a rest
        batches -= 1
        count = batches * batch_size
    if batches < 1:
        return []
    size, larger = divmod(count, batches)
    return [size + 1] * larger + [size] * (batches - larger)


def pack(
    numbers: pl.Series | Numbers, *, batch_size: int, minimum: int, first: int | None = None
) -> list[Numbers]:
    """Cut int64 numbers into batches, in the order given; what is left at the end waits for company.

    ``first`` is the most that the first batch may hold; the others are packed as if it did not exist.
    The batches are views, not copies.

    Raises ConfigurationError for contradictory sizes, and for a ``first`` below ``minimum``.
    """
    values: Numbers = np.asarray(numbers, dtype=np.int64)
    sizes = _sizes_after_first(len(values), batch_size, minimum, first)
    ends = np.cumsum(sizes, dtype=np.int64)
    return [values[end - size : end] for size, end in zip(sizes, ends.tolist(), strict=True)]


def _sizes_after_first(count: int, batch_size: int, minimum: int, first: int | None) -> list[int]:
    _check_limits(batch_size, minimum)
    if first is None or first >= min(count, batch_size):
        return batch_sizes(count, batch_size=batch_size, minimum=minimum)
    if first < max(1, minimum):
        message = (
            f"A limit of {first} is below the smallest batch, {minimum}. Use a limit of {minimum} or more."
        )
        raise ConfigurationError(message)
    return [first, *batch_sizes(count - first, batch_size=batch_size, minimum=minimum)]


def _check_limits(batch_size: int, minimum: int) -> None:
    if batch_size < 1:
        raise ConfigurationError(f"BATCH_SIZE is {batch_size}. Use 1 or more.")
    if minimum > batch_size:
        message = (
            f"MIN_BATCH is {minimum}, above BATCH_SIZE, {batch_size}. Make BATCH_SIZE {minimum} or more."
        )
        raise ConfigurationError(message)
