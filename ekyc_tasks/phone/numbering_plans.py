r"""Which E.164 numbers are *valid*: of a range that the numbering plan of their country has given out.

*Possible* looks at the length alone, see `validity`. `phonenumbers` knows the ranges as regular expressions,
some two thousand of them. Here they are one automaton over the digits of a key, so that a million numbers
take a few array lookups each. Its states are what is left of the expressions behind some digits:

    41 79   →   {\d{7}}      41 8   →   {00\d{6}, 40\d{6}, 60\d{6}, …}      41 80   →   {0\d{6}}

Most numbers are after six digits in a state in which only their length still counts. A state is made when the
first number needs it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from ekyc_tasks.phone.calling_codes import POWERS, codes_by_three_digits, digit_counts
from ekyc_tasks.phone.metadata import MAX_DIGITS, first_atom, split_alternatives
from ekyc_tasks.phone.msisdns import Flags, Msisdns

_States = npt.NDArray[np.int32]
_Digits = npt.NDArray[np.int64]

_PREFIX = 6  # digits behind which one table tells the state
_UNKNOWN = 0
_ROOM = 1 << 10  # states, at first
_PART_KEYS = 1 << 15  # at a time, so that what is made of them stays near the processor
_ONLY_LENGTH = re.compile(r"(?:\\d(?:\{[0-9,]+\})?)*")
_REPEAT = re.compile(r"\{(?P<low>\d+)(?:,(?P<high>\d+))?\}|(?P<maybe>\?)")
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager",
    "uan", "voicemail",
)  # fmt: skip


class _Rest(NamedTuple):
    """What is left of an expression, how many digits may follow, and what it is of: a region, and whether of
    all its numbers or of one kind. A number has to match both."""

    pattern: str
    lengths: frozenset[int]
    of: tuple[str, bool]


def are_valid(keys: Msisdns) -> Flags:
    """Whether each key is in a range that has been given out, as `phonenumbers.is_valid_number` says."""
    found = np.zeros(len(keys), dtype=np.bool_)
    automaton = _automaton()
    for start in range(0, len(keys), _PART_KEYS):
        part = keys[start : start + _PART_KEYS]
        digits = digit_counts(part)
        is_long_enough = (digits >= _PREFIX) & (digits <= MAX_DIGITS)
        if not is_long_enough.all():
            part, digits = np.where(is_long_enough, part, 0), np.where(is_long_enough, digits, _PREFIX)
        found[start : start + _PART_KEYS] = automaton.accept(part, digits) & is_long_enough
    return found


@cache
def _automaton() -> _Automaton:
    return _Automaton()


def _ranges(code: int) -> frozenset[_Rest]:
    """The ranges of all regions that share a calling code, in national numbers."""
    found = []
    for region in COUNTRY_CODE_TO_REGION_CODE[code]:
        metadata: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        general = metadata.general_desc
        for kind in filter(None, (getattr(metadata, kind) for kind in ("general_desc", *_KINDS))):
            if pattern := kind.national_number_pattern:
                lengths = frozenset(kind.possible_length or general.possible_length)
                found.append(_Rest(pattern, lengths, (region, kind is general)))
    return frozenset(found)


class _Automaton:
    """States have numbers; 0 is one that is not known yet."""

    def __init__(self) -> None:
        self._behind_prefix: _States = np.zeros(10**_PREFIX, dtype=np.int32)
        self._numbers: dict[frozenset[_Rest], int] = {frozenset(): _UNKNOWN}
        self._rests: list[frozenset[_Rest]] = [frozenset()]
        self._next: _States = np.zeros((_ROOM, 10), dtype=np.int32)
        self._accepts: Flags = np.zeros((_ROOM, MAX_DIGITS + 1), dtype=np.bool_)  # when so many digits follow
        self._is_settled: Flags = np.zeros(_ROOM, dtype=np.bool_)  # only the length counts from here
        self._behind_code: dict[int, int] = {}

    def accept(self, keys: Msisdns, digits: npt.NDArray[np.intp]) -> Flags:
        """Whether each of the keys, which have so many digits, is in a range."""
        following = digits - _PREFIX
        is_even = following.min(initial=MAX_DIGITS) == following.max(initial=0)
        prefixes = keys // POWERS[following[0] if is_even else following]  # one divisor is four times as fast
        states = self._behind_prefix[prefixes]
        if not states.all():
            self._learn(np.unique(prefixes[states == _UNKNOWN]))
            states = self._behind_prefix[prefixes]
        left = np.flatnonzero(~self._is_settled[states] & (following > 0))
        while len(left):
            following[left] -= 1
            states[left] = self._step(states[left], keys[left] // POWERS[following[left]] % 10)
            left = left[~self._is_settled[states[left]] & (following[left] > 0)]
        found: Flags = self._accepts[states, following]
        return found

    def _learn(self, prefixes: Msisdns) -> None:
        codes = codes_by_three_digits().gather(prefixes // POWERS[_PREFIX - 3]).fill_null(0).to_numpy()
        for code in np.unique(codes).tolist():
            mine = prefixes[codes == code]
            states: _States = np.full(len(mine), self._start_of(code), dtype=np.int32)
            for power in reversed(POWERS[: _PREFIX - len(str(code))].tolist()):
                states = self._step(states, mine // power % 10)
            self._behind_prefix[mine] = states

    def _start_of(self, code: int) -> int:
        """The state behind a calling code; 0 is none."""
        if code not in self._behind_code:
            self._behind_code[code] = self._number_of(_ranges(code) if code else frozenset())
        return self._behind_code[code]

    def _step(self, states: _States, digits: _Digits) -> _States:
        is_new = self._next[states, digits] == _UNKNOWN
        for pair in np.unique(states[is_new] * 10 + digits[is_new]).tolist():
            state, digit = divmod(pair, 10)
            self._next[state, digit] = self._number_of(_derive_all(self._rests[state], str(digit)))
        found: _States = self._next[states, digits]
        return found

    def _number_of(self, rests: frozenset[_Rest]) -> int:
        """Its number; a new one is added."""
        rests = rests or _NOTHING
        if rests not in self._numbers:
            number = self._numbers[rests] = len(self._rests)
            self._rests.append(rests)
            if number == len(self._next):
                self._make_room()
            self._accepts[number] = _match_lengths(rests)
            self._is_settled[number] = all(_ONLY_LENGTH.fullmatch(rest.pattern) for rest in rests)
        return self._numbers[rests]

    def _make_room(self) -> None:
        self._next = np.concatenate([self._next, np.zeros_like(self._next)])
        self._accepts = np.concatenate([self._accepts, np.zeros_like(self._accepts)])
        self._is_settled = np.concatenate([self._is_settled, np.zeros_like(self._is_settled)])


_NOTHING = frozenset([_Rest("", frozenset(), ("", False))])  # may follow: these are no number


def _match_lengths(rests: frozenset[_Rest]) -> Flags:
    """Whether these are matched by so many digits, whichever they are."""
    found = np.zeros(MAX_DIGITS + 1, dtype=np.bool_)
    matching = [{rest.of for rest in rests if _is_matched(rest, length)} for length in range(MAX_DIGITS + 1)]
    for length, kinds in enumerate(matching):
        found[length] = any((region, True) in kinds for region, is_general in kinds if not is_general)
    return found


def _is_matched(rest: _Rest, length: int) -> bool:
    is_settled = not length or _ONLY_LENGTH.fullmatch(rest.pattern) is not None
    return is_settled and length in rest.lengths and re.fullmatch(rest.pattern, length * "0") is not None


def _derive_all(rests: frozenset[_Rest], digit: str) -> frozenset[_Rest]:
    return frozenset(
        _Rest(left, fewer, rest.of)
        for rest in rests
        if (fewer := frozenset(length - 1 for length in rest.lengths if length))
        for left in _derive(rest.pattern, digit)
    )


@cache
def _derive(rest: str, digit: str) -> frozenset[str]:
    """What has to follow behind a digit, in each way that the expression can begin with it."""
    branches = split_alternatives(rest)
    if len(branches) > 1:
        return frozenset(left for branch in branches for left in _derive(branch, digit))
    if not rest:
        return frozenset()
    atom, behind = first_atom(rest)
    fewest, most, behind = _split_repeat(behind)
    again = f"{atom}{{{max(0, fewest - 1)},{most - 1}}}" if most > 1 else ""
    found = frozenset(f"{left}{again}{behind}" for left in _derive_atom(atom, digit))
    return found if fewest else found | _derive(behind, digit)


def _derive_atom(atom: str, digit: str) -> frozenset[str]:
    if not atom.startswith("("):
        return frozenset([""] if re.fullmatch(atom, digit) else [])
    inner = _derive(atom[1:-1].removeprefix("?:"), digit)
    return frozenset(f"(?:{left})" if "|" in left else left for left in inner)


def _split_repeat(behind: str) -> tuple[int, int, str]:
    """How often the atom in front comes, at least and at most, and what is behind that."""
    found = _REPEAT.match(behind)
    if found is None:
        return 1, 1, behind
    behind = behind[found.end() :]
    if found["maybe"]:
        return 0, 1, behind
    fewest = int(found["low"])
    return fewest, int(found["high"] or fewest), behind
