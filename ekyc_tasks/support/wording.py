"""Words for counts, as every sentence has them, and text that any terminal can show."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 batch`, `12,400 numbers`."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def outcome(*, accepted: int, quarantined: int, missing: int) -> str:
    """What happened to the rows of one batch, or of several."""
    return f"{count(accepted, 'row')} accepted, {quarantined:,} quarantined, {missing:,} missing"


def printable(text: str) -> str:
    """Fit for any terminal: a path on disk may hold bytes that are no text."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
