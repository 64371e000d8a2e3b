"""Which column of a table holds the phone numbers, by its name or by what is in it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ekyc_tasks.errors import InputError

_NAMES = frozenset(["cell", "fono", "gsm", "handy", "jid", "movil", "portable", "tel", "tels", "telno", "wa"])
# Names are composed freely: phone_number, Mobile phone, Telefonnummer, WhatsApp (private) …
_NAME_PARTS = ("phone", "msisdn", "telef", "telep", "whats", "mobil", "celul", "rufnummer", "e164", "e_164")
_VAGUE_NAMES = frozenset(["num", "number", "numbers", "nummer", "nummern", "numero", "numeros"])
_INTERNATIONAL = re.compile(r"""['"= ]*(?:[a-z]+[:.= ]+)?[( ]*(?:\+|＋|00)""", re.IGNORECASE)
_NUMBER = re.compile(
    r"""['"= ]*(?:[a-z]+[:.= ]+)?[+＋(\d][\d\s().,/\-‐-―]{5,24}\d?(?:E\+?\d+)?['"]*""", re.IGNORECASE
)
_FEWEST_DIGITS, _MOST_DIGITS = 6, 17
_MOST = 0.5
_CLEARLY = 0.1  # so much more worth decides between two columns
_SHOWN = 4  # columns named in one sentence
_BARE_WORTH = 0.7  # identifiers look like numbers too: those with a plus or 00 are the better guess


@dataclass(frozen=True, slots=True)
class Choice:
    """The column (from 0), and whether the first row names it."""

    index: int
    has_header: bool


def choose(rows: list[list[str]], wanted: str | None, name: str) -> Choice:
    """Choose by a sample of rows, none of them blank, the first of which may be a header.

    ``wanted`` is the name somebody gave; ``name`` is what to call the file. A single column is always the
    one, whatever is in it. Raises InputError when there is no column of that name, or none with numbers.
    """
    header = rows[0]
    if wanted is not None and (max(map(len, rows)) > 1 or _word(header[0]) == _word(wanted)):
        return _named(header, wanted, name)
    names = [_likeness_of_name(cell) for cell in header]
    width = max(map(len, rows))
    names += [0] * (width - len(names))
    body = rows[1:] if any(names) or len(rows) > 1 else rows
    worth = [_worth([row[index] for row in body if index < len(row)]) for index in range(width)]

    def rank(index: int) -> tuple[bool, int, float]:
        return worth[index] > 0, names[index], worth[index]

    best = max(range(width), key=rank)
    if width > 1 and not worth[best] and not names[best]:
        raise InputError(
            f"{name} has no column of phone numbers. Land one that has, or say which column it is "
            "with EKYC_NUMBER_COLUMN."
        )
    rivals = [index for index in range(width) if index != best and _is_rival(rank(index), rank(best))]
    if rivals:
        raise InputError(_several(name, header, sorted([best, *rivals]), has_header=any(names)))
    return Choice(best, has_header=any(names) or (width > 1 and _is_word(header[best : best + 1])))


def _is_rival(one: tuple[bool, int, float], best: tuple[bool, int, float]) -> bool:
    """Both hold numbers, and neither its name nor its content says which is the better."""
    return one[0] and one[:2] == best[:2] and best[2] - one[2] < _CLEARLY


def _several(name: str, header: list[str], columns: list[int], *, has_header: bool) -> str:
    titles = [header[index].strip() if has_header and index < len(header) else "" for index in columns]
    shown = [
        f"“{title}”" if title and not _is_like_number(title) else f"column {index + 1}"
        for title, index in zip(titles, columns, strict=True)
    ]
    return (
        f"{name} has several columns of phone numbers: {', '.join(shown[:_SHOWN])}. "
        "Leave one of them, or say which one it is with EKYC_NUMBER_COLUMN."
    )


def _named(header: list[str], wanted: str, name: str) -> Choice:
    words = [_word(cell) for cell in header]
    if _word(wanted) not in words:
        raise InputError(f"{name} has no column “{wanted}”. Name one that its first line names.")
    return Choice(words.index(_word(wanted)), has_header=True)


def _likeness_of_name(cell: str) -> int:
    """0: no name for a phone number; 1: perhaps; 2: surely."""
    word = _word(cell)
    if _NUMBER.fullmatch(cell.strip()):
        return 0
    if word in _NAMES or any(part in word for part in _NAME_PARTS):
        return 2
    return int(word in _VAGUE_NAMES)


def _word(cell: str) -> str:
    plain = unicodedata.normalize("NFKD", cell).encode("ascii", "ignore").decode()
    return "_".join(re.findall("[a-z0-9]+", plain.lower()))


def _is_word(cells: list[str]) -> bool:
    return any(re.fullmatch(r"[^\d+]*[^\W\d_][^\d+]*", cell) for cell in cells)


def _worth(cells: list[str]) -> float:
    """How much a column looks like phone numbers, 0 to 1; 0 unless most of its cells do."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    alike = [cell for cell in filled if _is_like_number(cell)]
    if len(alike) <= _MOST * len(filled):
        return 0
    return sum(1 if _INTERNATIONAL.match(cell) else _BARE_WORTH for cell in alike) / len(filled)


def _is_like_number(cell: str) -> bool:
    digits = len(re.findall(r"\d", cell))
    return _FEWEST_DIGITS <= digits <= _MOST_DIGITS and bool(_NUMBER.fullmatch(cell))
