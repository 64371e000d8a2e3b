"""What a landed file is, by its ending and by its bytes, and the bytes of the list in it.

Both have to agree: a file that is not what its name says is left for a person, because reading it as
something else may read it wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from ekyc_tasks.errors import ArchiveDamaged, ArchiveError, InputError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular import Member
from ekyc_tasks.tabular.containers import is_workbook, unpack, zip_members

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
_MIMETYPE_OF_ODS = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"  # begins with its first part
_NOT_STREAMED = (".json", ".ods", ".parquet", ".xls", ".xlsx")
_HEAD_OF_OLD = 1 << 20  # bytes; its directory is commonly near the start
_MEMBERS_NAMED = 3  # in one sentence
_LIMITS = ArchiveLimits()


@contextmanager
def open_list(path: Path, *, name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The list's bytes, unpacked and seekable where its format needs that, and which of `FORMATS` it is.

    Raises InputError when it is none of them, is not what its name says, or cannot be unpacked.
    """
    packing, ending = _endings(name)
    try:
        with path.open("rb") as file:
            _check_bytes(file, name, packing or ending)
            yield _open_packed(file, name, packing, ending) if packing else (file, ending)
    except ArchiveDamaged:
        raise InputError(_tell_damage(name)) from None
    except ArchiveError:
        raise InputError(
            f"{name} has a password, is packed in an unusual way, or unpacks to far more than its size. "
            "Save it without packing."
        ) from None
    except OSError as error:
        if error.errno is None:  # not from the disk: decompressors say so too
            raise InputError(_tell_damage(name)) from None
        raise InputError(f"{name} cannot be read: {error.strerror}. Check its permissions.") from None


def _tell_damage(name: str) -> str:
    return f"{name} is damaged: it cannot be unpacked. Copy it again from its source."


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


def _check_bytes(file: BinaryIO, name: str, expected: str) -> None:
    head = file.read(_HEAD_OF_OLD)
    if not head:
        raise InputError(f"{name} is empty: it has no bytes. Copy it again, or remove it.")
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), "")
    if kind == ".xls" and (expected != ".xls" or "EncryptedPackage".encode("utf-16-le") in head):
        raise InputError(
            f"{name} is an old Excel workbook (.xls), or has a password. Save it as .xlsx without a password."
        )
    if kind == ".zip" and expected != ".zip":
        kind = ".xlsx" if is_workbook(head) else ".ods" if head[30:].startswith(_MIMETYPE_OF_ODS) else kind
    if kind not in {"", expected} and not (kind == ".zip" and expected in _ZIPPED):
        raise InputError(f"{name} contains a {kind} file. Rename it, so that its name ends in {kind}.")
    file.seek(0)


class _Unpacked(RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or memoryview(next(self._chunks, b""))
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _open_packed(file: BinaryIO, name: str, packing: str, ending: str) -> tuple[BinaryIO, str]:
    if packing == ".zip":
        member = _find_list(zip_members(file, name, _LIMITS), name)
        chunks, ending = member.chunks(), _ending(member)
    else:
        chunks = unpack(file, name, _LIMITS, is_zstd=packing == ".zst")
    plain = BufferedReader(_Unpacked(chunks))
    return (_whole(plain, name) if ending in _NOT_STREAMED else plain), ending


def _find_list(members: Sequence[Member], name: str) -> Member:
    """The one list in a .zip; what systems put beside it does not count."""
    lists = [member for member in members if _is_list(member)]
    if len(lists) == 1:
        return lists[0]
    shown = ", ".join(member.name for member in lists[:_MEMBERS_NAMED])
    more = ", …" if len(lists) > _MEMBERS_NAMED else ""
    what = f"{len(lists)} lists ({shown}{more})" if lists else "no list"
    raise InputError(f"{name} contains {what}. Use a .zip with one list, or save each list as its own file.")


def _is_list(member: Member) -> bool:
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in PurePath(member.name).parts)
    return not is_hidden and _ending(member) in FORMATS


def _ending(member: Member) -> str:
    return PurePath(member.name).suffix.lower()


def _whole(file: BinaryIO, name: str) -> BinaryIO:
    data = file.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        raise InputError(f"{name} is larger than a gigabyte when it is unpacked. Save it as CSV.")
    return BytesIO(data)
