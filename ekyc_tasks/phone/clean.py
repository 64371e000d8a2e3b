"""What is no part of a number, taken off: labels, quotes, invisible marks, foreign digits, ``.0``."""

from __future__ import annotations

import unicodedata
from functools import cache

import polars as pl

# Read by two engines, Python's and that of polars: no look-arounds, no classes that differ.
_WRAPPING = "[ '\"=`\u2018\u2019\u201c\u201d]+"
_LABEL = r"(?i)^(?:tel|phone|mobile|cell|sms|callto|whatsapp)[.:= ]+/*"
# Both are international by their definition. A JID may name an agent and a device behind the number.
_WHATSAPP_LINK = r"(?i)^(?:https?://)?wa\.me/\+?([0-9]+)$"
_WHATSAPP_ID = r"^\+?([0-9]+)(?:\.[0-9]+)?(?::[0-9]+)?@(?:s\.whatsapp\.net|c\.us)$"
_WHOLE_FLOAT = r"^(\+?[0-9]{7,15})[.,]0{1,6}$"
_PLAIN_ASCII = {"\t": " ", "\x7f": ""}


def clean(text: pl.Series) -> pl.Series:
    """Take off what is no part of a number: labels, quotes, invisible marks, foreign digits, ``.0``."""
    is_ascii = (text.str.len_bytes() == text.str.len_chars()).all()
    written = pl.col("text").str.replace_many(_PLAIN_ASCII if is_ascii else _plain_characters())
    for pattern, replacement in (
        (f"^{_WRAPPING}|{_WRAPPING}$", ""),
        (_LABEL, ""),
        (_WHATSAPP_LINK, "+${1}"),
        (_WHATSAPP_ID, "+${1}"),
        (_WHOLE_FLOAT, "${1}"),
    ):
        written = written.str.replace_all(pattern, replacement)
    return text.to_frame("text").select(written).to_series()


@cache
def _plain_characters() -> dict[str, str]:
    """The digits of all scripts, spaces, dashes and full-width signs in ASCII; invisible marks as nothing."""
    plain = {"＋": "+", "（": "(", "）": ")", "．": ".", "／": "/", "−": "-", **_PLAIN_ASCII}
    for character in map(chr, range(0x80, 0x10000)):
        match unicodedata.category(character):
            case "Nd":
                plain[character] = str(unicodedata.digit(character))
            case "Zs":
                plain[character] = " "
            case "Pd":
                plain[character] = "-"
            case "Cf":
                plain[character] = ""
    return plain
