"""What the names of members and sheets say."""

from __future__ import annotations

import re

# Not "active": task types have it in their names. A negation that touches digits is a piece of an id.
_NO = re.compile(
    r"(?<![a-z0-9])(?:not|non|un|no)[\s_.-]*(?:activated|registered)(?![a-z])"
    r"|(?<![a-z])(?:unactivated|inactive|unregistered)(?![a-z])"
)
_YES = re.compile(r"(?<![a-z])(?:activated|registered)(?![a-z])")
_ENDING = re.compile(r"\.[^.\s]*$")


def verdict_of(name: str) -> bool | None:
    """What a member's name says about each of its rows; None where it says both or neither.

    >>> verdict_of("d4g2/activated.txt"), verdict_of("not_registered-2.csv"), verdict_of("all.csv")
    (True, False, None)
    """
    rest, no = _NO.subn("", _stem(name))
    yes = _YES.search(rest) is not None
    return None if yes == bool(no) else yes


def words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", _stem(name)))


def _stem(name: str) -> str:
    """The last part of a path without the file's ending, in lower case."""
    return _ENDING.sub("", re.split(r"[/\\]", name)[-1]).casefold()


def natural(name: str) -> list[tuple[str, int]]:
    """Sorts ``part2`` before ``part10``."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]
