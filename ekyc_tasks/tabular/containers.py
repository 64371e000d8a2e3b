"""What a received file is, by its bytes, and the checked bytes of what it contains.

Documented is a ZIP; older pages of the provider show a bare ``.xlsx``. Bare CSV and gzip are read as well.
Every size, checksum and limit is enforced while bytes flow; any breach is an `ArchiveError`, one that
another download may help with an `ArchiveDamaged`.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import pyarrow as pa
from isal import isal_zlib

from ekyc_tasks.errors import ArchiveDamaged, ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.support.wording import printable

CHUNK_BYTES = 1 << 20  # inflated at a time
HEAD_BYTES = 1 << 16
# Small, because its remainder is copied at the end of each of the parts that a gzip file may have.
_PACKED_CHUNK_BYTES = 1 << 15  # read at a time

_RAW_DEFLATE, _GZIP, _GZIP_MAGIC = -15, 31, b"\x1f\x8b"
_ENCRYPTED = 0x1
_WORKBOOK_PARTS = (b"xl/", b"_rels/", b"docProps/", b"customXml/")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENTRY, _ENTRY_HEADER = b"PK\x01\x02", struct.Struct("<28xHHH12x")  # lengths of name, extra field, comment
_MAX_DIRECTORY_BYTES = 32 << 20  # `zipfile` reads it whole
_ZIP64_END, _ZIP64_END_BYTES = b"PK\x06\x06", 76
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")
_ASK_AGAIN = "Ask the provider for it again"
_EXPORT_AGAIN = "Export the result again as CSV or XLSX"
# A damaged directory makes zipfile raise nearly anything.
_ZIP_TROUBLE = (zipfile.BadZipFile, struct.error, UnicodeError, ValueError, EOFError)

_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file, or one with a password"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"BZh", "a bzip2 file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"<", "a web page or an error message of the storage host"),
    (b"{", "JSON"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside an archive, or the whole of a bare one.

    ``chunks()`` yields its bytes, unpacked, from the start each time; reading to the end has verified length
    and checksum. ``fingerprint`` is equal for members of equal bytes, where there is one. ``label`` is the
    name in errors: a name in an archive may be personal data.
    """

    name: str
    label: str
    chunks: Callable[[], Iterator[bytes]]
    fingerprint: tuple[int, int] | None = None

    def head(self) -> bytes:
        """The first 64 KiB, or all of it."""
        head = b""
        for chunk in self.chunks():
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        return head[:HEAD_BYTES]

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def verify(self) -> None:
        """Raises `ArchiveError` unless it is what it claims to be."""
        deque(self.chunks(), maxlen=0)


def foreign(head: bytes) -> str | None:
    """What these first bytes are, if it is something that this project does not read."""
    return next((kind for magic, kind in _FOREIGN if head.startswith(magic)), None)


def is_workbook(head: bytes) -> bool:
    """A ZIP whose first entry is one that XLSX writers put first; names further on may be anybody's data."""
    if not is_zip(head) or len(head) < _LOCAL_HEADER.size:
        return False
    name_bytes = _LOCAL_HEADER.unpack_from(head)[1]
    name = head[_LOCAL_HEADER.size : _LOCAL_HEADER.size + name_bytes]
    return name == b"[Content_Types].xml" or name.startswith(_WORKBOOK_PARTS)


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))


def is_gzip(head: bytes) -> bool:
    return head.startswith(_GZIP_MAGIC)


@contextmanager
def open_members(path: Path, limits: ArchiveLimits) -> Iterator[tuple[Member, ...]]:
    """The members of the file at ``path``, readable until the context ends.

    Raises `ArchiveError` for what is no archive, is truncated, encrypted, or beyond ``limits``.
    """
    name = printable_name(path.name)
    with path.open("rb") as received, _without_transfer_coding(received, name, limits) as file:
        head = file.read(HEAD_BYTES)
        yield _members(file, name, head, limits)


def is_damaged(path: Path, limits: ArchiveLimits) -> bool:
    """Whether a ZIP lacks its end or fails its own checksums.

    What is refused for anything else, and read no further for that, is not: it is so wherever it comes from.
    """
    try:
        with path.open("rb") as file:
            for member in zip_members(file, printable_name(path.name), limits):
                member.verify()
    except ArchiveDamaged:
        return True
    except ArchiveError:
        return False
    return False


@contextmanager
def _without_transfer_coding(file: BinaryIO, name: str, limits: ArchiveLimits) -> Iterator[BinaryIO]:
    """A storage host may pack a ZIP once more on its way, with gzip, asked or not; it is kept as received."""
    packed = Member(name, name, lambda: unpack(file, name, limits))
    head = packed.head() if is_gzip(file.read(HEAD_BYTES)) else b""
    if not is_zip(head) or is_workbook(head):
        file.seek(0)
        yield file
        return
    with TemporaryFile() as unpacked:
        for chunk in packed.chunks():
            unpacked.write(chunk)
        unpacked.seek(0)
        yield cast(BinaryIO, unpacked)


def _members(file: BinaryIO, name: str, head: bytes, limits: ArchiveLimits) -> tuple[Member, ...]:
    if not head:
        raise ArchiveError(f"{name} is empty. {_ASK_AGAIN}")
    if is_zip(head) and not is_workbook(head):
        return zip_members(file, name, limits)
    if kind := foreign(head):
        remedy = _ASK_AGAIN if head.startswith((b"<", b"{")) else _EXPORT_AGAIN
        raise ArchiveError(f"{name} is {kind}, not a result archive. {remedy}")
    if is_gzip(head):
        return (Member(name, name, lambda: unpack(file, name, limits)),)
    return (Member(name, name, lambda: _plain(file, name, limits)),)


def _plain(file: BinaryIO, name: str, limits: ArchiveLimits) -> Iterator[bytes]:
    size = file.seek(0, os.SEEK_END)
    allowed, setting = min(_sizes(limits))
    if size > allowed:
        raise ArchiveError(_beyond(name, "is larger than", allowed, setting))
    return _pieces(file, 0, size)


def _sizes(limits: ArchiveLimits) -> tuple[tuple[int, str], ...]:
    return (limits.max_member_bytes, "MEMBER_BYTES"), (limits.max_total_bytes, "TOTAL_BYTES")


def _pieces(file: BinaryIO, start: int, size: int, step: int = CHUNK_BYTES) -> Iterator[bytes]:
    """``size`` bytes from ``start``, or fewer if the file ends. Seeks each time: readers may take turns."""
    end = start + size
    while start < end:
        file.seek(start)
        piece = file.read(min(step, end - start))
        if not piece:
            return
        start += len(piece)
        yield piece


def _inflate(pieces: Iterator[bytes], wbits: int, name: str) -> Iterator[bytes]:
    """Inflates in steps of at most `CHUNK_BYTES`, so that a small piece becomes no large one in memory."""
    engine = isal_zlib.decompressobj(wbits)
    try:
        for piece in pieces:
            rest, is_full = piece, False
            while rest or is_full:  # a full step may leave more in the engine, though all input is taken
                if engine.eof:
                    rest = rest.lstrip(b"\0") if wbits == _GZIP else b""  # padding
                    if not rest:
                        break
                    if not _GZIP_MAGIC.startswith(rest[:2]):
                        raise ArchiveDamaged(f"{name} is damaged: it has bytes after its end. {_ASK_AGAIN}")
                    engine = isal_zlib.decompressobj(wbits)  # gzip files may be concatenated
                chunk = engine.decompress(rest, CHUNK_BYTES)
                if chunk:
                    yield chunk
                rest = engine.unused_data if engine.eof else engine.unconsumed_tail
                is_full = len(chunk) == CHUNK_BYTES and not engine.eof
    except isal_zlib.IsalError:  # type: ignore[misc]  # its stub gives an instance
        raise ArchiveDamaged(f"{name} is damaged: it cannot be unpacked. {_ASK_AGAIN}") from None
    if not engine.eof:
        raise ArchiveDamaged(f"{name} is truncated: it ends before its data does. {_ASK_AGAIN}")


def unpack(file: BinaryIO, name: str, limits: ArchiveLimits, *, is_zstd: bool = False) -> Iterator[bytes]:
    """What is in a gzip file, or a zstd file."""
    packed_bytes = file.seek(0, os.SEEK_END)
    allowed, setting = min(*_sizes(limits), (limits.max_ratio * packed_bytes, "RATIO"))
    pieces = _pieces(file, 0, packed_bytes, _PACKED_CHUNK_BYTES)
    unpacked_bytes = 0
    for chunk in _read_zstd(file) if is_zstd else _inflate(pieces, _GZIP, name):
        unpacked_bytes += len(chunk)
        if unpacked_bytes > allowed:
            raise ArchiveError(_beyond(name, "unpacks to more than", allowed, setting))
        yield chunk


def _read_zstd(file: BinaryIO) -> Iterator[bytes]:
    """Raises OSError without a number for what is damaged or truncated."""
    file.seek(0)
    with pa.CompressedInputStream(pa.PythonFile(file), "zstd") as plain:
        yield from iter(partial(plain.read, CHUNK_BYTES), b"")


def zip_members(file: BinaryIO, name: str, limits: ArchiveLimits) -> tuple[Member, ...]:
    """The files in a ZIP (ZIP64 too). Raises `ArchiveError` for what its directory already gives away."""
    try:
        _refuse_many(file, name, limits)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except NotImplementedError:
        raise ArchiveError(
            f"{name} needs a newer version of ZIP, which is not supported. {_EXPORT_AGAIN}"
        ) from None
    except _ZIP_TROUBLE:
        raise ArchiveDamaged(
            f"{name} is truncated or damaged: its directory cannot be read. {_ASK_AGAIN}"
        ) from None
    files = [entry for entry in entries if not entry.filename.endswith("/")]  # is_dir() wants a name
    _refuse_hostile(files, name, limits)
    _refuse_overlapping(file, files, name)
    labels = (f"member {position} of {name}" for position in range(1, len(files) + 1))
    return tuple(_zip_member(file, entry, label) for entry, label in zip(files, labels, strict=True))


def _refuse_many(file: BinaryIO, name: str, limits: ArchiveLimits) -> None:
    """Before `zipfile` makes an object of each entry, whatever number of them is announced."""
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # not public, see tests/unit/test_private_apis.py; knows ZIP64
    if end is None:
        raise zipfile.BadZipFile
    is_zip64, directory_bytes, location = end[0] == _ZIP64_END, end[5], end[9]
    start = location - directory_bytes - (_ZIP64_END_BYTES if is_zip64 else 0)
    if start < 0:
        raise zipfile.BadZipFile
    if _has_more_entries(file, start, start + directory_bytes, limits.max_members):
        raise ArchiveError(_beyond(name, "has more members than", limits.max_members, "MEMBERS"))
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise ArchiveError(
            f"{name} has a directory of more than {_MAX_DIRECTORY_BYTES:,} bytes, far too large for a normal "
            f"archive. {_ASK_AGAIN}"
        )


def _has_more_entries(file: BinaryIO, at: int, end: int, limit: int) -> bool:
    """Whether a directory has more than ``limit`` entries, however long they are."""
    entries = 0
    while at < end and entries <= limit:
        file.seek(at)
        header = file.read(_ENTRY_HEADER.size)
        if len(header) < _ENTRY_HEADER.size or not header.startswith(_ENTRY):
            break
        at += _ENTRY_HEADER.size + sum(_ENTRY_HEADER.unpack(header))
        entries += 1
    return entries > limit


def _refuse_hostile(entries: list[zipfile.ZipInfo], name: str, limits: ArchiveLimits) -> None:
    """By what the directory claims; that a member holds to its claim is checked while it is read."""
    if sum(entry.file_size for entry in entries) > limits.max_total_bytes:
        raise ArchiveError(_beyond(name, "unpacks to more than", limits.max_total_bytes, "TOTAL_BYTES"))
    for position, entry in enumerate(entries, start=1):
        _refuse_hostile_member(entry, f"member {position} of {name}", limits)


def _refuse_overlapping(file: BinaryIO, entries: list[zipfile.ZipInfo], name: str) -> None:
    """By the lengths in the local headers, by which members are read; the directory may give others."""
    in_order = sorted(enumerate(entries, start=1), key=lambda numbered: numbered[1].header_offset)
    for (position, entry), (_, following) in pairwise(in_order):
        start = _data_start(file, entry, f"member {position} of {name}")
        if start + entry.compress_size > following.header_offset:
            raise ArchiveError(
                f"{name} has members that overlap, so it is not a normal archive. {_ASK_AGAIN}"
            )


def _refuse_hostile_member(entry: zipfile.ZipInfo, name: str, limits: ArchiveLimits) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{name} is encrypted. {_ASK_AGAIN}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ArchiveError(f"{name} is a symbolic link. {_ASK_AGAIN}")
    if _LEADS_OUT.search(entry.orig_filename):
        raise ArchiveError(f"{name} has a name that points outside the archive. {_ASK_AGAIN}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(
            f"{name} uses compression method {entry.compress_type}; only deflate is supported. "
            f"{_EXPORT_AGAIN}"
        )
    if entry.file_size > limits.max_member_bytes:
        raise ArchiveError(_beyond(name, "is larger than", limits.max_member_bytes, "MEMBER_BYTES"))
    if entry.file_size and not entry.compress_size:
        raise ArchiveDamaged(f"{name} is damaged: it claims to contain bytes, but has none. {_ASK_AGAIN}")
    if entry.file_size > limits.max_ratio * entry.compress_size:
        raise ArchiveError(
            f"{name} unpacks to more than {limits.max_ratio:,} times its size, so it may be an attack. "
            "If you trust it, raise EKYC_ARCHIVE_MAX_RATIO"
        )


def _beyond(name: str, does: str, limit: int, setting: str) -> str:
    return f"{name} {does} the limit of {limit:,}. If you trust it, raise EKYC_ARCHIVE_MAX_{setting}"


def _zip_member(file: BinaryIO, entry: zipfile.ZipInfo, label: str) -> Member:
    return Member(
        name=printable_name(entry.filename),
        label=label,
        chunks=lambda: _check(_zip_bytes(file, entry, label), entry, label),
        fingerprint=(entry.file_size, entry.CRC),
    )


def _zip_bytes(file: BinaryIO, entry: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    pieces = _pieces(file, _data_start(file, entry, name), entry.compress_size)
    return pieces if entry.compress_type == zipfile.ZIP_STORED else _inflate(pieces, _RAW_DEFLATE, name)


def _data_start(file: BinaryIO, entry: zipfile.ZipInfo, name: str) -> int:
    """Behind the member's own header, whose name and extra field may be longer than the directory's."""
    is_inside = 0 <= entry.header_offset < file.seek(0, os.SEEK_END)  # else it may be none that can be sought
    file.seek(entry.header_offset if is_inside else 0)
    header = file.read(_LOCAL_HEADER.size)
    if not is_inside or len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise ArchiveDamaged(f"{name} is damaged: it does not start where the directory says. {_ASK_AGAIN}")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    start: int = entry.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    return start


def _check(chunks: Iterator[bytes], entry: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    size = crc = 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.file_size:
            raise ArchiveDamaged(f"{name} is damaged: it unpacks to more bytes than it claims. {_ASK_AGAIN}")
        crc = isal_zlib.crc32(chunk, crc)
        yield chunk
    if size < entry.file_size:
        raise ArchiveDamaged(f"{name} is truncated: it ends before its data does. {_ASK_AGAIN}")
    if crc != entry.CRC:
        raise ArchiveDamaged(f"{name} is damaged: its checksum is wrong. {_ASK_AGAIN}")


def printable_name(name: str) -> str:
    """The end of a member's name, fit for a terminal and a report; never used as a path."""
    return printable(name)[-200:]
