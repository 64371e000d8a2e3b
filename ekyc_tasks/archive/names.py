"""What the names of members and sheets tell."""

from __future__ import annotations

import re

# Not "active": task types have it in their names.
_YES_WORDS = {"activated", "registered"}
_NO_WORDS = {"unactivated", "inactive", "unregistered"}
_NEGATIONS = {"not", "non", "un", "no"}
_ENDING = re.compile(r"\.[^.\s]*$")


def verdict_of(name: str) -> bool | None:
    """What a member's name says about each of its rows: ``unregistered.txt`` → False.

    >>> verdict_of("d4g2/activated.txt"), verdict_of("not_registered-2.csv"), verdict_of("all.csv")
    (True, False, None)
    """
    found = words(name)
    if found & _NO_WORDS:
        return False
    if found & _YES_WORDS:
        return not found & _NEGATIONS
    return None


def words(name: str) -> set[str]:
    """Those of the last part of a path, without the file's ending."""
    return set(re.findall(r"[a-z]+", _ENDING.sub("", name.rpartition("/")[2]).casefold()))


def natural(name: str) -> list[tuple[str, int]]:
    """Sorts ``part2`` before ``part10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
