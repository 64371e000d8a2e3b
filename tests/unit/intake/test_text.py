"""Text of any encoding, in pieces that end anywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import at_most
from support.landed_files import A, B, C, D, blocks_of, numbers, read

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import lines, text
from ekyc_tasks.intake.lines import DOUBTFUL_QUOTES, RAGGED, TOO_SHORT
from ekyc_tasks.intake.rules import ReadingRules
from ekyc_tasks.tabular.quoting import single_rows


@pytest.mark.parametrize("distance", [1, 5, 300])
def test_a_stray_quote_costs_no_other_line(tmp_path, distance):
    """Two opened and never closed: what lies between them is no cell."""
    rows = [f'1;"Acme;{A}', *[f"2;x;{B}"] * distance, f'3;"Beta;{C}', f"4;x;{D}"]
    frame = read(tmp_path, "a.csv", "\n".join(["id;name;phone", *rows]))
    assert numbers(frame) == [A, *[B] * distance, C, D]


@pytest.mark.parametrize("count", [1, 31, 32, 99, 300])
def test_a_cell_may_go_over_as_many_lines_as_in_an_archive(tmp_path, count):
    """One of more lines is none: what stands in it is read, and its end is rejected."""
    content = f'id;name;phone\n1;"Acme{chr(10) * count}x";{A}\n2;y;{B}\n'
    frame = read(tmp_path, "a.csv", content)
    assert numbers(frame) == [A if count < 32 else f'x";{A}', B]


@pytest.mark.parametrize(
    ("rows", "expected", "reasons"),
    [
        # stray quotes that embrace rows of the table
        (f'1;"Acme;{A}\n2;x;{B}\n3;y";{C}', [f'1;"Acme;{A}\n2;x;{B}\n3;y";{C}'], [DOUBTFUL_QUOTES]),
        (f'1;"Acme;{A}\n3;y";{C}', [f'1;"Acme;{A}\n3;y";{C}'], [DOUBTFUL_QUOTES]),
        (f'1;"Acme\n{A};x";{C}', [f'1;"Acme\n{A};x";{C}'], [DOUBTFUL_QUOTES]),
        # cells of several lines
        (f'1;"12 Main St; Flat 4\nZürich; CH";{A}', [A], []),
        (f'"Acme\nCorp";x;{A}', [A], []),
        (f'5";"Acme\nCorp";{A}', [A], []),  # a quote before it is a sign like others
        # too short, and a number that may belong to the column
        (f"1;{A}", [f"1;{A}"], [TOO_SHORT]),
        ("1;0041798284651", ["1;0041798284651"], [TOO_SHORT]),
        (f'1;"Acme;{A}', [A], []),
        ('Acme";41798284651', ['Acme";41798284651'], [TOO_SHORT]),
        ("41798284651;no phone", [], []),  # an identifier
        ("1", [], []),
        # quotes in cells
        (f'1;"Al" 5";{A}', [A], []),
        (f'1;"Al; Jr" ;{A}', [f'1;"Al; Jr" ;{A}'], [RAGGED]),
        (f'1; "Al; Jr";{A}', [A], []),
        (f'1;"Al; Jr" 5";{A}', [A], []),
        (f'"a"b;c;x;{A}', [f'"a"b;c;x;{A}'], [RAGGED]),
    ],
)
def test_rows_with_quotes_are_read_or_rejected(tmp_path, rows, expected, reasons):
    content = f"id;name;phone\n0;z;{D}\n{rows}\n9;z;{D}\n9;z;{D}\n"
    blocks = blocks_of(tmp_path, "a.csv", content)
    assert numbers(read(tmp_path, "a.csv", content)) == [D, *expected, D, D]
    assert [reason for block in blocks for reason in block.flaws.values()] == reasons


def test_a_quoted_table_of_more_rows_than_are_looked_at_first(tmp_path):
    rows = "".join(f'"{at}","Smith, Ann","+4179{at:07}"\n' for at in range(lines.SAMPLE_LINES + 9))
    found = numbers(read(tmp_path, "a.csv", f'"id","name","phone"\n{rows}'))
    assert found == [f"+4179{at:07}" for at in range(lines.SAMPLE_LINES + 9)]


PIECES = ['"', '""', "a", "é", ";", ";", "\n", " ", '"\n', '";', ';"', "+41791234567", "\n7;"]
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=at_most(300), deadline=None)
@given(text_of_rows=texts)
def test_rows_are_cut_as_in_archives(text_of_rows):
    """But for spaces in front of quotes, which are none of the cell here."""
    piece = re.sub(' +"', '"', text_of_rows) + "\n"
    rows = text.TextRows.of_sample(piece, 0, ";")
    filled = [place for place, row in enumerate(rows.texts) if row.strip()]
    theirs = [*single_rows(piece.encode(), ";")]
    assert [(rows.lines[place], rows.texts[place]) for place in filled] == [each[:2] for each in theirs]
    for place, (_, row, cells) in zip(filled, theirs, strict=True):
        if cells or "\n" in row:
            found = [rows.column(index)[place] for index in range(len(cells) + 1)]
            assert [cell or "" for cell in found] == [*cells, ""]


@settings(max_examples=at_most(200), deadline=None)
@given(parts=st.lists(texts, max_size=5))
def test_rows_are_the_same_wherever_pieces_end(parts):
    lines_of_parts = [f"{part}\n" for part in parts]
    whole = "".join(lines_of_parts)
    again, line = [], 0
    for piece, odd in text.whole_rows(lines_of_parts, ";"):
        rows = text.TextRows.of(piece, odd, line, ";")
        again += zip(rows.lines.tolist(), rows.texts, strict=True)
        line += piece.count("\n")
    rows = text.TextRows.of_sample(whole, 0, ";") if whole else None
    assert again == ([*zip(rows.lines.tolist(), rows.texts, strict=True)] if rows else [])


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
