"""Text in whatever encoding → UTF-8. One bad byte spoils no other line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from ekyc_tasks.support.vocabulary import FAMILIAR, fold

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What tables are written in where UTF-8 is not, the likeliest first for a text that fits several.
_LEGACY = ("cp1252", "gb18030", "big5", "cp932", "cp949", "cp1251", "cp1250", "cp1254", "cp1256")
# In these a letter takes two bytes, and some pairs pass for UTF-8: a single line shows nothing.
_WIDE = frozenset({"gb18030", "big5", "cp932", "cp949"})
_BETWEEN_WORDS = re.compile(rb"""[,;\t|"'\r\n]+""")


def encoding_by_mark(head: bytes) -> tuple[str, int]:
    """The encoding and the length of its mark. UTF-16 without one shows by its zero bytes."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding, len(bom)
    even, odd = head[:64:2], head[1:64:2]
    if even.count(0) * 2 > len(even) and not odd.count(0):
        return "utf-16-be", 0
    if odd.count(0) * 2 > len(odd) and not even.count(0):
        return "utf-16-le", 0
    return "utf-8", 0


def as_utf8(chunks: Iterator[bytes], encoding: str, bom_bytes: int) -> Iterator[bytes]:
    """The same without its mark, UTF-16 made UTF-8; all else is left to a `LegacyDecoder`."""
    decode = codecs.getincrementaldecoder(encoding)("replace").decode
    unread_bom = bom_bytes
    for chunk in chunks:
        data, unread_bom = chunk[unread_bom:], max(0, unread_bom - len(chunk))
        yield data if encoding == "utf-8" else decode(data).encode()
    if encoding != "utf-8":
        yield decode(b"", True).encode()  # a unit that was cut in two


class LegacyDecoder:
    """Makes UTF-8 of the lines of one text that are not; ``legacy`` is what they turned out to be.

    At most ``enough`` bytes of them are looked at to find that out, unless it is known.
    """

    def __init__(self, enough: int = 1 << 16, *, legacy: str = "") -> None:
        self.enough = enough
        self.legacy = legacy

    def decode(self, data: bytes) -> tuple[bytes, int]:
        """The same lines in valid UTF-8, and how many were not."""
        if data.isascii() or (self.legacy not in _WIDE and _is_utf8(data)):
            return data, 0
        lines = data.split(b"\n")
        foreign = [position for position, line in enumerate(lines) if not _is_utf8(line)]
        if foreign and not self.legacy:
            self.legacy = _detect(b"\n".join(lines[position] for position in foreign)[: self.enough])
        if self.legacy in _WIDE:
            foreign = [position for position, line in enumerate(lines) if not line.isascii()]
        for position in foreign:
            lines[position] = lines[position].decode(self.legacy, "replace").encode()
        return b"\n".join(lines), len(foreign)


def legacy_by_words(lines: bytes) -> str:
    """The likeliest encoding in which most foreign words are familiar ones; empty if there is none.

    A header and a column of verdicts are too little to tell an alphabet by the frequency of its signs.
    """
    return next(iter(_familiar_encodings(lines)), "")


def _familiar_encodings(lines: bytes) -> list[str]:
    foreign = {word.strip() for word in _BETWEEN_WORDS.split(lines) if not _is_utf8(word)}
    familiar = {
        encoding: sum(fold(word.decode(encoding, "replace")) in FAMILIAR for word in foreign)
        for encoding in _LEGACY
    }
    most = max(familiar.values())
    return [each for each in _LEGACY if familiar[each] == most] if most * 2 > len(foreign) else []


def _detect(lines: bytes) -> str:
    """By words, or the least chaotic reading; the likeliest of several, because a few names show little.

    A first line of names that are familiar in one encoding alone counts before all others.
    """
    by_first_line = _familiar_encodings(lines.partition(b"\n")[0])
    if len(by_first_line) == 1:
        return by_first_line[0]
    if legacy := legacy_by_words(lines):
        return legacy
    chaos = {
        encoding: match.chaos
        for match in from_bytes(lines, cp_isolation=[*_LEGACY])
        for encoding in (match.encoding, *match.could_be_from_charset)
    }
    return min(_LEGACY, key=lambda encoding: chaos.get(encoding, 1.0))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
