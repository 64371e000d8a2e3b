"""vCards → their telephone numbers: the value of every ``TEL``, whatever version wrote the card."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.file_layout import Column, FileLayout, Why
from ekyc_tasks.intake.line_block import Blocks, make_block
from ekyc_tasks.phone import Texts

# A property may belong to a group: item1.TEL;type=CELL:…; a quoted parameter may contain a colon.
_TELEPHONE = re.compile(r'(?:[\w-]+\.)?TEL((?:;(?:"[^"]*"|[^":])*)?):(.*)', re.IGNORECASE | re.DOTALL)
_LOOKS_LIKE_ONE = re.compile(r"(?:[\w-]+\.)?TEL\b", re.IGNORECASE)
_CARDS = FileLayout((Column(0, "TEL"),), Why.CARDS)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_card_blocks(pieces: Iterable[str], name: str) -> Blocks:
    """An entry for each ``TEL``; the other lines of a card are not counted."""
    is_card = False
    line = 1
    for piece in _whole_cards(pieces):
        is_card = is_card or "BEGIN:VCARD" in piece.upper()
        if piece.strip() and not is_card:
            raise InputError(f"{name} does not contain vCards. Export the contacts again as vCard (.vcf).")
        found = [(at, text) for at, row in _unfold(piece, line) if (text := _read_telephone(row)) is not None]
        lines = np.array([at for at, _ in found], dtype=np.int64)
        texts = Texts.of(pl.Series([text for _, text in found], dtype=pl.String))
        yield make_block(lines, texts, layout=_CARDS)
        line += piece.count("\n")


def _whole_cards(pieces: Iterable[str]) -> Iterator[str]:
    """The same in pieces that end with a card, so that no line is apart from its continuation."""
    held = ""
    for piece in pieces:
        held += piece
        end = held.upper().rfind("END:VCARD\n") + len("END:VCARD\n")
        if end > len("END:VCARD\n"):
            yield held[:end]
            held = held[end:]
    yield held


def _unfold(piece: str, first_line: int) -> Iterator[tuple[int, str]]:
    """Rows by the line where they start; one continues where a line begins blank or ends with ``=``."""
    start, held = first_line, ""
    for line, text in enumerate(piece.split("\n"), start=first_line):
        if held and text[:1] in {" ", "\t"}:
            held += text[1:]
        elif held.endswith("=") and "QUOTED-PRINTABLE" in held.upper():
            held = held[:-1] + text
        else:
            yield start, held
            start, held = line, text
    yield start, held


def _read_telephone(row: str) -> str | None:
    """The value of a ``TEL`` as it is written, or the row itself where it cannot be told apart."""
    found = _TELEPHONE.fullmatch(row.strip())
    if found is None:
        return row if _LOOKS_LIKE_ONE.match(row.strip()) else None
    parameters, value = found.groups()
    if "QUOTED-PRINTABLE" in parameters.upper():
        value = quopri.decodestring(value.encode()).decode("utf-8", "replace")
    return _ESCAPED.sub(r"\1", value)
