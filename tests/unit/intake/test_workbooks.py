"""Workbooks of all kinds, read in a process of their own."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import nullcontext

import polars as pl
import pytest
import xlsxwriter
from support.landed_files import A, B, C, blocks_of, numbers, read, workbook
from support.landed_lines import frame_of

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.line_block import ABOVE_HEADER
from ekyc_tasks.intake.rules import ReadingRules
from ekyc_tasks.intake.workbooks import ERROR_CELL, NOT_CALCULATED
from ekyc_tasks.tabular import xlsx, xlsx_worker
from ekyc_tasks.tabular.xlsx import MAX_SHEETS


def book(*sheets, hidden=()):
    """Sheets as rows of cells, written as a spreadsheet would."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as writer:
        for at, rows in enumerate(sheets):
            sheet = writer.add_worksheet(f"S{at + 1}")
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write(row, column, cell)
            if at in hidden:
                sheet.hide()
    return file.getvalue()


def edited(content, part, *changes):
    """The same workbook with some bytes of one part changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            data = old.read(each)
            for before, after in changes if each == part else ():
                assert before in data
                data = data.replace(before, after)
            new.writestr(each, data)
    return file.getvalue()


def ods(rows):
    """The least that is an OpenDocument spreadsheet; a cell is its XML, or a text."""
    cells = [
        [
            cell
            if cell.startswith("<")
            else f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
            for cell in row
        ]
        for row in rows
    ]
    body = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in cells)
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        parts.writestr(
            "content.xml",
            f'<office:document-content {names}><office:body><office:spreadsheet><table:table table:name="S1">'
            f"{body}</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        parts.writestr("META-INF/manifest.xml", "<manifest/>")
    return file.getvalue()


def flaws_of(tmp_path, content, **rules):
    """Line and reason of each cell that must not be read."""
    blocks = blocks_of(tmp_path, "a.xlsx", content, ReadingRules(**rules))
    return [(int(block.lines[at]), reason) for block in blocks for at, reason in block.flaws.items()]


def test_a_workbook(tmp_path):
    cells = {"A2": "id", "B2": "Phone", "A3": 1, "B3": 41798284651, "A4": 2, "B6": A, "B7": 4.1798284652e10}
    frame = read(tmp_path, "a.xlsx", workbook(cells, {}))
    assert numbers(frame) == ["41798284651", A, "41798284652"]
    assert frame.filter(pl.col("is_header"))["line"].to_list() == [2]
    assert frame["line"].to_list() == [1, 2, 3, 4, 5, 6, 7]


def test_an_empty_workbook(tmp_path):
    assert read(tmp_path, "a.xlsx", workbook({})).is_empty()


def test_number_formats_do_not_matter(tmp_path):
    file = io.BytesIO()
    formats = [
        "General",
        "0",
        "0.00",
        "#,##0",
        "@",
        "0.00E+00",
        "+0",
        "00000000000000",
        "[<=9999999]###-####",
        "$#,##0",
    ]
    with xlsxwriter.Workbook(file) as writer:
        sheet = writer.add_worksheet()
        sheet.write(0, 0, "phone")
        for at, each in enumerate(formats, start=1):
            sheet.write_number(at, 0, 41798284600 + at, writer.add_format({"num_format": each}))
    assert numbers(read(tmp_path, "a.xlsx", file.getvalue())) == [
        str(41798284601 + at) for at in range(len(formats))
    ]


# --- titles, sheets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", [None, "Phone", "ＰＨＯＮＥ"])
def test_a_title_above_the_header(tmp_path, column):
    rows = [["Export of contacts"], [], ["Customer no", "Name", "Phone"]]
    rows += [[4179100200 + at, "Ann", 41798284655 + at] for at in range(3)]
    frame = read(tmp_path, "a.xlsx", book(rows), column=column)
    assert numbers(frame) == ["41798284655", "41798284656", "41798284657"]
    assert frame.filter(pl.col("is_header"))["line"].to_list() == [1, 3]


def test_a_number_above_the_header_is_rejected(tmp_path):
    rows = [[f"Questions: {C}"], ["Name", "Phone"], ["Ann", A], ["Bob", B]]
    assert flaws_of(tmp_path, book(rows)) == [(1, ABOVE_HEADER)]


def test_several_visible_sheets_with_numbers_are_a_question(tmp_path):
    content = book(
        [["phone"], [A]], [["phone"], [B]], [["see the other sheets"], ["2025-11-15 10:30:00", 123456]]
    )
    with pytest.raises(InputError, match=r"a\.xlsx has data on 2 sheets \(“S1”, “S2”\)"):
        read(tmp_path, "a.xlsx", content)
    assert numbers(read(tmp_path, "a.xlsx", content, rules=ReadingRules(sheet="s2"))) == [B]
    with pytest.raises(InputError, match=r"no sheet “S9”\. It has: “S1”, “S2”, “S3”"):
        read(tmp_path, "a.xlsx", content, rules=ReadingRules(sheet="S9"))


def test_hidden_sheets_do_not_matter(tmp_path):
    content = book([["phone"], [A]], [["phone"], [B]], [["Legend", "colours"]], hidden=[1])
    assert numbers(read(tmp_path, "a.xlsx", content)) == [A]
    with pytest.raises(InputError, match="numbers on hidden sheets only"):
        read(tmp_path, "a.xlsx", book([["see below"]], [["phone"], [B]], hidden=[1]))


# --- cells that show nothing of what they are --------------------------------------------------------


@pytest.mark.parametrize("error", ["#NAME?", "#N/A", "#REF!", "#VALUE!", "#DIV/0!"])
def test_a_cell_with_an_error_is_rejected(tmp_path, error):
    cell = f'<c r="B2" t="e"><v>{error}</v></c>'.encode()
    content = edited(
        book([["name", "phone"], ["Ann", 7], ["Bob", B]]),
        "xl/worksheets/sheet1.xml",
        (b'<c r="B2"><v>7</v></c>', cell),
    )
    assert flaws_of(tmp_path, content) == [(2, ERROR_CELL)]
    assert numbers(read(tmp_path, "a.xlsx", content)) == ["(error)", B]


FORMULA = b'<f>"+"&amp;41798284420</f>'


@pytest.mark.parametrize(
    ("cell", "is_flawed"),
    [
        (b'<c r="B2">' + FORMULA + b"<v></v></c>", True),
        (b'<c r="B2">' + FORMULA + b"<v/></c>", True),
        (b'<c r="B2">' + FORMULA + b"</c>", True),
        (b"<c>" + FORMULA + b"</c>", True),
        (b'<c r="B2"><f t="shared" si="0"/></c>', True),
        (b'<c r="B2" t="str"><f>IF(1,"")</f><v></v></c>', False),  # calculated: it is an empty text
        (b'<c r="B2" t="str">' + FORMULA + b"<v>+41798284420</v></c>", False),
        (b'<c r="B2"/>', False),
    ],
)
@pytest.mark.parametrize("shift", [0, 2])
def test_a_formula_that_was_never_calculated_is_rejected(tmp_path, cell, is_flawed, shift):
    rows = [[None] * shift + row for row in (["name", "phone"], ["Ann", 7], ["Bob", B])]
    old = b'<c r="%c2"><v>7</v></c>' % b"BD"[shift // 2]
    new = cell.replace(b"B2", b"%c2" % b"BD"[shift // 2])
    content = edited(book(rows), "xl/worksheets/sheet1.xml", (old, new))
    assert flaws_of(tmp_path, content) == [(2, NOT_CALCULATED)] * is_flawed


def test_a_column_of_formulas_alone(tmp_path):
    content = edited(
        book([[7], [8]]), "xl/worksheets/sheet1.xml", (b"<v>7</v>", FORMULA), (b"<v>8</v>", FORMULA)
    )
    assert flaws_of(tmp_path, content) == [(1, NOT_CALCULATED), (2, NOT_CALCULATED)]


def test_a_good_number_beside_a_formula(tmp_path):
    content = edited(
        book([["phone1", "phone2"], [7, A], [B, C]]), "xl/worksheets/sheet1.xml", (b"<v>7</v>", FORMULA)
    )
    [block] = blocks_of(tmp_path, "a.xlsx", content)
    assert frame_of(block).select("line", "text").rows() == [
        (1, "phone1"),
        (2, "(formula)"),
        (2, A),
        (3, B),
        (3, C),
    ]
    assert dict(block.flaws) == {1: NOT_CALCULATED}


# --- other kinds, and limits -----------------------------------------------------------------------------


def test_an_open_document(tmp_path):
    number = '<table:table-cell office:value-type="float" office:value="41798284652"/>'
    rows = [["id", "Phone"], ["1", A], ["2", number], ["3", "<table:table-cell/>"]]
    frame = read(tmp_path, "a.ods", ods(rows))
    assert numbers(frame) == [A, "41798284652"]
    with pytest.raises(InputError, match=r"a\.xlsx contains a \.ods file"):
        read(tmp_path, "a.xlsx", ods(rows))
    with pytest.raises(InputError, match=r"a\.csv contains a \.ods file"):
        read(tmp_path, "a.csv", ods(rows))


def test_a_workbook_whose_name_says_another_kind(tmp_path):
    for name in ("a.xls", "a.ods"):
        with pytest.raises(InputError, match=r"contains a \.xlsx file"):
            read(tmp_path, name, book([["phone"], [A]]))


def test_what_a_sheet_says_of_its_size_does_not_matter(tmp_path):
    assert numbers(read(tmp_path, "a.xlsx", workbook({"A1": A}, dimension="A1:XFD1048576"))) == [A]


def test_a_sheet_that_sprawls(tmp_path):
    """The rectangle would take hundreds of gigabytes; the process that reads it ends instead of this one."""
    content = edited(
        book([["phone"], [A]]),
        "xl/worksheets/sheet1.xml",
        (b'<c r="A2"', b'<c r="XFD1048576"><v>1</v></c><c r="A2"'),
    )
    with pytest.raises(InputError, match="cannot be opened as a workbook"):
        read(tmp_path, "a.xlsx", content)


def test_a_large_workbook_is_within_the_limits(tmp_path):
    rows = [[f"name {at}", 41790000000 + at, "x" * 20, at % 7] for at in range(40_000)]
    frame = read(tmp_path, "a.xlsx", book([["name", "phone", "note", "n"], *rows]))
    assert (frame.height, numbers(frame)[-1]) == (40_001, "41790039999")


@pytest.mark.parametrize(("sheets", "is_read"), [(MAX_SHEETS, True), (MAX_SHEETS + 1, False)])
def test_as_many_sheets_as_in_archives(tmp_path, sheets, is_read):
    content = book([[A]], *[[]] * (sheets - 1))
    with nullcontext() if is_read else pytest.raises(InputError, match="more than 64 sheets"):
        assert numbers(read(tmp_path, "a.xlsx", content)) == [A]


@pytest.mark.parametrize("kind", ["overlaps", "packed too well", "checksum"])
def test_a_hostile_workbook_is_refused_as_in_archives(tmp_path, kind):
    content = bytearray(book([["phone"], [A]]))
    if kind == "overlaps":
        second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
        content[second + 42 : second + 46] = bytes(4)  # it starts where the first part does
    elif kind == "checksum":
        first = content.index(b"PK\x01\x02")
        content[first + 16] ^= 1
    else:
        content = edited(
            bytes(content),
            "xl/worksheets/sheet1.xml",
            (b"</worksheet>", b"<!--" + bytes([32]) * (4 << 20) + b"--></worksheet>"),
        )
    with pytest.raises(InputError, match=r"^a\.xlsx cannot be opened as a workbook"):
        read(tmp_path, "a.xlsx", bytes(content))


def test_a_full_disk_is_no_fault_of_the_workbook(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx, "run_worker", lambda *_: xlsx_worker.DISK_FULL)
    with pytest.raises(ConfigurationError, match=r"^There is no space to read a\.xlsx"):
        read(tmp_path, "a.xlsx", book([[A]]))


# --- old workbooks --------------------------------------------------------------------------------------


def record(kind, body):
    return struct.pack("<HH", kind, len(body)) + body


def cell_record(row, column, value):
    """A text, a number, or an error."""
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, str):
        text = value.encode("utf-16-le")
        return record(0x0204, place + struct.pack("<HB", len(value), 1) + text)
    if value is None:
        return record(0x0205, place + b"\x1d\x01")  # #NAME?
    return record(0x0203, place + struct.pack("<d", value))


def xls(rows, part="Workbook"):
    """The least that is a workbook of Excel 97: one stream in a container of sectors."""
    version = struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0)
    sheet = record(0x0809, version[:2] + b"\x10\0" + version[4:])
    sheet += b"".join(
        cell_record(y, x, cell) for y, row in enumerate(rows) for x, cell in enumerate(row) if cell != ""
    )
    sheet += record(0x000A, b"")
    start = len(record(0x0809, version)) + len(record(0x0085, b"\0" * 10)) + 4
    names = record(0x0085, struct.pack("<IBBBB", start, 0, 0, 2, 0) + b"S1")
    stream = record(0x0809, version) + names + record(0x000A, b"") + sheet
    sectors = max(8, -(-len(stream) // 512))
    fat = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE]
    fat += [0xFFFFFFFF] * (128 - len(fat))
    root = directory_entry("Root Entry", 5, child=1, start=0xFFFFFFFE, size=0)
    file = directory_entry(part, 2, child=0xFFFFFFFF, start=2, size=sectors * 512)
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
    )
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    directory = root + file + bytes(256)
    return header + struct.pack("<128I", *fat) + directory + stream.ljust(sectors * 512, b"\0")


def directory_entry(name, kind, *, child, start, size):
    written = (name + "\0").encode("utf-16-le")
    none = 0xFFFFFFFF
    return (
        written.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(written), kind, 1, none, none, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def test_an_old_workbook(tmp_path):
    rows = [
        ["Customer no", "Téléphone"],
        [4179100200.0, A],
        [4179100201.0, 41798284652.0],
        [1.0, None],
        [2.0, ""],
    ]
    frame = read(tmp_path, "a.xls", xls(rows))
    assert numbers(frame) == [A, "41798284652", "(error)"]
    with pytest.raises(InputError, match=r"a\.xlsx is an old Excel workbook"):
        read(tmp_path, "a.xlsx", xls(rows))


def test_an_old_container_with_a_password(tmp_path):
    with pytest.raises(InputError, match="has a password"):
        read(tmp_path, "a.xls", xls([[A]], part="EncryptedPackage"))
