"""A clock that only sleeping moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 8, 27, 9, tzinfo=UTC)


class FakeClock:
    """Stands still until somebody sleeps; ``seconds`` is the same time for a `Sandbox`."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start
        self.naps: list[float] = []

    def now(self) -> datetime:
        return self.time

    def seconds(self) -> float:
        return self.time.timestamp()

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0, "a sleep of nothing is a busy loop"
        self.naps.append(seconds)
        self.advance(seconds)
