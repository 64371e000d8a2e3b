"""What a landed file is, by its ending and by its bytes, and the bytes of the list in it.

Both have to agree: a file that is not what its name says is left for a person, because reading it as
something else may read it wrong.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePath
from typing import BinaryIO, cast

import pyarrow as pa
from isal import igzip, isal_zlib

from ekyc_tasks.errors import InputError

PACKINGS = (".gz", ".zip", ".zst")
FORMATS = (
    ".csv", ".json", ".jsonl", ".ndjson", ".ods", ".parquet", ".tsv", ".txt", ".vcf", ".xls", ".xlsx",
)  # fmt: skip

MAX_WHOLE_BYTES = 1 << 30  # of a packed workbook or Parquet file, which cannot be read as a stream

_KINDS = {
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
    b"PAR1": ".parquet",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ".xls",
}
_ZIPPED = (".xlsx", ".ods")
_NOT_STREAMED = (".json", ".ods", ".parquet", ".xls", ".xlsx")
_HEAD_OF_OLD = 1 << 20  # bytes; its directory is commonly near the start
_MEMBERS_NAMED = 3  # in one sentence
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, struct.error, zipfile.BadZipFile, NotImplementedError)


@contextmanager
def open_list(path: Path, *, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The list's bytes, unpacked and seekable where its format needs that, and which of `FORMATS` it is.

    Raises InputError when it is none of them, is not what its name says, or cannot be unpacked.
    """
    packing, ending = _endings(name)
    try:
        _check_bytes(path, name, packing or ending)
        with _unpack(path, name, packing, ending) as (file, inner):
            yield (_whole(file, name) if packing and inner in _NOT_STREAMED else file), inner
    except (*_DAMAGE, isal_zlib.IsalError):  # type: ignore[misc]  # its stub gives an instance
        raise InputError(
            f"{name} is damaged: it cannot be unpacked. Copy it again from its source."
        ) from None
    except OSError as error:
        if error.errno is None:  # not from the disk: decompressors say so too
            raise InputError(
                f"{name} is damaged: it cannot be unpacked. Copy it again from its source."
            ) from None
        raise InputError(f"{name} cannot be read: {error.strerror}. Check its permissions.") from None


def has_known_ending(name: str) -> bool:
    return PurePath(name).suffix.lower() in {*FORMATS, *PACKINGS}


def _endings(name: str) -> tuple[str, str]:
    """Packing and format; in a .zip, the name of its member shows the format."""
    endings = [ending.lower() for ending in PurePath(name).suffixes]
    packing = endings.pop() if endings and endings[-1] in PACKINGS else ""
    if packing == ".zip":
        return packing, ""
    if not endings or endings[-1] not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(
            f"{name}: file type not supported. Use {known}, or one of these packed as {', '.join(PACKINGS)}."
        )
    return packing, endings[-1]


def _check_bytes(path: Path, name: str, expected: str) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise InputError(f"{name} is empty: it has no bytes. Copy it again, or remove it.")
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), "")
    if kind == ".xls" and (expected != ".xls" or _has_password(path)):
        raise InputError(
            f"{name} is an old Excel workbook (.xls), or has a password. Save it as .xlsx without a password."
        )
    right = _workbook_ending(path) or kind if kind == ".zip" and expected != ".zip" else kind
    if right not in {"", expected} and not (right == ".zip" and expected in _ZIPPED):
        raise InputError(f"{name} contains a {right} file. Rename it, so that its name ends in {right}.")


def _workbook_ending(path: Path) -> str:
    """Which workbook a .zip is, if it is one."""
    with path.open("rb") as file, zip_parts(file) as parts:
        names = set(parts.namelist())
    return ".xlsx" if "xl/workbook.xml" in names else ".ods" if {"mimetype", "content.xml"} <= names else ""


def _has_password(path: Path) -> bool:
    """An encrypted .xlsx is an old container with a part of this name."""
    with path.open("rb") as file:
        return "EncryptedPackage".encode("utf-16-le") in file.read(_HEAD_OF_OLD)


@contextmanager
def _unpack(path: Path, name: str, packing: str, ending: str) -> Iterator[tuple[BinaryIO, str]]:
    with path.open("rb") as file:
        if packing == ".zip":
            with zip_parts(file) as parts, _member(parts, name) as (member, inner):
                yield member, inner
        elif packing == ".gz":
            with igzip.open(file, "rb") as plain:  # type: ignore[no-untyped-call]
                yield plain, ending
        elif packing == ".zst":
            with pa.CompressedInputStream(pa.PythonFile(file), "zstd") as plain:
                yield cast(BinaryIO, plain), ending
        else:
            yield file, ending


def zip_parts(file: BinaryIO) -> zipfile.ZipFile:
    """Raises BadZipFile for damage of any kind."""
    try:
        return zipfile.ZipFile(file)
    except (ValueError, struct.error):  # places before the beginning, say
        raise zipfile.BadZipFile from None


@contextmanager
def _member(parts: zipfile.ZipFile, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The one list in a .zip; what systems put beside it does not count."""
    lists = [part for part in parts.infolist() if _is_list(part)]
    if len(lists) != 1:
        shown = ", ".join(part.filename for part in lists[:_MEMBERS_NAMED])
        what = (
            f"{len(lists)} lists ({shown}{', …' if len(lists) > _MEMBERS_NAMED else ''})"
            if lists
            else "no list"
        )
        raise InputError(
            f"{name} contains {what}. Use a .zip with one list, or save each list as its own file."
        )
    if lists[0].flag_bits & 1:
        raise InputError(f"{name} has a password. Save it without a password.")
    with parts.open(lists[0]) as member:
        yield cast(BinaryIO, member), _ending(lists[0])


def _is_list(part: zipfile.ZipInfo) -> bool:
    path = PurePath(part.filename)
    is_hidden = any(each.startswith((".", "__MACOSX")) for each in path.parts)
    is_folder = part.filename.endswith("/")  # is_dir() wants a name
    return not is_folder and not is_hidden and _ending(part) in FORMATS


def _ending(part: zipfile.ZipInfo) -> str:
    return PurePath(part.filename).suffix.lower()


def _whole(file: BinaryIO, name: str) -> BinaryIO:
    data = file.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        raise InputError(f"{name} is larger than a gigabyte when it is unpacked. Save it as CSV.")
    return BytesIO(data)
