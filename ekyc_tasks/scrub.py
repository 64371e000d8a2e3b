"""Words from outside, made fit to be shown and kept: short, one line, no numbers, no links."""

from __future__ import annotations

import re

_LINK = re.compile(r"\b\w+://\S+")
_MARKUP = re.compile(r"<[^>]*>")
# Seven digits or more, however they are grouped, may be a phone number.
_DIGITS = re.compile(r"\+?\d(?:[\s().-]?\d){6,}")
_LONGEST = 200


def scrub(text: str, *secrets: str) -> str:
    """``text`` without links, markup, phone numbers and ``secrets``, at most 200 characters."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "[key]")
    text = _MARKUP.sub(" ", _LINK.sub("[link]", text))
    text = " ".join(_DIGITS.sub("[number]", text).split())
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
