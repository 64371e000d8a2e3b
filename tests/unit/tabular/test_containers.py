"""What a file is, told by its bytes, and what is refused."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.archive_files import DOCUMENTED, Nameless, workbook_bytes, write_zip, zip_bytes
from support.cpu_time import steady_seconds
from support.hostile_archives import one, sharing, wordy_crowd

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular import containers, open_members
from ekyc_tasks.tabular.containers import is_workbook

LIMITS = ArchiveLimits()
# several chunks, packed to a tenth
LONG = "".join(f"+4179{number:07},no,,,,,,\n" for number in range(120_000)).encode()
PACKED = gzip.compress(LONG)


def members_of(path, limits=LIMITS):
    with open_members(path, limits) as members:
        return {member.name: member.read() for member in members}


def zip64_bytes(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(data)
        archive.getinfo(name).extract_version = zipfile.ZIP64_VERSION
    return buffer.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_every_member_of_a_zip(tmp_path, method):
    path = write_zip(tmp_path / "a", {"t/": "", "t/all.csv": LONG, "readme.txt": "hello"}, method)
    assert members_of(path) == {"t/all.csv": LONG, "readme.txt": b"hello"}


def test_a_member_may_have_no_name(tmp_path):
    path = write_zip(tmp_path / "a", {"all.csv": LONG})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(Nameless(), "hello")
    assert members_of(path) == {"": b"hello", "all.csv": LONG}


def test_reads_zip64(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip64_bytes("all.csv", LONG))
    assert members_of(path) == {"all.csv": LONG}


@pytest.mark.parametrize(
    "data",
    [
        PACKED,
        gzip.compress(LONG[:100]) + gzip.compress(LONG[100:]),
        PACKED + b"\0" * 512,
        gzip.compress(LONG[:100]) + b"\0" * 512 + gzip.compress(LONG[100:]),
    ],
    ids=["plain", "concatenated", "padded", "padded-in-the-middle"],
)
def test_reads_gzip(tmp_path, data):
    path = tmp_path / "result.bin"
    path.write_bytes(data)
    assert members_of(path) == {"result.bin": LONG}


def test_reads_gzip_of_very_many_parts_in_time(tmp_path):
    path = tmp_path / "result.bin"
    path.write_bytes(PACKED + gzip.compress(b"") * 500_000)
    members, seconds = steady_seconds(lambda: members_of(path))
    assert members == {"result.bin": LONG}
    assert seconds < 2.5  # twice that where each part copies what follows it


def test_reads_a_zip_that_was_packed_once_more_on_its_way(tmp_path):
    path = tmp_path / "result.archive"
    path.write_bytes(gzip.compress(zip_bytes({"a.csv": LONG, "b.csv": DOCUMENTED})))
    assert members_of(path) == {"a.csv": LONG, "b.csv": DOCUMENTED.encode()}


def test_refuses_a_zip_that_was_packed_once_more_and_cut(tmp_path):
    (tmp_path / "cut.archive").write_bytes(gzip.compress(zip_bytes({"a.csv": LONG}))[:-9])
    with pytest.raises(ArchiveError, match="truncated"):
        members_of(tmp_path / "cut.archive")


def test_reads_a_bare_file_whatever_its_ending(tmp_path):
    path = tmp_path / "result.zip"
    path.write_bytes(LONG)
    assert members_of(path) == {"result.zip": LONG}


# Around multiples of a step, where the engine holds back what is beyond it, its input all taken.
STEP = 1 << 10
SIZES = [times * STEP + beyond for times in (1, 2, 3) for beyond in range(-3, 41)]


def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: zip_bytes({"a.csv": data}),
        lambda data: zip_bytes({"a.csv": data}, zipfile.ZIP_STORED),
        gzip.compress,
        lambda data: gzip.compress(data, 0),
        lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + gzip.compress(b""),
        lambda data: gzip.compress(zip_bytes({"a.csv": data[:-108]}, zipfile.ZIP_STORED)),
    ],
    ids=["deflated", "stored", "gzip", "gzip-of-stored", "concatenated-gzip", "zip-in-gzip"],
)
def test_reads_a_member_of_any_size(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(containers, "CHUNK_BYTES", STEP)
    path = tmp_path / "result.bin"
    for size in SIZES:
        path.write_bytes(pack(LONG[:size]))
        (found,) = members_of(path).values()
        assert LONG.startswith(found)
        assert len(found) in (size, size - 108), size  # 108: what a ZIP adds


@pytest.mark.parametrize("cut", [1, 2, 5, 20, 100])
@pytest.mark.parametrize(
    "pack",
    [
        lambda data, cut: one(data=data, packed=deflated(data)[:-cut]),
        lambda data, cut: gzip.compress(data)[:-cut],
    ],
    ids=["deflated", "gzip"],
)
def test_refuses_a_cut_stream_of_any_size(tmp_path, monkeypatch, pack, cut):
    monkeypatch.setattr(containers, "CHUNK_BYTES", STEP)
    path = tmp_path / "result.bin"
    for size in SIZES:
        path.write_bytes(pack(LONG[:size], cut))
        with pytest.raises(ArchiveError, match="truncated"):
            members_of(path)


@given(
    parts=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    step=st.integers(1, 70),
    level=st.sampled_from([0, 1, 9]),
)
def test_reads_gzip_in_parts_of_any_size(tmp_path_factory, parts, step, level):
    path = tmp_path_factory.getbasetemp() / "parts.gz"
    texts = [LONG[:size] for size in parts]
    path.write_bytes(b"".join(gzip.compress(text, level) for text in texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "CHUNK_BYTES", step)
        assert members_of(path) == {"parts.gz": b"".join(texts)}


def test_a_chunk_and_one_byte_more_is_whole(tmp_path):
    data = LONG[: (1 << 20) + 1]
    assert members_of(write_zip(tmp_path / "a.zip", {"all.csv": data})) == {"all.csv": data}


def test_a_small_piece_never_becomes_a_large_chunk(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"all.csv": b"0" * (20 << 20)})
    with open_members(path, ArchiveLimits(max_ratio=2_000)) as (member,):
        assert max(len(chunk) for chunk in member.chunks()) <= 1 << 20


def test_the_head_is_read_without_the_rest(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"all.csv": LONG}, zipfile.ZIP_STORED)
    damaged = path.read_bytes().replace(LONG[-20:], b"!" * 20)
    path.write_bytes(damaged)
    with open_members(path, LIMITS) as (member,):
        assert member.head() == LONG[: 1 << 16]


def test_a_workbook_is_known_by_its_first_entry():
    workbook = workbook_bytes([["Number"]])
    assert is_workbook(workbook)
    assert not is_workbook(zip_bytes({"result.xlsx": workbook}, zipfile.ZIP_STORED))
    assert not is_workbook(zip_bytes({"all.csv": "https://example.com/xl/a.jpg"}, zipfile.ZIP_STORED))


# --- refused --------------------------------------------------------------------------------------------


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_wrong_crc(data: bytes) -> bytes:
    crc = struct.pack("<L", zlib.crc32(DOCUMENTED.encode()))
    assert data.count(crc) == 2
    return data.replace(crc, b"\1\2\3\4")


def with_flag(data: bytes, flag: int) -> bytes:
    """The general purpose flags of every entry, set."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        changed[at + offset] |= flag
    return bytes(changed)


def with_claim(data: bytes, old: int, new: int) -> bytes:
    return data.replace(struct.pack("<L", old), struct.pack("<L", new))


REMEDIES = (". Ask the provider for it again", ". Export the result again as CSV or XLSX")
ONE = zip_bytes({"all.csv": DOCUMENTED})
PLAIN = zip_bytes({"all.csv": DOCUMENTED}, zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (truncated(ONE), "truncated or damaged"),
        (with_wrong_crc(ONE), "checksum"),
        (PLAIN.replace(b"+41798284652,no", b"+41798284652,ye"), "checksum"),
        (with_flag(ONE, 1), "encrypted"),
        (with_claim(ONE, len(DOCUMENTED), 100), "more bytes than it claims"),
        (with_claim(ONE, len(DOCUMENTED), 1000), "truncated"),
        (zip_bytes({"all.csv": DOCUMENTED}, zipfile.ZIP_BZIP2), "method 12"),
        (PACKED[:-2000], "truncated"),
        (PACKED[:-8] + b"\0" * 8, "damaged"),
        (PACKED + b"rubbish behind", "bytes after its end"),
        (one(far_offset=1 << 50), "does not start where"),
        (one(far_offset=1 << 63), "does not start where"),
        (one(packed=b"", claimed=10), "claims to contain bytes, but has none"),
        (one(method=12, claimed=1 << 28), "method 12"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old Excel"),
        (b"Rar!\x1a\x07", "RAR"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "error message of the storage"),
        (b'{"error": "internal"}', "JSON"),
        (b"%PDF-1.7", "a PDF"),
        (one(method=99), "method 99"),
        (zip_bytes({"all.csv": DOCUMENTED}).replace(b"\x14\0\0\0", b"\xff\0\0\0"), "newer version of ZIP"),
    ],
)
def test_refuses_what_is_no_whole_archive(tmp_path, data, words):
    path = tmp_path / "result.zip"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=words) as caught:
        members_of(path)
    assert str(caught.value).endswith(REMEDIES)


def test_refuses_any_truncation_of_a_zip(tmp_path):
    path = tmp_path / "result.zip"
    for size in range(0, len(ONE), 7):
        path.write_bytes(ONE[:size])
        if not ONE[:size].startswith(b"PK\x03\x04"):
            continue
        with pytest.raises(ArchiveError):
            members_of(path)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ArchiveLimits(max_members=1), "more members than the limit of 1"),
        (ArchiveLimits(max_member_bytes=100_000), "larger than the limit"),
        (ArchiveLimits(max_total_bytes=100_000), "unpacks to more than the limit"),
        (ArchiveLimits(max_ratio=3), "may be an attack"),
    ],
)
def test_refuses_what_is_beyond_a_limit(tmp_path, limits, words):
    path = write_zip(tmp_path / "a.zip", {"all.csv": LONG, "readme": "hello"})
    with pytest.raises(ArchiveError, match=words):
        members_of(path, limits)


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (PACKED, ArchiveLimits(max_member_bytes=100_000)),
        (PACKED, ArchiveLimits(max_ratio=3)),
        (LONG, ArchiveLimits(max_member_bytes=100_000)),
        (LONG, ArchiveLimits(max_total_bytes=100_000)),
        (workbook_bytes([["Number"]]), ArchiveLimits(max_total_bytes=100)),
    ],
    ids=["gzip-size", "gzip-ratio", "bare-size", "bare-total", "workbook-total"],
)
def test_refuses_single_files_beyond_a_limit(tmp_path, data, limits):
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="limit"):
        members_of(path, limits)


@pytest.mark.parametrize("room", [{"name": 1_050}, {"extra": 1_100}, {"comment": 1_100}, {"comment": 60_000}])
def test_counts_members_however_long_their_entries_are(tmp_path, room):
    path = tmp_path / "a.zip"
    wordy_crowd(101, **room)(path)
    with pytest.raises(ArchiveError, match="more members than the limit of 100"):
        members_of(path, ArchiveLimits(max_members=100))
    wordy_crowd(1, **room)(path)
    assert len(members_of(path, ArchiveLimits(max_members=1))) == 1


def test_refuses_a_directory_too_large_to_be_read_at_once(tmp_path):
    path = tmp_path / "a.zip"
    wordy_crowd(600, comment=60_000)(path)
    with pytest.raises(ArchiveError, match="a directory of more than 33,554,432 bytes"):
        members_of(path)


def test_refuses_members_that_overlap(tmp_path):
    data = zip_bytes({"a.csv": LONG[:5000], "b.csv": LONG[:9000]}, zipfile.ZIP_STORED)
    at = data.rfind(b"PK\x01\x02") + 42  # where the second entry starts, by the directory
    path = tmp_path / "a.zip"
    path.write_bytes(data[:at] + struct.pack("<L", 10) + data[at + 4 :])
    with pytest.raises(ArchiveError, match="overlap"):
        members_of(path)


def test_refuses_members_that_overlap_by_their_own_headers(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(sharing())
    with pytest.raises(ArchiveError, match="overlap"):
        members_of(path)
