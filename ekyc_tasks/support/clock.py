"""Time as an argument."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol

FIRST_ANSWERS = datetime(2009, 1, 1, tzinfo=UTC)  # none of the services that are checked is older


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def sleep_until(clock: Clock, moment: datetime) -> None:
    if (seconds := (moment - clock.now()).total_seconds()) > 0:
        await clock.sleep(seconds)
