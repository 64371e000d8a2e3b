"""Find landed files, and wait until they no longer change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import files
from ekyc_tasks.intake.files import Arrival
from ekyc_tasks.support.clock import Clock

_SETTLING_TIMES = 10  # settling times; a file that still changes then is left for the next run


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Finished files, and a sentence for each that cannot be taken (or not yet)."""

    settled: tuple[Arrival, ...]
    unreadable: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


async def find_settled(folder: Path, named: Sequence[Path], *, settle: timedelta, clock: Clock) -> Arrivals:
    """The ``named`` files, or else all in the landing folder.

    A relative name is a pattern for names in the landing folder, such as ``*.csv`` or ``crm/november.txt``.

    A file is finished when it was last written ``settle`` ago, or when it did not change for so long while we
    looked on (its clock may be ahead of ours). ConfigurationError when the folder is not there.
    """
    give_up_at = clock.now() + _SETTLING_TIMES * settle
    seen: dict[Path, tuple[Arrival, datetime]] = {}
    while True:
        found, unreadable = _look(folder, named)
        now = clock.now()
        seen = {each.path: (each, _since(each, seen, now)) for each in found}
        left = {each.path: _time_left(each, since, now, settle) for each, since in seen.values()}
        moving = [path for path, seconds in left.items() if seconds > 0]
        if not moving or now >= give_up_at:
            break
        await clock.sleep(min(left[path] for path in moving))
    return Arrivals(
        settled=tuple(each for each in found if each.path not in moving),
        unreadable=tuple(unreadable),
        unsettled=tuple(
            f"{each.name} is still being written. The next run reads it."
            for each in found
            if each.path in moving
        ),
    )


def _look(folder: Path, named: Iterable[Path]) -> tuple[list[Arrival], list[str]]:
    if not named:
        return files.arrivals(folder), files.sentences_of_ignored(folder)
    found: dict[Path, Arrival] = {}
    unreadable = []
    for path in named:
        try:
            each = [files.arrival(path, folder)] if path.is_absolute() else _matching(path, folder)
        except InputError as error:
            unreadable.append(str(error))
        else:
            found |= {arrival.path: arrival for arrival in each}
    return list(found.values()), unreadable


def _matching(pattern: Path, folder: Path) -> list[Arrival]:
    matching = [each for each in files.arrivals(folder) if PurePosixPath(each.name).match(str(pattern))]
    if not matching:
        raise InputError(f"No file in {folder} matches {pattern}. Correct the name, or drop the file there.")
    return matching


def _since(arrival: Arrival, seen: dict[Path, tuple[Arrival, datetime]], now: datetime) -> datetime:
    before, since = seen.get(arrival.path, (arrival, now))
    return since if before.identity == arrival.identity else now


def _time_left(arrival: Arrival, since: datetime, now: datetime, settle: timedelta) -> float:
    by_its_times = arrival.written_at + settle.total_seconds() - now.timestamp()
    by_our_look = (since + settle - now).total_seconds()
    return min(by_its_times, by_our_look)
