"""Lists that are packed, and what cannot be read."""

from __future__ import annotations

import gzip
import io
import re
import zipfile

import polars as pl
import pyarrow as pa
import pytest
from support.archive_files import Nameless
from support.landed_files import A, B, numbers, read, workbook
from support.landed_lines import read_lines

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import containers

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
        ("a.doc", b"x", "file type not supported"),
        ("a", b"x", "file type not supported"),
        ("a.gz", b"x", "file type not supported"),
        ("a.txt", bytes(range(256)), "does not contain text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "does not contain text"),
        ("a.txt", b"+41798284651\n\x00\x00\x00\n", "does not contain text"),
        ("a.txt", b"+41798284651\n" * 100 + b"\x00\n", "does not contain text"),
        ("a.txt", b"\x01\x02" * 50, "does not contain text"),
        ("a.txt", b"\xff\xfe" + b"\x00\xd8" * 50, "does not contain text"),
        ("a.csv", b"id,name\n1,x\n", "no column that looks like phone numbers"),
        ("a.csv.gz", gzip.compress(b"+41798284651\n" * 99)[:-9], "damaged"),
        ("a.csv.gz", b"no gzip", "damaged"),
        ("a.csv.zst", zstd(b"+41798284651\n" * 99)[:-1], "damaged"),
        ("a.csv.zst", b"no zstd", "damaged"),
        ("a.zip", b"no zip", "damaged"),
        ("a.zip", zipped("a.csv", content=TABLE * 99)[:-30], "damaged"),
        ("a.zip", zipped("readme"), "contains no list"),
        ("a.zip", zipped("a.csv", "b.csv"), r"contains 2 lists \(a.csv, b.csv\)"),
        ("a.zip", with_password(zipped("a.csv")), "password"),
        ("a.txt", b"", "it has no bytes"),
        ("a.csv", gzip.compress(TABLE), r"contains a \.gz file"),
        ("a.csv", zstd(TABLE), r"contains a \.zst file"),
        ("a.csv", zipped("a.csv"), r"contains a \.zip file"),
        ("a.csv.gz", zipped("a.csv"), r"contains a \.zip file"),
        ("a.csv", parquet(phone=[A]), r"contains a \.parquet file"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "has a password"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "has a password"),
        ("a.txt", "+41798284651\n".encode("utf-32"), "does not contain text"),
        ("a.txt", "+41798284651\n+41798284652\n".encode("cp037"), "unknown text encoding"),
        ("a.csv", f"phone;mobile\n{A};{B}\n".encode(), "“phone”, “mobile”.*EKYC_NUMBER_COLUMN"),
        ("a.csv", f"x,{A},{B}\ny,{B},{A}\n".encode(), r"column 2, column 3"),
        ("a.xlsx", b"no workbook", "cannot be opened as a workbook"),
        ("a.parquet", b"no parquet", "cannot be read as a Parquet"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, content, words):
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, name, content)
    assert str(caught.value).startswith(name)
    assert "41798284651" not in str(caught.value)


BOMB = b"+41798284651\n" * 200_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(BOMB)),
        ("a.csv.zst", zstd(BOMB)),
        ("a.zip", zipped("a.csv", content=BOMB)),
        ("a.parquet.gz", gzip.compress(BOMB)),
    ],
)
def test_what_unpacks_to_far_more_than_its_size_is_refused_as_in_archives(tmp_path, name, content):
    with pytest.raises(InputError, match=rf"^{re.escape(name)} .*unpacks to far more than its size\. Save"):
        read(tmp_path, name, content)


def test_a_list_in_folders_of_long_names(tmp_path):
    name = "/".join(["a folder of a long name"] * 12) + "/a.csv"
    assert numbers(read(tmp_path, "a.zip", zipped(name))) == [A, B]


def test_a_copy_that_is_gone(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt cannot be read"):
        read_lines(tmp_path / "gone", name="a.txt")
