"""Delimited text, however it is written, as blocks of raw rows."""

from __future__ import annotations

import csv
import random
import struct
import zlib
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archive_files import DOCUMENTED, HEADER
from support.examples import at_most

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.tabular import Member, delimited, encodings
from ekyc_tasks.tabular.dialect import sniff

ROWS = [line.split(",") for line in DOCUMENTED.splitlines()[1:]]


def table_of(data: bytes, chunk_bytes: int = 1 << 20):
    pieces = [data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)]
    member = Member("all.csv", "all.csv", lambda: iter(pieces))
    return delimited.text_table(member, member.head(), None)


def read(data: bytes, *, skip_head: bool = True, chunk_bytes: int = 1 << 20):
    """Rows, the lines on which they start, and ragged lines, over all blocks."""
    blocks = list(table_of(data, chunk_bytes).blocks(skip_head, ()))
    rows = [[cell or "" for cell in row] for block in blocks for row in block.frame.iter_rows()]
    lines = [int(line) for block in blocks for line in block.lines]
    return rows, lines, [line for block in blocks for line in block.ragged]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)


@pytest.mark.parametrize(
    "data",
    [
        DOCUMENTED.encode(),
        DOCUMENTED.encode("utf-8-sig"),
        DOCUMENTED.encode("utf-16"),
        b"\xfe\xff" + DOCUMENTED.encode("utf-16-be"),
        DOCUMENTED.encode("utf-16-le"),
        DOCUMENTED.encode("utf-16-be"),
        DOCUMENTED.replace("\n", "\r\n").encode(),
        DOCUMENTED.replace("\n", "\r").encode(),
        DOCUMENTED.rstrip("\n").encode(),
        DOCUMENTED.replace(",", ";").encode(),
        DOCUMENTED.replace(",", "\t").encode(),
        DOCUMENTED.replace(",", "|").encode(),
        DOCUMENTED.replace("individual portrait", '"individual portrait"').encode(),
        "\n".join('"' + line.replace(",", '","') + '"' for line in DOCUMENTED.splitlines()).encode(),
    ],
    ids=[
        "utf-8", "bom", "utf-16", "utf-16-be-bom", "utf-16-le", "utf-16-be", "crlf", "cr", "no-last-newline",
        "semicolon", "tab", "pipe", "some-quotes", "all-quotes",
    ],
)  # fmt: skip
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 20])
def test_reads_the_same_rows_however_they_are_written(data, chunk_bytes):
    assert table_of(data).head == tuple(HEADER.split(","))
    assert read(data, chunk_bytes=chunk_bytes) == (ROWS, [2, 3, 4], [])


@pytest.mark.parametrize(
    ("body", "rows", "lines"),
    [
        ('1,"a,b",3\n4,x,6\n', [["1", "a,b", "3"], ["4", "x", "6"]], [2, 3]),
        ('1,"a\nb",3\n4,x,6\n', [["1", "a\nb", "3"], ["4", "x", "6"]], [2, 4]),
        ('1,"a\n\n,b\n",3\n4,x,6\n', [["1", "a\n\n,b\n", "3"], ["4", "x", "6"]], [2, 6]),
        ('1,"a ""b""",3\n', [["1", 'a "b"', "3"]], [2]),
        ('1,a "b" c,3\n', [["1", 'a "b" c', "3"]], [2]),
        ('1,5" tall,3\n4,x,6\n', [["1", '5" tall', "3"], ["4", "x", "6"]], [2, 3]),
        (
            '1,5" tall,3\n4,x,6\n7,6" tall,9\n',
            [["1", '5" tall', "3"], ["4", "x", "6"], ["7", '6" tall', "9"]],
            [2, 3, 4],
        ),
        ("1,,3\n\n  \n4,x,6\n\n", [["1", "", "3"], ["4", "x", "6"]], [2, 5]),
        ("1,é,3\n", [["1", "é", "3"]], [2]),
        ("1,名前 😀,3\n", [["1", "名前 😀", "3"]], [2]),
        ("\n\n", [], []),
        ("", [], []),
    ],
)
@pytest.mark.usefixtures("small_blocks")
def test_reads_quotes_newlines_and_blank_lines(body, rows, lines):
    assert read(f"a,b,c\n{body}".encode()) == (rows, lines, [])


def test_a_mark_in_the_middle_stays_in_its_cell():
    assert read("a,b\n\ufeff,2\n".encode(), chunk_bytes=4) == ([["\ufeff", "2"]], [2], [])
    assert read("\ufeff\ufeffa,b\n1,2\n".encode()) == ([["1", "2"]], [2], [])


def test_lines_that_end_in_cr_may_hold_cells_with_newlines():
    assert read(b"a,b\r1,2\r3,4\n") == ([["1", "2"], ["3", "4"]], [2, 3], [])
    assert read(b'a,b\r1,"x\ny"\r3,4\r') == ([["1", "x\ny"], ["3", "4"]], [2, 4], [])


def test_blank_lines_above_the_header_are_no_rows():
    assert read(b"\n \na,b\n1,2\n") == ([["1", "2"]], [4], [])


def test_a_header_may_span_lines():
    assert table_of(b'"a\nb",c\n1,2\n').head == ("a\nb", "c")
    assert read(b'"a\nb",c\n1,2\n') == ([["1", "2"]], [3], [])


def test_lines_of_bare_numbers_skip_blanks():
    assert read(b"+4179\r\n\r\n+4178\r\n", skip_head=False) == ([["+4179"], ["+4178"]], [1, 3], [])


@pytest.mark.parametrize(
    ("body", "rows", "ragged"),
    [
        ("1,2\n4,5,6\n", [["4", "5", "6"]], [(2, "1,2")]),
        ("1,2,3,4\n4,5,6\n", [["4", "5", "6"]], [(2, "1,2,3,4")]),
        (
            "1,2\n1,2,3,4\n4,5,6\n",
            [["4", "5", "6"]],
            [(2, "1,2"), (3, "1,2,3,4")],
        ),  # the sum of commas is right
        ('1,"a,3\n4,5,6\n7,8,9\n', [["4", "5", "6"], ["7", "8", "9"]], [(2, '1,"a,3')]),
    ],
)
def test_ragged_lines_are_set_apart_with_their_line(body, rows, ragged):
    found, _, found_ragged = read(f"a,b,c\n{body}".encode())
    assert (found, found_ragged) == (rows, ragged)


@pytest.mark.usefixtures("small_blocks")
def test_a_stray_quote_costs_one_line_not_the_rest():
    lines = [f"{n},x{n},z" for n in range(1_000)]
    lines[500] = '500,"x500,z'
    lines[900] = '900,x900",z'
    rows, _, ragged = read(("a,b,c\n" + "\n".join(lines) + "\n").encode())
    assert [line for line, _ in ragged] == [502]
    assert len(rows) == 999


A, B, C = "+41798284651", "+41798284652", "+41798284653"


@pytest.mark.parametrize(
    ("body", "rows", "ragged_lines"),
    [
        (f'{A},"Al, B",5",y\n{B},Bob,6",n\n', [[A, "Al, B", '5"', "y"], [B, "Bob", '6"', "n"]], []),
        (f'{A},"Al" 5",x,y\n{B},Bob 6",x,n\n', [[A, 'Al" 5', "x", "y"], [B, 'Bob 6"', "x", "n"]], []),
        (
            f'{A},5",x,y\n{B},"l\ni",x,n\n{C},6",x,y\n',
            [[A, '5"', "x", "y"], [B, "l\ni", "x", "n"], [C, '6"', "x", "y"]],
            [],
        ),
        (f'{A},x,y,"A\nl",more\n{B},x,n,z\n', [[B, "x", "n", "z"]], [2]),
        (f'{A},x,y,"A\n{B},x,n,z\n",more\n{B},x,y,z\n', [[B, "x", "y", "z"]], [2]),
        (f'{A},"Al,x,y\n{B},Bo 6",x,n\n{C},x,x,n\n', [[C, "x", "x", "n"]], [2]),
        (f'{A},"Al,x,y\n{B},Bo,x,n\n', [[B, "Bo", "x", "n"]], [2]),
    ],
    ids=[
        "behind quoted commas", "in a quoted cell", "around a good row", "a row too long",
        "a row in a cell", "quotes that embrace a row", "never closed",
    ],
)  # fmt: skip
@pytest.mark.parametrize("block_bytes", [16, 40, 1 << 20])
def test_quotes_astray_give_no_row_the_cells_of_another(body, rows, ragged_lines, block_bytes, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", block_bytes)
    found, _, ragged = read(f"number,name,more,verdict\n{body}".encode(), chunk_bytes=16)
    assert (found, [line for line, _ in ragged]) == (rows, ragged_lines)


@settings(max_examples=at_most(400), deadline=None)
@given(
    body=st.lists(st.sampled_from(["a", '"', '""', ",", "\n", "\r\n", A, '"b"', ',"', '",', '"\n'])).map(
        "".join
    ),
    block_bytes=st.integers(1, 60),
)
def test_reading_does_not_depend_on_the_size_of_blocks(body, block_bytes):
    data = f"n,a,b\n{body}".encode()
    before, delimited.BLOCK_BYTES = delimited.BLOCK_BYTES, block_bytes
    try:
        in_blocks = read(data, chunk_bytes=block_bytes)
    finally:
        delimited.BLOCK_BYTES = before
    assert in_blocks == read(data)


@pytest.mark.usefixtures("small_blocks")
def test_legacy_text_is_read_without_spoiling_other_lines():
    data = "a,b\n1,naïve\n".encode("cp1252") + "2,naïve\n".encode() + "3,café\n".encode("cp1252")
    blocks = list(table_of(data).blocks(True, ()))
    assert [row for block in blocks for row in block.frame.iter_rows()] == [
        ("1", "naïve"),
        ("2", "naïve"),
        ("3", "café"),
    ]
    assert sum(block.healed_lines for block in blocks) == 2


A, B = "+41798284651", "+41798284652"


@pytest.mark.parametrize(
    ("data", "delimiter", "head"),
    [
        (f'{A},yes,"a;b;c;d"\n{B},no,x\n', ",", (A, "yes", "a;b;c;d")),
        (f"{A};yes;https://e.com/a,b,c,d\n{B};no;\n", ";", (A, "yes", "https://e.com/a,b,c,d")),
        (f"{A},yes,https://e.com/a|b|c|d|e\n{B},no,\n", ",", (A, "yes", "https://e.com/a|b|c|d|e")),
        (f"{A}\tyes\ta;b;c\n\n{B}\tno\n{B}\tno\t\n", "\t", (A, "yes", "a;b;c")),
        (f"{A},a;b\n{B},c;d\n", ",", (A, "a;b")),  # either: the first of the two
        (f"{A},yes,a;b\n{B},no,c;d\n", ",", (A, "yes", "a;b")),  # either: more cells
        (f"{A}\n{B}\n", ",", (A,)),
        (f"{A}\n{B},{B}\n{B},{B}\n", ",", (B, B)),
        (f'{HEADER}\n{A},yes,"x\n' + f"{B},no;,;\n" * 30, ",", tuple(HEADER.split(","))),
    ],
)
def test_the_delimiter_is_the_one_that_most_rows_agree_on(data, delimiter, head):
    form = sniff(data.encode())
    assert (form.delimiter, form.head) == (delimiter, head)


LEGACY_HEADERS = [
    ("Nümmer,télégramme,Straße\n", "cp1252"),
    ("Номер,телеграм,возраст\n", "cp1251"),
    ("号码,电报,年龄\n", "gb18030"),
    ("電話番号,テレグラム,年齢\n", "cp932"),
]


@pytest.mark.parametrize(("header", "encoding"), LEGACY_HEADERS)
def test_a_legacy_header_is_read(header, encoding):
    body = "".join(f"+4179{n:07},yes,{header.strip().split(',')[2]}\n" for n in range(3_000))
    assert table_of((header + body).encode(encoding)).head == tuple(header.strip().split(","))


@pytest.mark.parametrize("value", ["Zoë", "名前"])
def test_nothing_is_detected_for_a_header_that_is_read_anyway(monkeypatch, value):
    monkeypatch.setattr(encodings, "_detect", pytest.fail)
    body = f"+41798284651,yes,{value}\n" * 3_000
    for data in (body.encode("gb18030" if value == "名前" else "cp1252"), body.encode()[:-4]):
        assert table_of(b"a,b,c\n" + data).head == ("a", "b", "c")


def test_little_is_looked_at_to_detect_an_encoding(monkeypatch):
    seen = []
    monkeypatch.setattr(encodings, "_detect", lambda lines: seen.append(lines) or "cp1252")
    assert table_of("Zoë,b\n".encode("cp1252") * 8_000).head == ("Zoë", "b")
    assert [len(lines) <= 2_048 for lines in seen] == [True]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(delimited, "MAX_LINE_BYTES", 1 << 12)
    with pytest.raises(ArchiveError, match="a line of more than 4,096 bytes"):
        read(b"a,b\n" + b"x" * (1 << 15), chunk_bytes=1 << 10)


@pytest.mark.parametrize(("width", "most"), [(2, 100), (8, 25)])
def test_short_lines_fill_a_block_by_their_count(width, most, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_LINES", 100)
    monkeypatch.setattr(delimited, "BLOCK_CELLS", 200)
    row = ",".join("1" * width)
    data = "\n".join([row, *([row, "1", ""] * 500)]).encode()
    blocks = list(table_of(data).blocks(True, ()))
    assert sum(block.returned_rows for block in blocks) == 1_000
    assert max(block.returned_rows for block in blocks) < 2 * most


def test_what_is_nearly_all_ragged_is_no_table(monkeypatch):
    monkeypatch.setattr(delimited, "MANY_RAGGED", 100)
    rows = ["1,2"] * 12
    assert len(read("\n".join(["a,b", *rows, *["1"] * 108]).encode())[2]) == 108
    with pytest.raises(ArchiveError, match="nine in ten of its lines"):
        read("\n".join(["a,b", *rows, *["1"] * 109]).encode())


NOISE = random.Random(1).randbytes  # noqa: S311 - repeatable, not secret


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n\n", b"\x00\x01\x02\x03", bytes(range(256)), bytes(1 << 16), NOISE(1_000), NOISE(1 << 16),
        zlib.compress(NOISE(5_000)), b"a,b\n1,2\n" + bytes(500), struct.pack("<500L", *range(500)),
    ],
)  # fmt: skip
def test_what_is_no_text_is_no_table(data):
    assert table_of(data) is None


@pytest.mark.parametrize("line", [1, 2, 500, 999])
@pytest.mark.parametrize("control", ["\0", "\x01", "\x7f", "\0\0\0"])
def test_a_control_character_spoils_its_own_row_only(line, control):
    lines = [f"{n},x{n},z" for n in range(1_000)]
    lines[line] = f"{line}{control},x,z"
    rows, starts, ragged = read(("a,b,c\n" + "\n".join(lines) + "\n").encode())
    assert len(rows) + len(ragged) == len(starts) + len(ragged) == 1_000
    others = [row for row, start in zip(rows, starts, strict=True) if start != line + 2]
    assert others == [lines[at].split(",") for at in range(1_000) if at != line]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\x85\u2028\u2029"), max_size=6)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=30)
)


@settings(max_examples=at_most(150), deadline=None)
@given(
    rows=tables, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), block_bytes=st.integers(1, 200)
)
def test_whatever_is_written_as_csv_is_read_back(rows, quoting, block_bytes):
    width = len(rows[0]) if rows else 2
    rows = [row for row in rows if "".join(row).strip()]
    buffer = StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator="\n")
    writer.writerows([[f"h{at}" for at in range(width)], *rows])
    before, delimited.BLOCK_BYTES = delimited.BLOCK_BYTES, block_bytes
    try:
        found, lines, ragged = read(buffer.getvalue().encode(), chunk_bytes=block_bytes)
    finally:
        delimited.BLOCK_BYTES = before
    starts = [2 + sum(_lines_of(row) for row in rows[:at]) for at in range(len(rows))]
    assert (found, lines, ragged) == (rows, starts, [])


def _lines_of(row):
    return 1 + sum(cell.count("\n") for cell in row)
