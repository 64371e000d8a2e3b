"""Archives that mean harm; small on disk, whatever they claim.

Whoever imports this waits for none of them: what takes a while to make is made when it is written.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

from support.archive_files import DOCUMENTED, HEADER, sheet_xml, workbook_bytes, zip_bytes

GIB = 1 << 30
ROW = b"+41798284651,yes,,,,,,\n"
TEXT = DOCUMENTED.encode()
Maker = Callable[[Path], object]


def bomb(size: int = GIB) -> bytes:
    """Raw deflate of so many zeros, about a thousandth of it."""
    return repeated(b"", bytes(1 << 20), size >> 20)


def gzip_bomb() -> bytes:
    return gzip.compress(TEXT + ROW * (8 << 20), 9, mtime=0)


def entry(
    name: bytes,
    data: bytes,
    *,
    packed: bytes | None = None,
    claimed: int | None = None,
    crc=None,
    method=8,
    flags=0,
    mode=0o100600,
    offset=0,
    far_offset: int | None = None,
) -> tuple[bytes, bytes]:
    """A local header with its data, and the entry of the directory that points at ``offset``, or as ZIP64
    does at ``far_offset``.
    """
    if packed is None:
        engine = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = engine.compress(data) + engine.flush() if method == 8 else data
    size = len(data) if claimed is None else claimed
    crc = zlib.crc32(data) if crc is None else crc
    common = struct.pack("<HHHHHLLLHH", 20, flags, method, 0, 33, crc, len(packed), size, len(name), 0)
    local = b"PK\x03\x04" + common + name + packed
    central = b"PK\x01\x02" + struct.pack("<H", 0x0314) + common
    extra = b"" if far_offset is None else struct.pack("<HHQ", 1, 8, far_offset)
    if extra:
        central, offset = central[:-2] + struct.pack("<H", len(extra)), 0xFFFF_FFFF
    return local, central + struct.pack("<HHHLL", 0, 0, 0, mode << 16, offset) + name + extra


def archive(*entries: tuple[bytes, bytes], count: int | None = None) -> bytes:
    """Entries must have been made with their offsets; ``count`` is what the end claims."""
    body = b"".join(local for local, _ in entries)
    directory = b"".join(central for _, central in entries)
    count = len(entries) if count is None else count
    return (
        body
        + directory
        + struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    )


def one(name: bytes = b"all.csv", data: bytes = TEXT, **more) -> bytes:
    return archive(entry(name, data, **more))


def crowd(members: int, claimed: int | None = None) -> bytes:
    """So many empty files, from one local header each."""
    local, _ = entry(b"000000", b"")
    nothing = local[30 + len(b"000000") :]
    entries = [
        entry(f"{at:06}".encode(), b"", packed=nothing, offset=at * len(local)) for at in range(members)
    ]
    return archive(*entries, count=claimed if claimed is not None else min(members, 0xFFFF))


def wordy_crowd(members: int, *, name: int = 6, extra: int = 0, comment: int = 0) -> Maker:
    """The same with entries of so many bytes in the directory, which is too large to be kept in memory."""
    lengths = struct.pack("<HHH", name, extra, comment)
    central = entry(b"", b"")[1]
    directory = central[:28] + lengths + central[34:] + b"x" * name + bytes(extra) + b"x" * comment
    body = entry(b"000000", b"")[0]
    size, many = len(directory) * members, min(members, 0xFFFF)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, many, many, size, len(body), 0)

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.write(body)
            file.writelines(repeat(directory, members))
            file.write(end)

    return make


def quotes_that_others_close() -> bytes:
    return zip_bytes({"all.csv": TEXT + (b'p",x,"' + b"a" * 40 + b"bcde" * 990 + b"\n") * 11_000})


def repeating(members: int) -> bytes:
    """Tables that are no answer, with the same name over all their columns."""
    head = "Number" + ",a" * 255
    return zip_bytes({f"{at}.csv": f"{head}\n+{41798000000 + at}{',' * 255}\n" for at in range(members)})


def overlapping(members: int) -> bytes:
    """One kernel of data that every entry points at."""
    local, _ = entry(b"0.csv", TEXT)
    entries = [entry(f"{at}.csv".encode(), TEXT)[1] for at in range(members)]
    return archive((local, b""), *((b"", central) for central in entries), count=members)


def sharing() -> bytes:
    """The first member's own header is so long that its data are the second's; the directory shows a gap."""
    local, central = entry(b"a.csv", TEXT)
    longer = local[:28] + struct.pack("<H", len(local)) + local[30:]
    return archive((longer, central), entry(b"b.csv", TEXT, offset=len(longer)))


def zipped_bombs(depth: int) -> bytes:
    data = one(data=b"", packed=bomb(64 << 20), claimed=64 << 20)
    for _ in range(depth):
        data = zip_bytes({f"{at}.zip": data for at in range(4)})
    return data


def long_line(path: Path) -> None:
    """1 GiB without a newline; no disk is used."""
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n" + b"x" * (1 << 17))
        file.truncate(GIB)


def zipped_line(path: Path) -> None:
    """The same in a ZIP that packs it too little to be told by its ratio."""
    data = (HEADER + "\n").encode() + bytes(range(33, 127)) * 400_000
    path.write_bytes(zip_bytes({"all.csv": data.replace(b",", b".").replace(b'"', b"'")}, zipfile.ZIP_STORED))


def workbook_with(parts: dict[str, bytes | str]) -> bytes:
    """A workbook some of whose parts are replaced."""
    book = zipfile.ZipFile(io.BytesIO(workbook_bytes([["Number", "telegram"], ["+41798284651", "yes"]])))
    return zip_bytes({**{name: book.read(name) for name in book.namelist()}, **parts})


def workbook_bomb() -> bytes:
    return workbook_with({SHEET: bytes(300 << 20)})


def sheet_of(body: str) -> str:
    return sheet_xml([["Number", "telegram"]]).replace("</sheetData>", body + "</sheetData>")


def far_cell(ref: str, row: str = ' r="1048576"', between: str = "") -> bytes:
    """A workbook with one cell far out; ``row`` are the attributes of its row."""
    return workbook_with({SHEET: sheet_of(f'{between}<row{row}><c r="{ref}"><v>1</v></c></row>')})


def noise(size: int) -> str:
    """Text that cannot be packed so small that its ratio tells."""
    return random.Random(1).randbytes(size // 2).hex()  # noqa: S311 - repeatable, not secret


def tag_over_two_chunks() -> bytes:
    begun = sheet_of("").index("</sheetData>") + len("<!---->")
    comment = f"<!--{noise((1 << 20) - begun - 1_000)}-->"
    return far_cell("Z1048576", f'{" " * 2_000}r="1048576"', comment)


def joined() -> bytes:
    """Two workbooks in one file: `zipfile` finds the honest one, at the end; calamine finds the other one,
    whose directory lies where that of the honest one would lie if nothing were before it.
    """
    hostile = far_cell("Z1048576")
    at, place = hostile.index(b"PK\x01\x02"), BOOK.index(b"PK\x01\x02")
    return hostile[:at].ljust(place, b"\0") + hostile[at:] + BOOK


def many_sheets(sheets: int, rows: int) -> bytes:
    """So many names for one sheet."""
    book = zipfile.ZipFile(io.BytesIO(BOOK)).read("xl/workbook.xml").decode()
    entry = '<sheet name="sheet1" sheetId="1" r:id="r1"/>'
    entries = "".join(f'<sheet name="s{at}" sheetId="{at}" r:id="r1"/>' for at in range(1, sheets + 1))
    numbers = [["Number", "telegram"], *[[f"+4179{n:07}", "yes"] for n in range(rows)]]
    return workbook_with({SHEET: sheet_xml(numbers), "xl/workbook.xml": book.replace(entry, entries)})


def one_text(size: int, cells: int) -> bytes:
    """A text that is in the file once, and in so many cells."""
    text = noise(size // 64) + "x" * (size - size // 64)
    rows = "".join(f'<row r="{at}"><c r="A{at}" t="s"><v>0</v></c></row>' for at in range(2, cells + 2))
    return workbook_with({SHEET: sheet_of(rows), STRINGS: f"<sst><si><t>{text}</t></si></sst>"})


def repeated(start: bytes, block: bytes, count: int) -> bytes:
    """Raw deflate of a start and so many equal blocks, packed one by one."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = engine.compress(start) + engine.flush(zlib.Z_FULL_FLUSH)
    packed = engine.compress(block) + engine.flush(zlib.Z_FULL_FLUSH)
    return head + packed * count + b"\x03\0"


def many_texts(path: Path) -> None:
    """300 MiB of shared strings, packed too little to be told by their ratio."""
    texts = (f"<si><t>{'unknown ' * 155}{at * at:x}</t></si>" for at in range(829))
    start, block, count = b"<sst>", "".join(texts).encode(), 320
    parts = zipfile.ZipFile(io.BytesIO(BOOK))
    made = {name: {"data": parts.read(name)} for name in parts.namelist()}
    made[STRINGS] = {"data": start + block * count, "packed": repeated(start, block, count)}
    entries, at = [], 0
    for name, more in made.items():
        entries.append(entry(name.encode(), offset=at, **more))
        at += len(entries[-1][0])
    path.write_bytes(archive(*entries))


def workbook_that_goes_on(path: Path) -> None:
    """A member that begins like a workbook, and has 1 GiB."""
    block = noise(12 << 10).encode().ljust(1 << 20, b"\0")
    packed = repeated(BOOK, block, 1 << 10)
    path.write_bytes(one(b"result.xlsx", b"", packed=packed, claimed=len(BOOK) + GIB))


def later(make: Callable[..., bytes], *sizes: int) -> Maker:
    """For what takes a while to make."""
    return lambda path: path.write_bytes(make(*sizes))


SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
BOOK = workbook_bytes([["Number", "telegram"], *[[f"+4179{n:07}", "yes"] for n in range(1_000)]])
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + at)} "{("&" + chr(97 + at) + ";") * 10}">' for at in range(9))
    + "]>"
)


def bomb_of(method: int) -> Maker:
    """Packed by a method that nobody unpacks in steps."""
    return lambda path: path.write_bytes(zip_bytes({"all.csv": bytes(300 << 20)}, method))


HOSTILE: dict[str, bytes | Maker] = {
    "bomb": one(data=b"", packed=bomb(), claimed=GIB),
    "bomb-that-lies": one(data=b"", packed=bomb(), claimed=len(TEXT)),
    "bombs-in-bombs": zipped_bombs(3),
    "bomb-beside-a-table": archive(
        entry(b"all.csv", TEXT),
        entry(b"more.csv", b"", packed=bomb(), claimed=GIB, offset=len(entry(b"all.csv", TEXT)[0])),
    ),
    "gzip-bomb": later(gzip_bomb),
    "gzip-in-gzip": gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0),
    "claims-16-eib": one(claimed=0xFFFF_FFFE),
    "nested": zip_bytes({"inner.zip": zip_bytes({"all.csv": DOCUMENTED})}),
    "100,000-members": later(crowd, 100_000),
    "300,000-members": later(crowd, 300_000),
    "100,000-members-that-claim-to-be-one": later(crowd, 100_000, 1),
    "100,000-members-with-long-names": wordy_crowd(100_000, name=1_050),
    "100,000-members-with-comments": wordy_crowd(100_000, comment=1_100),
    "100,000-members-with-extra-fields": wordy_crowd(100_000, extra=1_100),
    "directory-of-300-mib": wordy_crowd(9_000, comment=35_000),
    "overlap-whole": overlapping(5_000),
    "overlap-part": archive(
        entry(b"a.csv", TEXT, method=0),
        entry(b"b.csv", TEXT, method=0, offset=50),
    ),
    "overlap-by-a-long-header": sharing(),
    "claims-less": one(claimed=10),
    "claims-more": one(claimed=10 * len(TEXT)),
    "climbs": one(b"../../all.csv"),
    "climbs-in-the-middle": one(b"a/../../all.csv"),
    "climbs-by-backslash": one(b"..\\all.csv"),
    "absolute": one(b"/etc/all.csv"),
    "drive": one(b"C:\\all.csv"),
    "share": one(b"\\\\host\\all.csv"),
    "symbolic-link": one(data=b"/etc/passwd", mode=0o120777),
    "encrypted": one(flags=1),
    "strongly-encrypted": one(method=99, flags=1),
    "packed-otherwise": zip_bytes({"all.csv": DOCUMENTED}, zipfile.ZIP_LZMA),
    "bzip2-bomb": bomb_of(zipfile.ZIP_BZIP2),
    "lzma-bomb": bomb_of(zipfile.ZIP_LZMA),
    "of-a-later-version": zip_bytes({"all.csv": DOCUMENTED}).replace(b"\x14\0\0\0", b"\xff\0\0\0"),
    "wrong-checksum": one(crc=1),
    "cut-off": zip_bytes({"all.csv": DOCUMENTED})[:200],
    "cut-off-in-its-directory": zip_bytes({"all.csv": DOCUMENTED})[:-10],
    "directory-elsewhere": zip_bytes({"all.csv": DOCUMENTED})[:-6] + b"\xff\xff\xff\x7f\0\0",
    "points-to-nowhere": one(far_offset=1 << 62),
    "points-beyond-any-file": one(far_offset=(1 << 64) - 1),
    "500-members-of-repeated-columns": repeating(500),
    "points-behind-the-end": archive(entry(b"all.csv", TEXT, offset=10_000)),
    "xlsx-bomb": later(workbook_bomb),
    "xlsx-huge-sheet": workbook_with(
        {SHEET: sheet_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')}
    ),
    "xlsx-sprawl": workbook_with({SHEET: sheet_of('<row r="1048576"><c r="AZ1048576"><v>1</v></c></row>')}),
    "xlsx-sprawl-to-z": far_cell("Z1048576"),
    "xlsx-sprawl-to-iv": far_cell("IV1048576"),
    "xlsx-lower-case": far_cell("xfd1048576"),
    "xlsx-spaces-around-equals": far_cell("Z1048576", ' r = "1048576"'),
    "xlsx-row-without-number": far_cell("Z1048576", ""),
    "xlsx-wide-row-without-number": far_cell("IV1048576", ""),
    "xlsx-tag-over-two-chunks": later(tag_over_two_chunks),
    "xlsx-joined": joined(),
    "xlsx-one-text-in-2,000-cells": later(one_text, 256 << 10, 2_000),
    "xlsx-20,000-sheets": later(many_sheets, 20_000, 1),
    "xlsx-2,000-sheets-of-5,000-rows": later(many_sheets, 2_000, 5_000),
    "xlsx-64-sheets-of-20,000-rows": later(many_sheets, 64, 20_000),
    "xlsx-300-mib-of-texts": many_texts,
    "xlsx-that-goes-on-for-1-gib": workbook_that_goes_on,
    "17-workbooks": zip_bytes(
        {
            f"{at}.xlsx": workbook_bytes([["Number", "telegram"], [str(41798284651 + at), "yes"]])
            for at in range(17)
        }
    ),
    "xlsx-laughs": workbook_with({SHEET: LAUGHS + "<worksheet>&j;</worksheet>"}),
    "xlsx-no-xml": workbook_with({SHEET: "<worksheet><sheetData><row r='1'><c"}),
    "xlsx-text-out-of-range": workbook_with(
        {SHEET: sheet_of('<row r="2"><c r="A2" t="s"><v>99</v></c></row>')}
    ),
    "xlsx-cut-off": BOOK[: len(BOOK) // 2],
    "line-of-1-gib": long_line,
    "line-of-37-mib": zipped_line,
    "100,000-columns": ("Number," + ",".join("c" for _ in range(100_000)) + "\n").encode(),
    "web-page": b"<html><body>Sign in</body></html>",
    "lines-of-nothing": TEXT + b"1\n" * 4_000_000,
    "lines-of-quotes": TEXT + b'"\n' * 4_000_000,
    "lines-of-quotes-that-others-close": later(quotes_that_others_close),
    "lines-of-another-alphabet": TEXT + b"\xe9\xe9\n" * 3_000_000,
    "nothing": b"",
    "zeros": bytes(1 << 20),
}


def write(name: str, path: Path) -> Path:
    made = HOSTILE[name]
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made(path)
    return path
