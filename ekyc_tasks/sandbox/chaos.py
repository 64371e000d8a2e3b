"""Scripted trouble: which request, by endpoint and position, meets what.

A script is a list of ``ENDPOINT:POSITION=KIND`` and of scenario names, separated by commas:
``create:1=429,create:2=reset_after,poll:3-5=503,fetch:*=slow``. Positions count the requests of one
endpoint from 1: ``3``, ``3-5``, ``3+`` (from the third on) or ``*``. The first rule that matches
counts. ``exported`` is no endpoint of its own: it counts the polls that would answer *exported*.

Kinds that keep a request from being taken come *before* it is accepted and charged, the others *after*;
``_before`` and ``_after`` say it otherwise: ``504_after`` is a charged upload whose answer got lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

ENDPOINTS = ("create", "poll", "exported", "fetch", "balance")

# kind → where it may stand
_EVERYWHERE = frozenset(ENDPOINTS)
_REFUSALS = ("400", "401", "402", "403", "404", "405", "408", "409", "410", "413", "422", "429", "429_bare")
_BREAKDOWNS = ("500", "502", "503", "504")
KINDS: dict[str, frozenset[str]] = {
    **dict.fromkeys((*_REFUSALS, *_BREAKDOWNS), _EVERYWHERE),
    "redirect": _EVERYWHERE,  # 307 to another host
    "reset": _EVERYWHERE,  # the TCP connection is reset, no byte of an answer
    "stall": _EVERYWHERE,  # no answer, ever
    "slow": _EVERYWHERE,  # the right answer, late; a download in drops
    "html": _EVERYWHERE,  # 200 with a web page
    "empty": _EVERYWHERE,  # 200 with nothing
    "202": frozenset({"create", "poll", "exported"}),
    "cut": frozenset({"create"}),  # a reset while the upload is still on its way
    "no_task_id": frozenset({"create"}),  # 200, JSON, charged, and no task_id in it
    "failed": frozenset({"create", "poll", "exported"}),  # the task ends, or has ended, in `failed`
    "completed": frozenset({"poll", "exported"}),  # finished, not yet exported
    "unknown_status": frozenset({"poll", "exported"}),
    "no_link": frozenset({"poll", "exported"}),  # exported, but no result_url
    "link_expired": frozenset({"fetch"}),
    "truncate": frozenset({"fetch"}),  # fewer bytes than announced
    "corrupt": frozenset({"fetch"}),  # as many bytes as announced, not the right ones
}
_EITHER_TIME = frozenset({*_REFUSALS, *_BREAKDOWNS, "redirect", "reset", "stall", "html", "empty"})
_BEFORE_BY_DEFAULT = frozenset({*_REFUSALS, *_BREAKDOWNS, "redirect", "cut"})

SCENARIOS: dict[str, tuple[str, str]] = {
    "rough": (
        "a bit of everything that heals by itself",
        "create:1=429,create:2=500,poll:1=404,poll:2=503,poll:4=html,"
        "exported:1=completed,exported:2=no_link,fetch:1=link_expired,fetch:2=truncate",
    ),
    "busy": ("too many requests, several times", "create:1-2=429,poll:1=429,poll:3=429_bare,fetch:1=503"),
    "lost": ("the first upload is charged, its answer never arrives", "create:1=reset_after"),
    "failing": ("the first task ends in failed", "create:1=failed"),
    "torn": ("downloads break three times", "fetch:1=truncate,fetch:2=corrupt,fetch:3=reset"),
}

_RULE = re.compile(r"(?P<endpoint>\w+):(?P<position>[^=]+)=(?P<kind>\w+)")
_POSITION = re.compile(r"(?P<first>\d+)(?:(?P<onwards>\+)|-(?P<last>\d+))?")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one request meets; ``is_before`` means before anything of it is accepted."""

    kind: str
    is_before: bool


@dataclass(frozen=True, slots=True)
class Rule:
    endpoint: str
    first: int
    last: int | None
    trouble: Trouble

    def covers(self, endpoint: str, position: int) -> bool:
        ends_later = self.last is None or position <= self.last
        return endpoint == self.endpoint and position >= self.first and ends_later


class Script:
    """Counts the requests of each endpoint and says what happens to the next one."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._seen: Counter[str] = Counter()

    def next(self, endpoint: str) -> Trouble | None:
        self._seen[endpoint] += 1
        position = self._seen[endpoint]
        return next((rule.trouble for rule in self._rules if rule.covers(endpoint, position)), None)


def parse_script(script: Iterable[str]) -> tuple[Rule, ...]:
    """The rules of a script; raises ValueError with one sentence for an unknown word."""
    words = (word.strip() for text in script for word in text.split(","))
    return tuple(rule for word in words if word for rule in _rules_of(word))


def _rules_of(word: str) -> tuple[Rule, ...]:
    if word in SCENARIOS:
        return parse_script([SCENARIOS[word][1]])
    match = _RULE.fullmatch(word)
    if match is None:
        names = ", ".join(SCENARIOS)
        raise ValueError(f'chaos "{word}" is neither ENDPOINT:POSITION=KIND nor one of {names}.')
    endpoint = _require_endpoint(match["endpoint"], word)
    first, last = _positions(match["position"], word)
    return (Rule(endpoint, first, last, _trouble(match["kind"], endpoint, word)),)


def _require_endpoint(endpoint: str, word: str) -> str:
    if endpoint not in ENDPOINTS:
        raise ValueError(f'chaos "{word}": unknown endpoint "{endpoint}". Use one of {", ".join(ENDPOINTS)}.')
    return endpoint


def _positions(text: str, word: str) -> tuple[int, int | None]:
    if text == "*":
        return 1, None
    match = _POSITION.fullmatch(text)
    if match is None or int(match["first"]) < 1:
        raise ValueError(f'chaos "{word}": "{text}" is not a position. Write 3, 3-5, 3+ or *.')
    first = int(match["first"])
    if match["onwards"]:
        return first, None
    return first, int(match["last"] or first)


def _trouble(text: str, endpoint: str, word: str) -> Trouble:
    kind, timing = _split_timing(text)
    if endpoint not in KINDS.get(kind, ()):
        fitting = ", ".join(name for name, places in KINDS.items() if endpoint in places)
        raise ValueError(f'chaos "{word}": unknown kind "{text}" for {endpoint}. Use one of {fitting}.')
    return Trouble(kind, is_before=kind in _BEFORE_BY_DEFAULT if timing is None else timing)


def _split_timing(text: str) -> tuple[str, bool | None]:
    for suffix, is_before in (("_before", True), ("_after", False)):
        kind = text.removesuffix(suffix)
        if kind != text and kind in _EITHER_TIME:
            return kind, is_before
    return text, None
