"""A list of what was sent, as somebody keeps it: read like a landed file, and handed on like a batch file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import has_known_ending
from ekyc_tasks.intake.read_numbers import ReadList, read_named_list
from ekyc_tasks.intake.rules import ReadingRules
from ekyc_tasks.storage.batch_files import is_as_sent, write_list
from ekyc_tasks.support.atomic_files import stage_file
from ekyc_tasks.support.wording import count


@dataclass(frozen=True, slots=True)
class SentList:
    """``path`` has one ``+E164`` a line; ``left_aside`` counts the lines that are no numbers, by reason."""

    path: Path
    left_aside: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def open_sent_list(numbers: Path, *, reading: ReadingRules, staging: Path) -> Iterator[SentList]:
    """A file of any format that may land, or one without an ending: a text.

    Raises InputError when it cannot be read, or has no number.
    """
    if is_as_sent(numbers):  # a list that was sent may contain what would not be planned
        yield SentList(numbers)
        return
    found = _read(numbers, reading)
    with stage_file(staging) as path:
        write_list(path, found.keys)
        yield SentList(path, found.reasons)


def _read(numbers: Path, reading: ReadingRules) -> ReadList:
    name = numbers.name if has_known_ending(numbers.name) else f"{numbers.name}.txt"
    try:
        found = read_named_list(numbers, name=name, reading=reading) if numbers.stat().st_size else None
    except InputError as error:
        raise InputError(f"--numbers: {error}") from None
    if found is None or not len(found.keys):
        lines = count(0 if found is None else found.lines, "line")
        raise InputError(
            f"--numbers: {numbers.name} has no readable number in {lines}. Name the list that was sent; or "
            "leave out --numbers, then all numbers in the archive count as sent."
        )
    return found
