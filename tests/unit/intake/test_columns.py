"""Which column of a table holds the numbers."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.landed_files import A, B, C, D, blocks_of, numbers, read
from support.landed_lines import frame_of

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import text
from ekyc_tasks.intake.line_block import ABOVE_HEADER
from ekyc_tasks.intake.lines import RAGGED
from ekyc_tasks.intake.rules import ReadingRules


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"id;phone\n1;{A}\n2;{B}\n", [A, B]),
        (f"id\tMobile No.\n1\t{A}\n", [A]),
        (f"id|MSISDN|name\n1|{A}|x\n", [A]),
        (f"id,Phone Number\n1,{A}\n", [A]),
        (f"id,Téléphone\n1,{A}\n", [A]),
        (f"phone,name\n{A},x\n{B},y\n", [A, B]),
        (f"id,whoever,whatever\n1,x,{A}\n2,y,{B}\n", [A, B]),  # by content
        (f"1,x,{A}\n2,y,{B}\n", [A, B]),  # without a header
        (f"id,other\n41790000001,{A}\n41790000002,{B}\n", [A, B]),  # a plus is the better guess
        (f"41790000001,x,{A}\n".replace("41790000001", "4179"), [A]),
        (f"phone_type,contact\nmobile,{A}\nhome,{B}\n", [A, B]),  # a good name, but nothing in it
        ("phone,name\nfoo,bar\n", ["foo"]),  # junk is rejected line by line, later
        ("41798284651,0\n41798284652,0\n", ["41798284651", "41798284652"]),
        (f"sep=;\nid;phone\n1;{A}\n", [A]),
        (f'"id";"phone"\n"1";"{A}"\n', [A]),
        (f'id, "phone"\n1, "{A}"\n', [A]),
        (f'id;"a ""b""; c";phone\n1;"x;y ""z""";"{A}"\n', [A]),
        (f'id;name;phone\n1;5" nails;{A}\n2;x;{B}\n', [A, B]),
        (f'id;phone\n1;"=""{A}"""\n', [f'="{A}"']),
    ],
)
def test_the_column_of_the_numbers(tmp_path, content, expected):
    assert numbers(read(tmp_path, "a.csv", content)) == expected


def test_a_named_column(tmp_path):
    content = f"phone;second Phone\n{A};{B}\n"
    assert numbers(read(tmp_path, "a.csv", content, column="Second phone")) == [B]
    with pytest.raises(InputError, match=r"a\.csv has no column “third”\. It has: phone, second Phone\."):
        read(tmp_path, "a.csv", content, column="third")


@pytest.mark.parametrize("cell", ["1", '"1"', '"1,2"'])
def test_a_table_of_thousands_of_columns(tmp_path, cell):
    names = ",".join(f"c{index}" for index in range(2999))
    row = ",".join([cell] * 2999)
    content = f"{names},phone\n" + f"{row},{A}\n" * 30 + f"{row}\n{row},{B}\n"
    assert numbers(read(tmp_path, "a.csv", content)) == [A] * 30 + [B]


def test_the_first_rows_decide_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 100)
    rows = [f"4179{n:07};4478{n:08}" for n in range(100)]
    frame = read(tmp_path, "a.csv", "\n".join(["id;phone", *rows]))
    assert numbers(frame) == [f"4478{n:08}" for n in range(100)]


# --- names in all scripts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("titles", "wanted"),
    [
        ("ИНН,Телефон", "Телефон"),
        ("ИНН,Телефон", "ТЕЛЕФОН"),
        ("身份证号,手机号", "手机号"),
        ("رقم الهوية,رقم الهاتف", "رقم الهاتف"),
        ("आधार,फ़ोन", "फ़ोन"),
        ("Foo,Bär", "bar"),
        ("foo,ｂａｒ", "bar"),
        ("Foo,Wer anrufen?", "wer anrufen"),
    ],
)
def test_the_named_column_is_read_whatever_its_script(tmp_path, titles, wanted):
    content = f"{titles}\n41790004001,{A}\n41790004002,{B}\n"
    assert numbers(read(tmp_path, "a.csv", content, column=wanted)) == [A, B]


@pytest.mark.parametrize("wanted", ["Телефоны", "手机", "---", "…", "№", " ", "phone"])
def test_a_name_that_is_not_there_takes_no_other_column(tmp_path, wanted):
    content = f"ИНН,Мобильный\n41790004001,{A}\n"
    with pytest.raises(InputError, match=r"a\.csv has no column.*It has: ИНН, Мобильный\."):
        read(tmp_path, "a.csv", content, column=wanted)


@pytest.mark.parametrize("wanted", ["---", "…", "?"])
def test_a_name_without_a_letter_equals_nothing(tmp_path, wanted):
    with pytest.raises(InputError, match=r"a\.csv has no column"):
        read(tmp_path, "a.csv", f"?,---,Мобильный\n41790004001,41790004002,{A}\n", column=wanted)


def test_a_list_needs_no_named_column(tmp_path):
    assert numbers(read(tmp_path, "a.txt", f"{A}\n{B}\n", column="Телефон")) == [A, B]
    assert numbers(read(tmp_path, "a.txt", f"Телефон\n{A}\n", column="Телефон")) == [A]


def test_several_named_columns(tmp_path):
    content = f"id,Phone,Mobile,Fax\n1,{A},{B},{C}\n2,,{D},\n3,,,\n"
    frame = read(tmp_path, "a.csv", content, rules=ReadingRules(columns=("mobile", "PHONE")))
    assert frame.filter(~pl.col("is_header")).select("line", "text").rows() == [
        (2, A),
        (2, B),
        (3, D),
        (4, ""),
    ]
    assert numbers(read(tmp_path, "a.csv", content, column="*")) == [A, B, D]
    with pytest.raises(InputError, match="no column “Other”"):
        read(tmp_path, "a.csv", content, rules=ReadingRules(columns=("Phone", "Other")))


# --- columns that are surely named ------------------------------------------------------------------------

PHONES = [
    "Phone Number",
    "Téléphone",
    "Телефон",
    "手机号码",
    "رقم الهاتف",
    "मोबाइल नंबर",
    "Số điện thoại",
    "携帯電話",
    "휴대폰",
]


@pytest.mark.parametrize("title", PHONES)
def test_a_sure_column_that_is_empty_means_nothing_to_send(tmp_path, title):
    content = f"Record ID,First Name,{title}\n41790000001,Ann,\n41790000002,Bob,\n"
    frame = read(tmp_path, "a.csv", content)
    assert (numbers(frame), frame["is_blank"].sum()) == ([], 2)


@pytest.mark.parametrize("title", PHONES)
def test_numbers_elsewhere_are_a_question(tmp_path, title):
    content = f"Record ID,Contact,{title}\n41790000001,{A},\n41790000002,x,\n"
    with pytest.raises(InputError, match=rf"no number in “{title}”, but in “Contact”.*--column"):
        read(tmp_path, "a.csv", content)


@pytest.mark.parametrize(
    "titles",
    [
        "Phone 1 - Value|Phone 2 - Value|Phone 3 - Value",
        "phone|phone2|phone_3",
        "手机号1|手机号2|手机号3",
        "Tel.|Tel.|Tel.",
    ],
)
def test_numbered_columns_of_one_name_are_read_together(tmp_path, titles):
    one, two, three = titles.split("|")
    content = f"Name,{one},Type,{two},{three}\nP0,{A},Mobile,,\nP1,{B} ::: {C},Mobile,{D},\n"
    assert numbers(read(tmp_path, "a.csv", content)) == [A, f"{B} ::: {C}", D]


def test_columns_of_different_names_are_a_question(tmp_path):
    content = f"Home Phone,Mobile Phone\n41446681801,{A}\n41446681802,{B}\n"
    with pytest.raises(InputError, match="several columns of phone numbers: “Home Phone”, “Mobile Phone”"):
        read(tmp_path, "a.csv", content)


def test_a_second_column_that_begins_far_below_is_a_question(tmp_path):
    rows = [f"{A}," for _ in range(2000)]
    assert len(numbers(read(tmp_path, "a.csv", "\n".join(["Phone,Mobile", *rows, f"{A},n/a"])))) == 2001
    with pytest.raises(InputError, match="“Mobile”, further down"):
        read(tmp_path, "a.csv", "\n".join(["Phone,Mobile", *rows, f"{A},{B}"]))


@pytest.mark.parametrize(
    "title", ["Fax", "Emergency Phone", "Spouse phone", "Assistant Phone", "Agent", "Telefax"]
)
def test_numbers_of_others_are_read_only_when_named(tmp_path, title):
    content = f"Name,Phone,{title}\nAnn,{A},{B}\n"
    assert numbers(read(tmp_path, "a.csv", content)) == [A]
    assert numbers(read(tmp_path, "a.csv", content, column="*")) == [A]
    assert numbers(read(tmp_path, "a.csv", content, column=title)) == [B]
    with pytest.raises(InputError, match=f"besides “{title}”, which is only read when it is named"):
        read(tmp_path, "a.csv", f"Name,{title}\nAnn,{B}\n")


def test_identifiers_are_no_guess(tmp_path):
    with pytest.raises(InputError, match="no column of phone numbers besides “Customer ID”"):
        read(tmp_path, "a.csv", "Customer ID,Name\n41790000001,Ann\n41790000002,Bob\n")


@pytest.mark.parametrize(
    "cell",
    ["2025-11-15", "15.11.2025 10:30", "2025-11-15T10:30:00Z", "62.210.123.45", "41798284@example.com"],
)
def test_dates_and_addresses_are_no_numbers(tmp_path, cell):
    assert numbers(read(tmp_path, "a.csv", f"x,WhatsApp,phone\n{cell},{cell},{A}\n")) == [A]
    assert numbers(read(tmp_path, "a.csv", f"{cell},{A}\n{cell},{B}\n")) == [A, B]
    with pytest.raises(InputError, match="no column that looks like phone numbers"):
        read(tmp_path, "a.csv", f"x,y\n{cell},{cell}\n")


# --- headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [
        f"Immobilien Muster AG,{A}",
        f"WhatsApp,{A}",
        f"Telefon,{A[1:]}",
        "Telefon,22334455",
        f"Bob,{A} (mobile)",
        f"Bob,{A[1:]}@s.whatsapp.net",
        f'Bob,"{A} ::: {D}"',
    ],
)
def test_a_row_with_a_number_is_no_header(tmp_path, first):
    frame = read(tmp_path, "a.csv", f"{first}\nBob,{B}\nCy,{C}\n")
    assert (frame.height, frame["is_header"].sum()) == (3, 0)
    assert numbers(frame)[1:] == [B, C]


@pytest.mark.parametrize("line", [f"{A[1:]}@s.whatsapp.net", f"{A} (mobile)", f"{A} WhatsApp", f"tel {A}"])
def test_a_line_with_a_number_is_no_header(tmp_path, line):
    assert numbers(read(tmp_path, "a.txt", f"{line}\n{B}\n")) == [line, B]


@pytest.mark.parametrize("example", ["e.g. {}", "z.B. {}", "Format: {}", "例：{}", "например {}"])
def test_an_example_in_a_header_is_not_read(tmp_path, example):
    content = f"Record ID,Phone ({example.format(C)})\n41790000001,{A}\n41790000002,\n"
    assert numbers(read(tmp_path, "a.csv", content)) == [A]


@pytest.mark.parametrize("column", [None, "Phone"])
@pytest.mark.parametrize("titles", [["Export of contacts"], ["All phones", "", "2025"], ["x", "", "", "y"]])
def test_titles_and_blank_rows_above_the_header(tmp_path, titles, column):
    rows = [
        *titles,
        "",
        "Customer no,Name,Phone",
        f"4179100200,Ann,{A}",
        f"4179100201,Bob,{B}",
        "3,x,",
        "4,y,",
    ]
    frame = read(tmp_path, "a.csv", "\n".join(rows), column=column)
    assert numbers(frame) == [A, B]
    assert frame["is_header"].sum() == 1 + sum(1 for title in titles if title)


def test_a_number_above_the_header_is_rejected(tmp_path):
    content = f"Questions: {C}\nid,name,phone\n1,Ann,{A}\n2,Bob,{B}\n"
    blocks = blocks_of(tmp_path, "a.csv", content)
    assert [(dict(block.flaws), block.headers.tolist()) for block in blocks] == [({0: ABOVE_HEADER}, [1])]


# --- lines of several numbers, and cells too many ----------------------------------------------------------


def test_a_list_of_several_numbers_a_line_is_no_table(tmp_path):
    for content in (f"{A};{B}\n", f"{A};{B[1:]}\n", f"{A},{B}\n{C},{D}\n", f"phone\n{A};{B}\n"):
        lines = [line for line in content.splitlines() if line != "phone"]
        assert numbers(read(tmp_path, "a.txt", content)) == lines
    for name, content in (("a.csv", f"{A};{B[1:]}\n"), ("a.txt", f"{A}\t{B[1:]}\n")):
        with pytest.raises(InputError, match="column 1, column 2"):
            read(tmp_path, name, content)


@pytest.mark.parametrize("cell", ["41,798,284,651", '"41,798,284,651"'])
def test_a_column_of_numbers_with_separators(tmp_path, cell):
    assert numbers(read(tmp_path, "a.csv", f"phone\n{cell}\n")) == [cell]


@pytest.mark.parametrize(
    ("row", "expected", "is_flawed"),
    [
        (f"Bob,{B},{C}", [B, C], False),
        (f"Bob,{B},{C},,{D}", [B, C, D], False),
        (f'"Bob, Jr",{B},{C}', [B, C], False),
        (f"Bob,{B},,", [B], False),
        (f'"Bob, Jr",{B}', [B], False),
        (f"Muster, AG,{B}", [f"Muster, AG,{B}"], True),
        (f"Bob,{B},x", [f"Bob,{B},x"], True),
        (f"Bob,,{B}", [f"Bob,,{B}"], True),
        (f'5" nails,{B},x', [f'5" nails,{B},x'], True),
    ],
)
def test_cells_behind_the_last_column_are_read_or_rejected(tmp_path, row, expected, is_flawed):
    content = f"name,phone\nAnn,{A}\n{row}\nCy,{D}\n"
    blocks = blocks_of(tmp_path, "a.csv", content)
    assert [text for block in blocks for text in numbers(frame_of(block))] == [A, *expected, D]
    assert [reason for block in blocks for reason in block.flaws.values()] == [RAGGED] * is_flawed
    assert sum(block.line_count for block in blocks) == 4


@example([["x", B]])
@given(
    st.lists(st.lists(st.sampled_from(["", "x", A, B, C]), min_size=1, max_size=6), min_size=1, max_size=8)
)
def test_no_number_of_a_table_is_dropped(tmp_path_factory, rows):
    """Every number in the column or behind it is in an entry of its line, or the file is a question as the
    column has none. No number in front of it is ever read by itself."""
    content = "".join(f"{','.join(row)}\n" for row in [["id", "phone"], *[[D, *row] for row in rows]])
    try:
        frame = read(tmp_path_factory.mktemp("table"), "a.csv", content)
    except InputError as error:
        assert "no number in “phone”" in str(error)  # noqa: PT017
        assert [row for row in rows if row[0].startswith("+")] == []
        return
    for line, row in enumerate(rows, start=2):
        texts = frame.filter(pl.col("line") == line)["text"].to_list()
        found = [cell for cell in row if any(cell in text for text in texts)]
        assert [cell for cell in row if cell.startswith("+") and cell not in found] == []
        assert D not in texts
