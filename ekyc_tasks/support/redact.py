"""Words from outside, made fit to be shown and kept: short, one line, no numbers, no links."""

from __future__ import annotations

import re
import unicodedata

_LINK = re.compile(r"\b\w+:(?:\\?/){2}\S+")  # also as JSON may write it: https:\/\/
_SIGNED = re.compile(r"(?<!\S)\S*?X-Amz-\S*", re.IGNORECASE)  # what opens a link, wherever it was cut off
_MARKUP = re.compile(r"<[^<>]*>")  # a tag ends where the next begins, or hostile words take for ever
# Seven digits or more, however they are grouped, may be a phone number.
_DIGITS = re.compile(r"\+?\d(?:(?:[\s()./\-\u2010-\u2015]|%20){0,3}\d){6,}")
_LONGEST_WORDS = 200  # characters
_LONGEST_SHAPE = 32  # characters
# In sentences of ours, names of files and ids of batches are left whole: here it takes nine digits.
_ID = (
    r"\b(?:\d{8}-\d{6}-[0-9a-f]{6}|import-(?:[a-z]+-)?[0-9a-f]{16}"  # batches
    r"|[0-9a-f]{64}|(?=\d*[a-v])[0-9a-v]{20}"  # a SHA-256, a task
    # a task whose id is a whole number, as our sentences name it; no ending of a file behind it
    r"|(?:(?<=created task )|(?<=names task )|(?<=paid task )|(?<=knows task )|(?<= adopt ))"
    r"\d{1,40}(?!\.\w))\b"
)
_LIKE_A_NUMBER = re.compile(rf"(?P<id>{_ID})|\+?\d(?:[\s().\-]{{0,2}}\d){{8,}}")
# Since 2020, so that a number of Egypt (+20) is not taken for one.
_TIME = re.compile(r"20[2-9]\d(0[1-9]|1[0-2])([0-2]\d|3[01])(([01]\d|2[0-3])([0-5]\d){0,2}\d?)?")


def scrub(text: str, *secrets: str) -> str:
    """``text`` without links, markup, phone numbers and ``secrets``, at most 200 characters."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "[key]")
    # Before anything is looked for: what cannot be seen would hide a number.
    text = "".join(character if character.isprintable() else _stand_in(character) for character in text)
    text = _MARKUP.sub(" ", _SIGNED.sub("[link]", _LINK.sub("[link]", text)))
    text = " ".join(_DIGITS.sub("[number]", text).split())
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 1] + "…"


def without_numbers(text: str) -> str:
    """Our own sentence, without what may be a phone number in the name of a file, a column, a member.

    Ids of batches and times (2026-11-24, 20261124153000) stay. Applied twice, it changes nothing more.
    """
    return _LIKE_A_NUMBER.sub(_number_or_not, text)


def shape_of(text: str) -> str:
    """How a cell is written, not what it says: digits as •, letters as a or A, at most 32 characters."""
    plain = unicodedata.normalize("NFKC", text[: 4 * _LONGEST_SHAPE])
    shape = " ".join("".join(map(_mask, plain)).split())
    is_cut = len(shape) > _LONGEST_SHAPE or len(text) > 4 * _LONGEST_SHAPE
    return f"{shape[: _LONGEST_SHAPE - 1]}…" if is_cut else shape


def _mask(sign: str) -> str:
    match unicodedata.category(sign)[0]:
        case "L":
            return "A" if sign.isupper() else "a"
        case "N":
            return "•"
        case "Z":
            return " "
        case "P" | "S":
            return sign if unicodedata.category(sign) != "So" else "□"
    return " " if sign.isspace() else ""  # marks, and what cannot be seen


def _number_or_not(match: re.Match[str]) -> str:
    digits = "".join(filter(str.isdigit, match[0]))
    is_time = match[0][0] != "+" and _TIME.fullmatch(digits)
    return match[0] if match["id"] or is_time else "[number]"


def _stand_in(character: str) -> str:
    return " " if character.isspace() else ""
