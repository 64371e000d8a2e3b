"""Words from outside, made fit to be shown and kept: short, one line, no numbers, no links."""

from __future__ import annotations

import re

_LINK = re.compile(r"\b\w+:(?:\\?/){2}\S+")  # also as JSON may write it: https:\/\/
_SIGNED = re.compile(r"(?<!\S)\S*?X-Amz-\S*", re.IGNORECASE)  # what opens a link, wherever it was cut off
_MARKUP = re.compile(r"<[^<>]*>")  # a tag ends where the next begins, or hostile words take for ever
# Seven digits or more, however they are grouped, may be a phone number.
_DIGITS = re.compile(r"\+?\d(?:(?:[\s()./\-\u2010-\u2015]|%20){0,3}\d){6,}")
_LONGEST = 200


def scrub(text: str, *secrets: str) -> str:
    """``text`` without links, markup, phone numbers and ``secrets``, at most 200 characters."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "[key]")
    # Before anything is looked for: what cannot be seen would hide a number.
    text = "".join(character if character.isprintable() else _stand_in(character) for character in text)
    text = _MARKUP.sub(" ", _SIGNED.sub("[link]", _LINK.sub("[link]", text)))
    text = " ".join(_DIGITS.sub("[number]", text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _stand_in(character: str) -> str:
    return " " if character.isspace() else ""
