"""Text of any encoding, in pieces that end anywhere."""

from __future__ import annotations

import pytest
from support.landed_files import A, B, C, D, numbers, read

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import lines, text
from ekyc_tasks.intake.rules import ReadingRules


@pytest.mark.parametrize("distance", [1, 5, 300])
def test_a_stray_quote_costs_no_other_line(tmp_path, distance):
    """Two opened and never closed: what lies between them is no cell."""
    rows = [f'1;"Acme;{A}', *[f"2;x;{B}"] * distance, f'3;"Beta;{C}', f"4;x;{D}"]
    frame = read(tmp_path, "a.csv", "\n".join(["id;name;phone", *rows]))
    assert numbers(frame) == [A, *[B] * distance, C, D]


def test_a_cell_of_hundreds_of_lines_is_none(tmp_path):
    rows = ['1;"Acme', *[f"2;x;{B}"] * 300, f'Acme";y;{C}']
    frame = read(tmp_path, "a.csv", "\n".join(["id;name;phone", *rows, ""]))
    assert numbers(frame) == [*[B] * 300, C]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_encodings(tmp_path, encoding):
    content = f"näme;téléphone\r\nÄ;+41\u00a0798284651\r\nÖ;{B}\r\n"
    assert numbers(read(tmp_path, "a.csv", content.encode(encoding))) == ["+41\u00a0798284651", B]


def test_utf_16_with_its_mark(tmp_path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert numbers(read(tmp_path, "a.tsv", mark + f"id\ttel\n1\t{A}\n".encode(encoding))) == [A]


def test_pieces_end_anywhere(tmp_path, monkeypatch):
    rows = "".join(f'{n},"näme\r\n{n}",+4179{n:07}\r\n{n},x,0041 79 {n}\r\n' for n in range(300))
    for encoding in ("utf-8", "utf-16", "latin-1"):
        content = f"id,name,phone\r\n{rows}".encode(encoding)
        whole = read(tmp_path, "a.csv", content)
        with monkeypatch.context() as smaller:
            smaller.setattr(text, "PIECE_BYTES", 997)
            smaller.setattr(lines, "SAMPLE_LINES", 20)
            assert read(tmp_path, "a.csv", content).equals(whole)
        assert whole.height == 601


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 5_000)
    with pytest.raises(InputError, match=r"a\.txt has a line"):
        read(tmp_path, "a.txt", "1" * 7_000)


@pytest.mark.parametrize(
    ("encoding", "titles", "row"),
    [
        ("gb18030", "身份证号,姓名,手机号", "王小明"),
        ("gbk", "身份证号,姓名,手机号码", "李雷和韩梅梅"),
        ("big5", "編號,姓名,手機號碼", "陳大文"),
        ("cp932", "番号ID,氏名,携帯電話", "山田太郎"),
        ("cp949", "주문번호,이름,휴대폰 번호", "김철수"),
        ("cp1251", "ИНН,Имя,Номер телефона", "Иван Петрович Сидоров"),
        ("cp1252", "Kunden-ID,Name,Téléphone", "Müller-Lüdenscheidt"),
        ("cp1250", "Zákazník ID,Jméno,Telefonní číslo", "Žluťoučký kůň"),
    ],
)
def test_columns_are_found_in_texts_of_legacy_encodings(tmp_path, encoding, titles, row):
    """Beside identifiers that look like numbers, so that a name that is not understood would show."""
    lines = [titles, *[f"4179100{n:04},{row},4179828{n:04}" for n in range(30)]]
    content = "\r\n".join(lines).encode(encoding)
    expected = [f"4179828{n:04}" for n in range(30)]
    assert numbers(read(tmp_path, "a.csv", content)) == expected
    assert numbers(read(tmp_path, "a.csv", content, rules=ReadingRules(encoding=encoding))) == expected


def test_a_delimiter_that_is_given(tmp_path):
    content = f"id:phone\n1:{A}\n2:{B}\n"
    assert numbers(read(tmp_path, "a.csv", content, rules=ReadingRules(delimiter=":"))) == [A, B]
