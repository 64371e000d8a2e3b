"""What is written in one cell or line: numbers, and the words and signs around and between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ekyc_tasks.phone.parse import MAX_CHARACTERS, Reading, is_valid, read_one
from ekyc_tasks.phone.reasons import (
    AND_MORE,
    COMMENT,
    LETTERS,
    NO_DIGITS,
    ROUNDED,
    SEVERAL,
    TOO_LONG,
    TWO_WAYS,
)

# What stands between numbers, the surest first. A slash and a comma may also stand in a number.
_SLASH = "/"
_SEPARATORS = (r"\n", r":::", r";(?!ext=|phone-context=)", r"\|", r",", _SLASH)
_MOST_SIGNS = 10_000  # of a cell; a longer one is no list of numbers
_RUN = re.compile(r"\(?\+?[ (]*[0-9][0-9 ()./\-]*")
_MARKED = re.compile(r"(?i)^(?:[ ,;]*(?:ext(?:ension|n)?\.?|x|#)[:. ]*[0-9]{1,7}|;(?:ext|phone-context)=.*)$")
_KNOWN_WORDS = re.compile(
    r"(?i)^(?:tel|phone|mobile?|cell|handy|gsm|sms|call|fon|whats ?app)(?:efon|phone)?[.: ]*$"
)
_FEWEST_DIGITS = 7  # of what looks like a number


def read_cell(text: str, region: str | None = None) -> tuple[Reading, ...]:
    """All the numbers of a tidied text, and the reason for each part that holds digits and is none.

    One reading with a reason where there is no number at all.
    """
    if not _has_digit(text):
        return (Reading(reason=NO_DIGITS),)
    if text.startswith(("#", "//")):
        return (Reading(reason=COMMENT),)
    if len(text) > _MOST_SIGNS:
        return (Reading(reason=TOO_LONG),)
    return tuple(_read_parts(text, region, _SEPARATORS))


def _read_parts(text: str, region: str | None, separators: tuple[str, ...]) -> Iterator[Reading]:
    """Split by the surest separator that makes numbers of it; each part by those that are less sure."""
    for index, separator in enumerate(separators):
        parts = [part.strip() for part in re.split(separator, text)]
        if len(parts) > 1:
            weaker = separators[index + 1 :]
            found = [list(_read_parts(part, region, weaker)) for part in parts if _has_digit(part)]
            sure = [any(map(_is_sure, readings)) for readings in found]
            is_one = separator == _SLASH and len(found) > 1 and _is_sure(_read_part(text, region))
            if any(sure) and not is_one:
                yield from (_without_doubt(reading) for readings in found for reading in readings)
                return
            if any(sure[:1]):
                yield Reading(reason=SEVERAL)
                return
    yield _read_part(text, region)


def _has_digit(part: str) -> bool:
    return re.search("[0-9]", part) is not None


def _is_sure(reading: Reading) -> bool:
    """A valid number, not only a possible one: many parts of numbers are possible numbers."""
    return reading.number is not None and is_valid(reading.number[1:])


def _without_doubt(reading: Reading) -> Reading:
    """The column decides about whole cells only."""
    return reading if reading.abroad is None else Reading(reason=TWO_WAYS)


def _read_part(text: str, region: str | None) -> Reading:
    """At most one number, with words around it or without."""
    whole = read_one(text, region)
    is_judged = whole.number is not None or whole.reason == ROUNDED
    if is_judged or re.fullmatch("[0-9 +().,/'’_-]*", text):
        return whole
    runs = [found for found in _RUN.finditer(text) if _has_digit(found[0])]
    if not runs:
        return Reading(reason=NO_DIGITS)
    if len(text) > MAX_CHARACTERS:
        return Reading(reason=TOO_LONG)
    if len(runs) > 1 and not _MARKED.match(text[runs[0].end() :]):
        long = [run for run in runs if sum(map(str.isdigit, run[0])) >= _FEWEST_DIGITS]
        return Reading(reason=SEVERAL if len(long) > 1 else AND_MORE)
    return _read_among_words(text, runs[0], region)


def _read_among_words(text: str, run: re.Match[str], region: str | None) -> Reading:
    """A word is cut off where the number is complete without it; letters are never dialled."""
    before, after = text[: run.start()], text[run.end() :]
    if _is_glued(before[-1:], run[0][:1]) or _is_glued(run[0].rstrip("().")[-1:], after[:1]):
        return Reading(reason=LETTERS)
    number = run[0].strip(" -/.").removesuffix("(").rstrip(" -/.")
    if not _MARKED.match(after) and number.count("(") < number.count(")"):
        number = number.removesuffix(")")
    found = read_one(number + (after if _MARKED.match(after) else ""), region)
    if found.number is None:
        return found if not re.search(r"[^\W\d_]", before + after) else Reading(reason=AND_MORE)
    is_guess = found.is_bare and not found.is_national
    if not _is_sure(found) or (is_guess and not _KNOWN_WORDS.match(before + after)):
        return Reading(reason=AND_MORE)
    return found


def _is_glued(left: str, right: str) -> bool:
    """Whether a word goes on in a number: nothing but a letter, a digit or a dash is between them."""
    return bool(left and right) and all(sign.isalnum() or sign in "-_@+*" for sign in (left, right))
