"""Legacy encodings are told by words, for landed files as for archives."""

from __future__ import annotations

import pytest
from support.examples import some_of
from support.landed_files import numbers, read

from ekyc_tasks.support.vocabulary import NUMBERS
from ekyc_tasks.tabular import Member
from ekyc_tasks.tabular.delimited import text_table
from ekyc_tasks.tabular.encodings import LegacyDecoder

# How a column of names is called beside the numbers, a name in it, and letters that the encoding is for.
WRITTEN = {
    "gb18030": ("姓名", "王小明", "\u4e00", "\u9fff"),
    "big5": ("姓名", "陳大文", "\u4e00", "\u9fff"),
    "cp932": ("氏名", "山田太郎", "\u3040", "\u9fff"),
    "cp949": ("이름", "김철수", "\uac00", "\ud7a3"),
    "cp1251": ("Имя", "Иван Петров", "\u0400", "\u04ff"),
    "cp1252": ("Prénom", "François", "\xc0", "\xff"),
    "cp1250": ("Příjmení", "Žluťoučký", "\u0100", "\u017f"),
    "cp1254": ("Adı", "Şükrü Işık", "\u011e", "\u015f"),
    "cp1256": ("الاسم", "محمد", "\u0600", "\u06ff"),
}


def names_in(encoding, low, high):
    """Names of columns of numbers that can be written so, and have letters of their own."""
    for name in NUMBERS:
        try:
            name.encode(encoding)
        except UnicodeError:
            continue
        if any(low <= letter <= high for letter in name):
            yield name


@pytest.mark.parametrize("encoding", WRITTEN)
@pytest.mark.parametrize("rows", [1, 30])
def test_a_short_table_in_a_legacy_encoding_is_read_by_both_sides(tmp_path, encoding, rows):
    title, person, low, high = WRITTEN[encoding]
    for name in ["Telefon", *some_of(list(names_in(encoding, low, high)))]:
        lines = [f"ID,{title},{name}", *[f"4179100{at:04},{person},4179828{at:04}" for at in range(rows)]]
        content = "\r\n".join(lines).encode(encoding)
        member = Member("a.csv", "a.csv", lambda content=content: iter([content]))
        table = text_table(member, content, None)
        assert table.head == ("ID", title, name)
        assert [row for block in table.blocks(True, ()) for row in block.frame.rows()] == [
            (f"4179100{at:04}", person, f"4179828{at:04}") for at in range(rows)
        ]
        assert LegacyDecoder().decode(content)[0].decode() == content.decode(encoding)
        assert numbers(read(tmp_path, "a.csv", content)) == [f"4179828{at:04}" for at in range(rows)]


def test_the_words_of_the_first_line_count_before_all_others():
    """Names of people are many, and in no list of words."""
    people = ["陳大文", "林小美", "黃志明", "李淑芬", "張雅婷", "王建國", "吳美玲", "劉家豪"]
    text = "姓名,手機號碼\n" + "".join(f"{each},0912345678\n" for each in people)
    decoder = LegacyDecoder()
    assert (decoder.decode(text.encode("big5"))[0].decode(), decoder.legacy) == (text, "big5")
