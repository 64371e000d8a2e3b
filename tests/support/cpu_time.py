"""CPU seconds of one machine on every machine, idle or busy: a neighbour slows each core."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_TEXT = bytes(range(256)) * 1_000
# What `_known_work` took on the quiet machine on which the bounds were set.
_QUIET_SECONDS = 0.045


def steady_seconds(work: Callable[[], T], cpu: Callable[[], float] = time.process_time) -> tuple[T, float]:
    """What ``work`` gives, and the CPU seconds that it would have taken on that machine."""
    before, began = _known_work(), cpu()
    result = work()
    took = cpu() - began
    return result, took * _QUIET_SECONDS / max(before, _known_work(), _QUIET_SECONDS)


def _known_work() -> float:
    """CPU seconds, now and here, of arithmetic and of passes over memory."""
    began = time.process_time()
    sum(number * number for number in range(1_000_000))
    for _ in range(10):
        zlib.compress(_TEXT)
    return time.process_time() - began
