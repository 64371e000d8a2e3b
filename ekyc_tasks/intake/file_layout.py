"""How a landed file is laid out, as its reader found it: for a person to see, and to read it so again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ekyc_tasks.intake.number_shapes import holds_number


class Why(Enum):
    """Why these columns are read, and no others."""

    NAMED = "named by you"
    EVERY = "you asked for all columns with numbers"
    PHONES = "named for phones"
    CONTENT = "its content is most like phone numbers"
    VAGUE = "its name may mean phone numbers"
    SINGLE = "the file has one column"
    CARDS = "every TEL of the vCards"
    AGAIN = "read when the file was planned"


@dataclass(frozen=True, slots=True)
class Column:
    """``place``: from 0. ``title``: what the file calls it; empty where it has no name."""

    place: int
    title: str = ""

    @property
    def label(self) -> str:
        """Fit for a sentence: a number in place of a name is not shown."""
        title = self.title.strip()
        return f"“{title}”" if title and not holds_number(title) else f"column {self.place + 1}"


def columns_at(titles: Sequence[str], places: Iterable[int]) -> tuple[Column, ...]:
    """Rows may be wider than their header."""
    return tuple(Column(place, titles[place] if place < len(titles) else "") for place in places)


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How a file is laid out, as its reader found it, for a person to see.

    ``columns``: those that are read, and ``why``. ``header``: the line that names them, if there is one;
    ``titles``: how many lines above it were skipped. ``delimiter``: of a text, between its cells.
    """

    columns: tuple[Column, ...] = (Column(0),)
    why: Why = Why.SINGLE
    header: int | None = None
    titles: int = 0
    delimiter: str | None = None
    sheet: str | None = None


LIST = FileLayout()
