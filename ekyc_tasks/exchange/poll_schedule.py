"""When to ask next. Pure arithmetic in seconds; randomness is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_JITTER = 0.1
_BLIND_SHARE = 1 / 3  # without known progress, wait a third of the time already spent
_LEAST_SHARE = 1 / 16  # "nearly done" may last: the last numbers are slow, or are never counted


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """Between ``shortest`` and ``longest`` seconds from one question to the next.

    With progress known, ask about half-way through the remaining time that it lets expect: a few
    questions close in on the end of a task of any length. ``random`` gives 0 ≤ x < 1.
    """

    shortest: float
    longest: float
    random: Callable[[], float]

    def after_answer(self, elapsed: float, *, success: int | None, total: int | None) -> float:
        """``elapsed``: seconds since the upload was accepted."""
        return self._jitter(self._bound(_wait_before(elapsed, success, total)))

    def after_trouble(self, times: int, *, retry_after: float | None = None) -> float:
        """The ``times``-th trouble in a row (from 1): doubling, capped; never before ``retry_after``."""
        delay = self._jitter(self._bound(self.shortest * 2 ** min(times - 1, 30)))
        return max(delay, retry_after or 0.0)

    def _bound(self, delay: float) -> float:
        return min(max(delay, self.shortest), self.longest)

    def _jitter(self, delay: float) -> float:
        return delay * (1 + _JITTER * (2 * self.random() - 1))


def _wait_before(elapsed: float, success: int | None, total: int | None) -> float:
    if not success or not total or success >= total:
        return elapsed * _BLIND_SHARE
    return elapsed * max((total - success) / success / 2, _LEAST_SHARE)
