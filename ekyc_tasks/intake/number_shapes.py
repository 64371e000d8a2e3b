"""Whether a text looks like phone numbers, seen from afar: for choosing columns, never for reading them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

_SPACES = r"[\s().,/\-‐-―]"
_RUN = re.compile(rf"(\+?)[( ]*\d(?:{_SPACES}{{0,3}}\d){{5,}}")  # digits, and what people set between them
_AROUND = re.compile(r"""[\s'"=()+`‘’“”]*(?:[a-z]+[:.= ]+/*)?[\s(]*|[\s'"=()`‘’“”]*""", re.IGNORECASE)
# Behind a number: the rest of a WhatsApp id, an extension, a float's end or one word.
_BEHIND = re.compile(
    r"""\.?0?(?:E\+?\d{1,2})?(?:(?::\d+)?@(?:s\.whatsapp\.net|c\.us)|\s*\(?[^\W\d_]+\.?\)?|\s*(?:;ext=|x|ext\.?|\#)\s*\d+)?[\s'"=)’”]*""",
    re.IGNORECASE,
)
_PARTS = re.compile(r"\s*(?::::|[;|\n,]|\s/\s)\s*")  # of a cell with several numbers
_DATE = re.compile(
    r"(?:\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2\d{2,4})(?:[T ]\d{1,2}:\d\d.*)?"
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an address of the internet
)
_FEWEST_DIGITS, _MOST_DIGITS = 6, 17
_FEWEST_BARE = 9  # digits that may be a number by themselves, where neither a name nor a plus says so


def holds_number(cell: str) -> bool:
    """Whether a phone number may stand somewhere in it. Cheap, and rather once too often."""
    plain = unicodedata.normalize("NFKC", cell)
    return not _DATE.fullmatch(plain.strip()) and any(
        len(re.findall(r"\d", run[0])) >= (_FEWEST_DIGITS if run[1] else _FEWEST_BARE)
        for run in _RUN.finditer(plain)
    )


def is_like_number(cell: str) -> bool:
    """Whether a cell is a number, or several, but for a label in front or a word behind."""
    plain = "".join(
        each for each in unicodedata.normalize("NFKC", cell) if unicodedata.category(each) != "Cf"
    )
    parts = [part for part in _PARTS.split(plain) if part.strip()]
    return _is_one(plain.strip()) or (bool(parts) and all(map(_is_one, parts)))


def is_list(rows: Collection[Sequence[str]]) -> bool:
    """Whether all that is in these rows are numbers: then they are lines of several, not a table."""
    cells = [cell for row in rows for cell in row if cell.strip()]
    return bool(cells) and all(is_like_number(cell) and holds_number(cell) for cell in cells)


def _is_one(text: str) -> bool:
    run = _RUN.search(text)
    if run is None or _DATE.fullmatch(text):
        return False
    digits = len(re.findall(r"\d", run[0]))
    before, behind = text[: run.start()], text[run.end() :]
    is_alone = bool(_AROUND.fullmatch(before)) and bool(_BEHIND.fullmatch(behind))
    return is_alone and _FEWEST_DIGITS <= digits <= _MOST_DIGITS
