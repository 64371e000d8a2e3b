"""Contacts as phones and mail programs export them."""

from __future__ import annotations

import pytest
from support.landed_files import A, B, C, numbers, read

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import text


def card(*rows):
    return "\n".join(["BEGIN:VCARD", "VERSION:3.0", "FN:Ann Muster", *rows, "END:VCARD", ""])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"TEL:{A}", A),
        (f"tel;type=cell:{A}", A),
        (f"TEL;TYPE=WORK,VOICE:{A}", A),
        (f'TEL;VALUE=uri;TYPE="voice,home":tel:{A}', f"tel:{A}"),
        (f"item1.TEL;type=pref:{A}", A),
        (f"TEL;type=CELL;waid={A[1:]}:+41 79 828 46 51", "+41 79 828 46 51"),
        (f'TEL;X-LABEL="a:b":{A}', A),
        (f"TEL;CELL;ENCODING=QUOTED-PRINTABLE:=2B{A[1:]}", A),
        (f"TEL;ENCODING=QUOTED-PRINTABLE;CELL:=2B4179=\n{A[5:]}", A),
        (f"TEL;TYPE=CELL:{A[:7]}\n {A[7:]}", A),
        (f"TEL;TYPE=CE\n\tLL:{A}", A),
        ("TEL:+41 79\\, 828", "+41 79, 828"),
        (f"TEL {A}", f"TEL {A}"),
    ],
)
def test_a_telephone(tmp_path, row, expected):
    frame = read(tmp_path, "a.vcf", card(row))
    assert frame.select("line", "text").rows() == [(4, expected)]


def test_all_telephones_of_all_cards(tmp_path):
    content = (
        card(f"TEL:{A}", "NOTE:TEL:1", f"TEL;TYPE=HOME:{B}") + card("TELEX:1", "ORG:x") + card(f"TEL:{C}")
    )
    frame = read(tmp_path, "a.vcf", content.replace("\n", "\r\n"))
    assert frame.select("line", "text").rows() == [(4, A), (6, B), (17, C)]


def test_cards_may_be_cut_anywhere(tmp_path, monkeypatch):
    content = "".join(card(f"TEL;TYPE=CELL:+4179\n  828{n:04}", f'NOTE:say "{n}') for n in range(200))
    whole = read(tmp_path, "a.vcf", content)
    monkeypatch.setattr(text, "PIECE_BYTES", 97)
    assert read(tmp_path, "a.vcf", content).equals(whole)
    assert numbers(whole) == [f"+4179 828{n:04}" for n in range(200)]


def test_what_is_no_card(tmp_path):
    with pytest.raises(InputError, match=r"a\.vcf does not contain vCards"):
        read(tmp_path, "a.vcf", f"TEL:{A}\n")
    assert numbers(read(tmp_path, "a.vcf", card("ORG:x"))) == []
