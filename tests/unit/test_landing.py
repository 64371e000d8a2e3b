"""Files as they land: which are taken, how they are copied, what is read from them."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_files import Nameless

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.landing import (
    arrival,
    arrivals,
    containers,
    left_alone,
    lines,
    read_blocks,
    read_lines,
    take_copy,
    text,
)

A, B, C, D = "+41798284651", "+41798284652", "+41798284653", "+41798284654"


def landed(folder, name, content=b"x"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- which files ----------------------------------------------------------------------------------------


def test_arrivals_are_regular_files_by_name(tmp_path):
    for name in ("b.txt", "a/z.csv", "a/b.csv", "C.TXT"):
        landed(tmp_path, name)
    assert [each.name for each in arrivals(tmp_path)] == ["C.TXT", "a/b.csv", "a/z.csv", "b.txt"]
    assert all(each.has_landed and each.path == tmp_path / each.name for each in arrivals(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        ".folder/a.txt",
        "a/.b/c.txt",
        "a.part",
        "a.TMP",
        "a.csv.crdownload",
        "~$book.xlsx",
        ".DS_Store",
    ],
)
def test_unfinished_and_hidden_files_are_left_alone(tmp_path, name):
    landed(tmp_path, name)
    landed(tmp_path, "a.txt")
    assert [each.name for each in arrivals(tmp_path)] == ["a.txt"]


def test_links_are_not_followed(tmp_path):
    outside = landed(tmp_path, "outside/a.txt")
    folder = tmp_path / "landing"
    folder.mkdir()
    (folder / "file.txt").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    os.mkfifo(folder / "pipe.txt")
    assert arrivals(folder) == []


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_landing_folder_that_is_none(tmp_path, name):
    landed(tmp_path, "file")
    with pytest.raises(ConfigurationError, match=f"{name}.*LANDING_DIR"):
        arrivals(tmp_path / name)


def test_identity_changes_with_the_file(tmp_path):
    path = landed(tmp_path, "a.txt", b"1234")
    seen = arrivals(tmp_path)[0]
    assert seen.is_unchanged()
    assert seen == arrivals(tmp_path)[0]
    path.write_bytes(b"4321")
    os.utime(path, ns=(seen.mtime_ns, seen.mtime_ns))  # what `cp -p` and `rsync -t` do
    assert not seen.is_unchanged()
    assert seen.identity != arrivals(tmp_path)[0].identity


def test_a_file_that_is_gone_or_replaced_has_changed(tmp_path):
    path = landed(tmp_path, "a.txt", b"1234")
    seen = arrivals(tmp_path)[0]
    landed(tmp_path, "b.txt", b"1234").replace(path)
    assert not seen.is_unchanged()
    path.unlink()
    assert not seen.is_unchanged()


def test_a_file_that_is_renamed_in_was_written_before(tmp_path):
    path = landed(tmp_path, "elsewhere.txt")
    os.utime(path, (1, 1))
    path.rename(tmp_path / "a.txt")
    assert arrivals(tmp_path)[0].written_at == 1


def test_folders_and_links_that_are_named_like_files_are_named_and_left_alone(tmp_path):
    for name in ("a.csv/b.txt", "c/d.ZIP/e.txt", ".hidden.csv/f.txt", "2026.11/g.txt"):
        landed(tmp_path, name)
    for name in ("c/link.csv", ".link.csv", "link"):
        (tmp_path / name).symlink_to(tmp_path / "2026.11/g.txt")
    sentences = left_alone(tmp_path)
    assert [each.split()[0] for each in sentences] == ["a.csv", "c/d.ZIP", "c/link.csv"]
    assert ["link" in each for each in sentences] == [False, False, True]
    assert [each.name for each in arrivals(tmp_path)] == ["2026.11/g.txt"]


@pytest.mark.parametrize(("inside", "name"), [(True, "sub/a.txt"), (False, "a.txt")])
def test_a_named_file(tmp_path, inside, name):
    path = landed(tmp_path / "landing", "sub/a.txt")
    seen = arrival(path, tmp_path / "landing" if inside else tmp_path / "elsewhere")
    assert (seen.name, seen.has_landed, seen.size) == (name, inside, 1)
    assert arrival(path, None).has_landed is False


def test_a_named_file_is_the_one_that_is_found(tmp_path, monkeypatch):
    landed(tmp_path, "sub/a.txt")
    monkeypatch.chdir(tmp_path)
    assert arrival(lines.Path("sub/../sub/a.txt"), tmp_path) == arrivals(tmp_path)[0]


def test_a_named_link_is_followed_and_stays(tmp_path):
    target = landed(tmp_path, "elsewhere/a.txt", b"12345")
    link = tmp_path / "landing.txt"
    link.symlink_to(target)
    seen = arrival(link, tmp_path)
    assert (seen.name, seen.size, seen.has_landed) == ("landing.txt", 5, False)
    assert take_copy(seen, tmp_path / "copy") == hashlib.sha256(b"12345").hexdigest()


@pytest.mark.parametrize("name", ["missing.txt", "folder", "dangling.txt"])
def test_a_named_file_that_is_none(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=name):
        arrival(tmp_path / name, None)


def test_a_named_file_without_permission(tmp_path, monkeypatch):
    path = landed(tmp_path, "a.txt")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(InputError, match=r"a\.txt.*permission"):
        arrival(path, None)


# --- copies ---------------------------------------------------------------------------------------------


def test_a_copy_is_private_and_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.landing.files.COPY_BYTES", 7)
    content = bytes(range(256))
    landed(tmp_path, "in/a.txt", content)
    copy = tmp_path / "copy"
    assert take_copy(arrivals(tmp_path / "in")[0], copy) == hashlib.sha256(content).hexdigest()
    assert copy.read_bytes() == content
    assert copy.stat().st_mode & 0o777 == 0o600


def test_no_copy_of_a_file_that_changed_since_it_was_seen(tmp_path):
    path = landed(tmp_path, "in/a.txt", b"1")
    seen = arrivals(tmp_path / "in")[0]
    path.write_bytes(b"12")
    with pytest.raises(InputError, match=r"a\.txt changed"):
        take_copy(seen, tmp_path / "copy")


def test_no_copy_of_a_file_that_changes_meanwhile(tmp_path, monkeypatch):
    path = landed(tmp_path, "in/a.txt", b"1")
    seen = arrivals(tmp_path / "in")[0]
    really_open = type(path).open

    def open_and_append(self, *args, **kwargs):
        file = really_open(self, *args, **kwargs)
        with really_open(path, "ab") as writer:
            writer.write(b"2")
        return file

    monkeypatch.setattr(type(path), "open", open_and_append)
    with pytest.raises(InputError, match=r"a\.txt changed"):
        take_copy(seen, tmp_path / "copy")


def test_no_copy_without_room(tmp_path):
    landed(tmp_path, "in/a.txt")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        take_copy(arrivals(tmp_path / "in")[0], tmp_path / "nowhere" / "copy")


# --- lines ----------------------------------------------------------------------------------------------


def read(tmp_path, name, content, column=None):
    copy = tmp_path / "private copy"
    copy.write_bytes(content if isinstance(content, bytes) else content.encode())
    frame = read_lines(copy, name=name, column=column)
    assert frame.schema == {
        "line": pl.Int64,
        "text": pl.String,
        "is_header": pl.Boolean,
        "is_blank": pl.Boolean,
    }
    assert not (frame["is_header"] & frame["is_blank"]).any()
    return frame


def kinds(frame):
    """One letter a line: header, blank or number."""
    return "".join("h" if header else "b" if blank else "n" for _, _, header, blank in frame.iter_rows())


def numbers(frame):
    return frame.filter(~pl.col("is_header") & ~pl.col("is_blank"))["text"].to_list()


@pytest.mark.parametrize(
    ("content", "expected", "kind"),
    [
        ("\n", [], "b"),
        ("\n \t\n\u00a0\n", [], "bbb"),
        (A, [A], "n"),
        (f"{A}\n{B}\n", [A, B], "nn"),
        (f"{A}\r\n\r\n{B}\r\n", [A, B], "nbn"),
        (f"{A}\r{B}\r", [A, B], "nn"),
        (f"\ufeff{A}\n", [A], "n"),
        (f"Phone numbers\n{A}\n", [A], "hn"),
        (f"NUMBER\n{A}\n", [A], "hn"),
        (f"anything else\n{A}\n", ["anything else", A], "nn"),
        ("foo\nbar\n", ["foo", "bar"], "nn"),
        (f"# a comment; with, signs\n{A}\n{B}\n", ["# a comment; with, signs", A, B], "nnn"),
        (f'"{A}"\n"{B}"\n', [f'"{A}"', f'"{B}"'], "nn"),
        (f'"{A}\n{B}\n{C}\n', [f'"{A}', B, C], "nnn"),
    ],
)
def test_lines_of_a_text(tmp_path, content, expected, kind):
    frame = read(tmp_path, "a.txt", content)
    assert (numbers(frame), kinds(frame)) == (expected, kind)
    assert frame["line"].to_list() == list(range(1, len(kind) + 1))


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
        (f"41790000001,{A}\n41790000002,{B}\n", [A, B]),  # a plus is the better guess
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
    with pytest.raises(InputError, match=r"a\.csv has no column “third”"):
        read(tmp_path, "a.csv", content, column="third")


@pytest.mark.parametrize("cell", ["1", '"1"', '"1,2"'])
def test_a_table_of_thousands_of_columns(tmp_path, cell):
    names = ",".join(f"c{index}" for index in range(2999))
    row = ",".join([cell] * 2999)
    content = f"{names},phone\n" + f"{row},{A}\n" * 30 + f"{row}\n{row},{B}\n"
    assert numbers(read(tmp_path, "a.csv", content)) == [A] * 30 + [B]


def test_rows_without_a_number(tmp_path):
    frame = read(tmp_path, "a.csv", f"id;phone;x\n1;{A};x\n2;;x\n3\n\n;;\n4;{B};x\n5;{C};x\n")
    assert kinds(frame) == "hnbbbbnn"


def test_a_cell_of_several_lines_is_one_row(tmp_path):
    frame = read(tmp_path, "a.csv", f'id,note,phone\n1,"two\nlines",{A}\n2,x,{B}\n')
    assert numbers(frame) == [A, B]
    assert frame["line"].to_list() == [1, 2, 4]


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


def test_blocks_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 1_000)
    (tmp_path / "copy").write_text(f"{A}\n" * 1_000)
    blocks = list(read_blocks(tmp_path / "copy", name="a.txt"))
    assert len(blocks) > 5
    assert max(len(block.lines) for block in blocks) < 200
    assert pl.concat([block.frame() for block in blocks])["line"].to_list() == list(range(1, 1_001))


def test_the_first_rows_decide_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 100)
    rows = [f"4179{n:07};4478{n:08}" for n in range(100)]
    frame = read(tmp_path, "a.csv", "\n".join(["id;phone", *rows]))
    assert numbers(frame) == [f"4478{n:08}" for n in range(100)]


def test_blank_lines_before_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 10)
    frame = read(tmp_path, "a.csv", "\n" * 50 + f"id;phone\n1;{A}\n")
    assert (kinds(frame), numbers(frame)) == ("b" * 50 + "hn", [A])


TABLE = f"id;phone\n1;{A}\n2;{B}\n".encode()


def zipped(*members, content=TABLE):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        for name in members:
            parts.writestr(name, content)
    return file.getvalue()


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


def parquet(**columns):
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A.CSV.GZ", gzip.compress(TABLE)),
        ("a.csv.gz", gzip.compress(TABLE[:15]) + gzip.compress(TABLE[15:])),
        ("a.csv.zst", zstd(TABLE)),
        ("a.csv.zst", zstd(TABLE[:15]) + zstd(TABLE[15:])),
        ("a.zip", zipped("a.csv")),
        ("a.zip", zipped(Nameless(), "a.csv", "b.csv/")),
        ("a.csv.zip", zipped("deep/A.csv", "__MACOSX/A.csv", ".x.csv", "readme")),
        ("a.parquet.gz", gzip.compress(parquet(phone=[A, B]))),
        ("a.parquet.zst", zstd(parquet(phone=[A, B]))),
    ],
)
def test_packed(tmp_path, name, content):
    assert numbers(read(tmp_path, name, content)) == [A, B]


def test_a_workbook_in_an_archive(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("a.xlsx", workbook({"A1": "phone", "A2": A}))
    assert numbers(read(tmp_path, "a.zip", file.getvalue())) == [A]


def test_a_packed_workbook_of_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_WHOLE_BYTES", 99)
    with pytest.raises(InputError, match=r"a\.parquet\.gz is larger"):
        read(tmp_path, "a.parquet.gz", gzip.compress(parquet(phone=[A, B])))


def with_password(archive):
    """The flag that says so, in the local header and in the directory."""
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.doc", b"x", "ending"),
        ("a", b"x", "ending"),
        ("a.gz", b"x", "ending"),
        ("a.txt", bytes(range(256)), "no text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "no text"),
        ("a.txt", b"+41798284651\n\x00\x00\x00\n", "no text"),
        ("a.txt", b"+41798284651\n" * 100 + b"\x00\n", "no text"),
        ("a.txt", b"\x01\x02" * 50, "no text"),
        ("a.txt", b"\xff\xfe" + b"\x00\xd8" * 50, "no text"),
        ("a.csv", b"id,name\n1,x\n", "no column of phone numbers"),
        ("a.csv.gz", gzip.compress(b"+41798284651\n" * 99)[:-9], "damaged"),
        ("a.csv.gz", b"no gzip", "damaged"),
        ("a.csv.zst", zstd(b"+41798284651\n" * 99)[:-1], "damaged"),
        ("a.csv.zst", b"no zstd", "damaged"),
        ("a.zip", b"no zip", "damaged"),
        ("a.zip", zipped("a.csv", content=TABLE * 99)[:-30], "damaged"),
        ("a.zip", zipped("readme"), "holds no list"),
        ("a.zip", zipped("a.csv", "b.csv"), r"holds 2 lists \(a.csv, b.csv\)"),
        ("a.zip", with_password(zipped("a.csv")), "password"),
        ("a.txt", b"", "no bytes at all"),
        ("a.csv", gzip.compress(TABLE), r"is a \.gz file by its content"),
        ("a.csv", zstd(TABLE), r"is a \.zst file by its content"),
        ("a.csv", zipped("a.csv"), r"is a \.zip file by its content"),
        ("a.csv.gz", zipped("a.csv"), r"is a \.zip file by its content"),
        ("a.csv", parquet(phone=[A]), r"is a \.parquet file by its content"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "has a password"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "has a password"),
        ("a.txt", "+41798284651\n".encode("utf-32"), "no text"),
        ("a.txt", "+41798284651\n+41798284652\n".encode("cp037"), "encoding that nobody"),
        ("a.csv", f"phone;mobile\n{A};{B}\n".encode(), "“phone”, “mobile”.*EKYC_NUMBER_COLUMN"),
        ("a.csv", f"x,{A},{B}\ny,{B},{A}\n".encode(), r"column 2, column 3"),
        ("a.xlsx", b"no workbook", "no workbook"),
        ("a.parquet", b"no parquet", "no Parquet"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, words):
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, name, content)
    assert str(caught.value).startswith(name)
    assert "41798284651" not in str(caught.value)


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 1_000)
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 5_000)
    with pytest.raises(InputError, match=r"a\.txt has a line"):
        read(tmp_path, "a.txt", "1" * 7_000)


def test_a_copy_that_is_gone(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt cannot be read"):
        read_lines(tmp_path / "gone", name="a.txt")


# --- workbooks and Parquet ------------------------------------------------------------------------------

_OFFICE = "http://schemas.openxmlformats.org"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(*sheets: dict[str, object], dimension: str = "A1") -> bytes:
    """The least that is a workbook: a sheet is its cells by their names."""
    file = io.BytesIO()
    indexes = range(1, len(sheets) + 1)
    related = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in indexes]
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("[Content_Types].xml", _content_types(indexes))
        parts.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        parts.writestr("xl/_rels/workbook.xml.rels", _relations(related))
        listed = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"/>' for n in indexes)
        parts.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_OFFICE}/spreadsheetml/2006/main" '
            f'xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><sheets>{listed}</sheets></workbook>',
        )
        for n, cells in zip(indexes, sheets, strict=True):
            parts.writestr(f"xl/worksheets/sheet{n}.xml", _sheet(cells, dimension))
    return file.getvalue()


def _content_types(indexes) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_SHEET}.worksheet+xml"/>'
        for n in indexes
    )
    return (
        f'<Types xmlns="{_OFFICE}/package/2006/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{_SHEET}.sheet.main+xml"/>{sheets}</Types>'
    )


def _relations(related) -> str:
    kind = f"{_OFFICE}/officeDocument/2006/relationships"
    listed = "".join(
        f'<Relationship Id="{id_}" Type="{kind}/{of}" Target="{to}"/>' for id_, of, to in related
    )
    return f'<Relationships xmlns="{_OFFICE}/package/2006/relationships">{listed}</Relationships>'


def _sheet(cells, dimension) -> str:
    rows: dict[str, str] = {}
    for place, value in cells.items():
        kind = ' t="inlineStr"' if isinstance(value, str) else ""
        content = f"<is><t>{value}</t></is>" if kind else f"<v>{value}</v>"
        rows[place[1:]] = rows.get(place[1:], "") + f'<c r="{place}"{kind}>{content}</c>'
    listed = "".join(f'<row r="{row}">{content}</row>' for row, content in rows.items())
    start = f'<worksheet xmlns="{_OFFICE}/spreadsheetml/2006/main"><dimension ref="{dimension}"/>'
    return f"{start}<sheetData>{listed}</sheetData></worksheet>"


def test_a_workbook(tmp_path):
    cells = {"A2": "id", "B2": "Phone", "A3": 1, "B3": 41798284651, "A4": 2, "B6": A, "B7": 4.1798284652e10}
    frame = read(tmp_path, "a.xlsx", workbook(cells, {}))
    assert numbers(frame) == ["41798284651", A, "41798284652"]
    assert kinds(frame) == "bhnbbnn"
    assert frame["line"].to_list() == [1, 2, 3, 4, 5, 6, 7]


def test_an_empty_workbook(tmp_path):
    assert read(tmp_path, "a.xlsx", workbook({})).is_empty()


def test_no_sheet_is_left_out_in_silence(tmp_path):
    with pytest.raises(InputError, match=r"a\.xlsx has several sheets"):
        read(tmp_path, "a.xlsx", workbook({"A1": A}, {"A1": B}))


def test_a_sheet_that_sprawls(tmp_path):
    with pytest.raises(InputError, match=r"a\.xlsx has a sheet with a cell far outside"):
        read(tmp_path, "a.xlsx", workbook({"A1": A}, dimension="A1:XFD1048576"))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": [1, 2, 3], "msisdn": [41798284651, None, 41798284652]}, ["41798284651", "41798284652"]),
        ({"id": [1, 2], "any": [A, B]}, [A, B]),
        ({"id": [1, 2], "any": [4.1798284651e10, None]}, ["41798284651.0"]),
        ({"phone": pl.Series([], dtype=pl.String)}, []),
    ],
)
def test_parquet(tmp_path, monkeypatch, columns, expected):
    monkeypatch.setattr(lines, "PARQUET_ROWS", 2)
    file = io.BytesIO()
    frame = pl.DataFrame(columns)
    frame.write_parquet(file)
    got = read(tmp_path, "a.parquet", file.getvalue())
    assert numbers(got) == expected
    assert got["line"].to_list() == list(range(1, frame.height + 1))


def test_parquet_with_metadata_that_is_no_text(tmp_path):
    """As damage makes it; polars would not survive reading it."""
    table = pa.table({"phone": [A]}).replace_schema_metadata({b"key": b"\xff\xfe"})
    file = io.BytesIO()
    pq.write_table(table, file)
    assert numbers(read(tmp_path, "a.parquet", file.getvalue())) == [A]


def test_parquet_without_a_column_of_numbers(tmp_path):
    file = io.BytesIO()
    pl.DataFrame({"at": [True]}).write_parquet(file)
    with pytest.raises(InputError, match=r"a\.parquet has no column"):
        read(tmp_path, "a.parquet", file.getvalue())
