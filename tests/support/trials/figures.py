"""What `make torture` measured, as one table at its end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

HEAD = ("part", "trials", "points", "seeds", "charges", "violations", "seconds")


@dataclass(frozen=True)
class Tried:
    """One trial. ``has_happened``: what it was about came to pass (the process did die there)."""

    charges: int
    violations: list[str]
    has_happened: bool = True


@dataclass
class Part:
    """One row. ``trials`` counts what was tried, ``points`` the different places where it was."""

    name: str
    trials: int = 0
    points: int | None = None
    seeds: str = ""
    charges: int | None = None
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, tried: Iterable[Tried]) -> None:
        """Add up what trials came to."""
        for each in tried:
            self.trials += each.has_happened
            self.charges = (self.charges or 0) + each.charges
            self.violations += each.violations

    def cells(self) -> tuple[str, ...]:
        counts = (self.trials, self.points)
        return (
            self.name,
            *("" if count is None else f"{count:,}" for count in counts),
            self.seeds,
            "" if self.charges is None else f"{self.charges:,}",
            f"{len(self.violations):,}",
            f"{self.seconds:.0f}",
        )


class Figures:
    def __init__(self) -> None:
        self.parts: list[Part] = []

    @contextmanager
    def part(self, name: str, *, seeds: str = "") -> Iterator[Part]:
        """Measure one part; its violations fail the test, all of them named."""
        part = Part(name, seeds=seeds)
        self.parts.append(part)
        began = time.monotonic()
        try:
            yield part
        finally:
            part.seconds = time.monotonic() - began
        assert not part.violations, "\n".join(part.violations[:10])

    def lines(self) -> list[str]:
        rows: Sequence[tuple[str, ...]] = [HEAD, *(part.cells() for part in self.parts)]
        widths = [max(len(row[index]) for row in rows) for index in range(len(HEAD))]
        return [
            "  ".join(
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
