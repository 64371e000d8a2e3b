"""Result archives with bytes changed, drawn by a seed, and the whole way of reading one of them."""

from __future__ import annotations

import gzip
import io
import random
import signal
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from support.archive_files import DOCUMENTED, NUMBERS, workbook_bytes, zip_bytes

from ekyc_tasks.errors import EkycError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.normalize import Normalizer, Provenance
from ekyc_tasks.results import load_archive as loading
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.results.reconcile import Reconciler
from ekyc_tasks.results.table_choice import Source
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.tabular import open_members
from ekyc_tasks.task_types import task_type

CHECKED_AT = datetime(2026, 1, 1, tzinfo=UTC)
TG_AVATAR = task_type("tg_avatar")
LIMITS = ArchiveLimits(max_member_bytes=1 << 24, max_total_bytes=1 << 24)
LONGEST = 20  # seconds, on a busy machine; a hang takes for ever

SHEET = [line.split(",") for line in DOCUMENTED.splitlines()]
PROFILE = (
    "Phone,activated,uid,username,Last Online Time,Active Days,Is Member,Avatar,Gender,Age,Ethnicity\n"
    '41798284651,true,7,"a, ""b""",2026-01-01,7,no,https://e.com/a,Male,25~34,x\n'
    "41798284652,false,8,c\n"
)
TEXTS = [
    DOCUMENTED.encode(),
    DOCUMENTED.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
    DOCUMENTED.replace("pet avatar", "名前").encode("gb18030"),
    DOCUMENTED.encode("utf-16"),
    PROFILE.encode(),
    "\n".join(NUMBERS).encode(),
]
BOOK = workbook_bytes(SHEET, SHEET)
ARCHIVES = [
    zip_bytes({"t/all.csv": TEXTS[0], "t/activated.txt": TEXTS[5], "t/result.xlsx": BOOK}),
    zip_bytes({"1.csv": TEXTS[0], "2.csv": TEXTS[4]}, 0),
    zip_bytes({"result.xlsx": BOOK}),
    gzip.compress(TEXTS[0], mtime=0),
    BOOK,
    *TEXTS,
]
TASTY = [
    *(
        sign.encode()
        for sign in ('"', ",", "\n", "\r", "\0", "-", "'", "\t", ";", "<", "E+10", "=1+1", "\u202e")
    ),
    *(
        b"\xff",
        b"\xe9",
        b"\xef\xbb\xbf",
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"\xff\xff\xff\xff",
        bytes(4),
        b"9" * 40,
    ),
]


def drawn(lots: random.Random) -> bytes:
    """An archive with changes: in its bytes, or in those of a table before it is packed."""
    if lots.random() < 0.4:
        return mutated(lots.choice(ARCHIVES), lots)
    text = mutated(lots.choice(TEXTS), lots)
    if lots.random() < 0.5:
        return text
    name = lots.choice(["all.csv", "activated.txt", "a/b.csv", "result.csv"])
    return zip_bytes({name: text, "readme.txt": "hello"}, lots.choice([0, 8]))


def mutated(data: bytes, lots: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(lots.randint(1, 4)):
        at, size = lots.randrange(len(changed) + 1), lots.randint(1, 8)
        match lots.randrange(6):
            case 0:
                changed[at : at + 1] = bytes([lots.randrange(256)])
            case 1:
                changed[at:at] = lots.choice(TASTY)
            case 2:
                del changed[at : at + size]
            case 3:
                changed[at : at + size] = lots.choice(TASTY)
            case 4:
                changed[at:at] = changed[at : at + 40 * size] * lots.randint(1, 3)
            case _:
                del changed[at if lots.random() < 0.2 else len(changed) :]
    return bytes(changed)


def read_through(data: bytes) -> bool:
    """All but the writing; False when it was refused. Whatever else happens is a defect."""
    with TemporaryDirectory() as folder, in_time():
        path = Path(folder) / "result.bin"
        path.write_bytes(data)
        try:
            with open_members(path, LIMITS) as members:
                source = Source.of(members, TG_AVATAR, LIMITS)
                reconciler = Reconciler([np.array([int(number) for number in NUMBERS])])
                stream = loading._Stream(
                    reconciler, Normalizer(TG_AVATAR, Provenance(CHECKED_AT, "b", "t")), "b"
                )
                tiers = loading._select_tiers(source, reconciler)
                blocks = (block for tier in tiers for block in stream.sort(tier.blocks()))
                accepted = sum(block.rows.height for block in blocks)
                loading._accounts(stream, accepted)
                loading._drift(source, stream)
        except EkycError:
            return False
    return True


def load_whole(data: bytes) -> bool:
    """The same with everything on disk; the dataset keeps the contract, or is not there."""
    with TemporaryDirectory() as folder, in_time():
        root = Path(folder)
        (root / "result.bin").write_bytes(data)
        (root / "sent.txt").write_text("\n".join(NUMBERS))
        try:
            report = load_archive(
                root / "result.bin",
                Provenance(CHECKED_AT, "b", "t"),
                numbers=root / "sent.txt",
                task_type=TG_AVATAR.name,
                folder=DataFolder(root, root / "landing", root / "warehouse"),
                limits=LIMITS,
            )
        except EkycError:
            assert not list(root.rglob("*.parquet"))
            return False
        TG_AVATAR.schema.validate(pl.read_parquet(io.BytesIO(report.dataset_path.read_bytes())))
    return True


@contextmanager
def in_time():
    def late(*_):
        raise TimeoutError(f"not done after {LONGEST} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
