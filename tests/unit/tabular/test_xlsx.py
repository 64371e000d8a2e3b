"""A workbook is read in a process of its own, and each of its limits ends it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from support.archive_files import workbook_bytes
from support.hostile_archives import far_cell, many_sheets, one_text

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.tabular import open_members, xlsx, xlsx_worker
from ekyc_tasks.tabular.xlsx import sheet_tables
from ekyc_tasks.tabular.xlsx_worker import Allowance

LIMITS = ArchiveLimits()
AMPLE = Allowance(
    memory_bytes=4 << 30, cpu_milliseconds=60_000, written_bytes=1 << 30, sheets=1_000, columns=256
)
BOOK = workbook_bytes([["Number", "telegram"], ["+41798284651", "yes"]])


def tables(path: Path, data: bytes, limits: ArchiveLimits = LIMITS):
    (path / "a.xlsx").write_bytes(data)
    with open_members(path / "a.xlsx", limits) as members:
        return sheet_tables(members, limits)


def rows(table):
    return [row for block in table.blocks(False, ()) for row in block.frame.rows()]


@pytest.mark.parametrize(
    ("data", "less", "code"),
    [
        (BOOK, {}, 0),
        pytest.param(
            far_cell("J1048576"),
            {"memory_bytes": 100 << 20},
            -signal.SIGABRT,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory"),
        ),
        (many_sheets(500, 5_000), {"cpu_milliseconds": 200}, -signal.SIGPROF),
        (one_text(1 << 16, 100), {"written_bytes": 1 << 20}, xlsx_worker.UNREADABLE),
        (many_sheets(5, 1), {"sheets": 4}, xlsx_worker.TOO_MANY_SHEETS),
        (far_cell("E1"), {"columns": 4}, xlsx_worker.TOO_WIDE),
        (b"no workbook", {}, xlsx_worker.UNREADABLE),
    ],
    ids=["none", "memory", "cpu", "written", "sheets", "columns", "damage"],
)
def test_each_limit_ends_the_process(data, less, code):
    with TemporaryFile() as packed, TemporaryFile() as streams:
        packed.write(data)
        packed.flush()
        assert xlsx.run_worker(packed, streams, AMPLE._replace(**less)) == code
        assert os.fstat(streams.fileno()).st_size <= AMPLE._replace(**less).written_bytes


def test_what_only_waits_is_ended_by_the_clock(tmp_path, monkeypatch):
    script = tmp_path / "sleep.py"
    script.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(xlsx.xlsx_worker, "__file__", str(script))
    monkeypatch.setattr(xlsx, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(xlsx, "_PATIENCE_PER_CPU", 0)
    with pytest.raises(ArchiveError, match=r"^a\.xlsx is damaged, or needs more memory or time"):
        tables(tmp_path, BOOK)


def test_a_process_that_cannot_start_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx.xlsx_worker, "__file__", str(tmp_path / "gone.py"))
    with pytest.raises(RuntimeError, match="cannot start"):
        tables(tmp_path, BOOK)


def test_a_full_disk_is_no_fault_of_the_archive():
    with pytest.raises(OSError, match="No space left") as caught:
        xlsx._raise_outcome(xlsx_worker.DISK_FULL, "a.xlsx")
    assert caught.value.errno == errno.ENOSPC


def test_the_process_inherits_no_keys_and_needs_no_folder_of_ours(tmp_path, monkeypatch):
    seen = {}
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *args, **more: seen.update(more) or run(*args, **more))
    monkeypatch.setenv("EKYC_API_KEY", "secret")
    monkeypatch.setenv("HOME", "")
    monkeypatch.chdir(tmp_path)
    script = shutil.copy(xlsx_worker.__file__, tmp_path)
    (tmp_path / "pyarrow.py").write_text("raise ImportError")  # the current folder, and the script's
    monkeypatch.setattr(xlsx.xlsx_worker, "__file__", str(script))
    assert len(tables(tmp_path, BOOK)) == 1
    assert "secret" not in seen["env"].values()


def test_refuses_a_workbook_of_more_bytes_than_any_honest_one(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_WORKBOOK_BYTES", 100)
    with pytest.raises(ArchiveError, match=r"^a\.xlsx is a workbook of more than 100 bytes"):
        tables(tmp_path, BOOK)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (many_sheets(65, 1), "has more than 64 sheets"),
        (far_cell("IW3", ""), "has a sheet of more than 256 columns"),
        (far_cell("XFD1048576"), "is damaged, or needs more memory or time than a workbook of its size"),
    ],
)
def test_says_what_is_wrong_and_what_to_do(tmp_path, data, words):
    with pytest.raises(ArchiveError, match=rf"^a\.xlsx {words}.*\. Ask the provider for it again$"):
        tables(tmp_path, data)


def test_blank_cells_and_blank_sheets(tmp_path):
    book = workbook_bytes([["Number", ""], ["1", "yes"]], [], [["Number"], [None], ["2"]])
    first, third = tables(tmp_path, book)
    assert (first.name, rows(first)) == ("a.xlsx: sheet1", [("Number", None), ("1", "yes")])
    assert (third.name, rows(third)) == ("a.xlsx: sheet3", [("Number",), ("2",)])


def test_a_large_honest_sheet_is_read_whole(tmp_path):
    count = 150_000
    data = [[f"+4179{n:07}", "yes", f"https://example.com/{n:x}.jpg", "25", "male"] for n in range(count)]
    (table,) = tables(tmp_path, workbook_bytes([["Number", "telegram", "avatar", "age", "gender"], *data]))
    for _ in range(2):  # from the start each time
        blocks = list(table.blocks(True, (1,)))
        assert [block.frame.height for block in blocks] == [49_999, 50_000, 50_000, 1]
        assert [line for block in blocks for line in block.lines] == list(range(2, count + 2))
        assert [number for block in blocks for number in block.frame["c0"]] == [row[0] for row in data]
