"""Every hostile archive is refused in time and in bounds, in a process of its own, and leaves nothing.

The check of a download comes before that, in the same bounds: what is hostile is not damaged.

The processes are forked from one that has imported everything and done nothing: that is the baseline.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_archives import HOSTILE, write

pytestmark = pytest.mark.integration

SECONDS, MEBIBYTES = 2.0, 200
ROOT = Path(__file__).parents[2]

LOADER = """
import json, os, resource, sys, time
from datetime import datetime, UTC
from pathlib import Path
from ekyc_tasks.archive.containers import is_damaged
from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.loading import DEFAULT_LIMITS, load_archive
from ekyc_tasks.task_types import task_type

def peak():
    unit = 1 << 10 if sys.platform == "linux" else 1 << 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

def load(archive, out):
    try:
        load_archive(
            archive, numbers=None, task_type="tg_avatar", batch_id="batch-1", task_id="",
            checked_at=datetime(2026, 1, 1, tzinfo=UTC), warehouse=out / "warehouse",
            quarantine=out / "quarantine", staging=out / ".staging", warehouse_staging=out / ".staging",
        )
    except LoadFailed as error:
        return str(error)

def check(archive, out):
    return is_damaged(archive, DEFAULT_LIMITS)

def measured(work, archive, out):
    before, began = peak(), time.process_time()
    result = work(Path(archive), Path(out))
    return result, time.process_time() - began, peak() - before

task_type("tg_avatar")
for line in sys.stdin:
    if not (child := os.fork()):
        work, *paths = json.loads(line)
        print(json.dumps(measured({"load": load, "check": check}[work], *paths)), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("null", flush=True)
"""


@pytest.fixture(scope="module")
def loader():
    command = [sys.executable, "-c", LOADER]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def measure(loader, tmp_path):
    """Loads or checks an archive within bounds; what came of it."""

    def measure(work, archive):
        loader.stdin.write(json.dumps([work, str(archive), str(tmp_path / "out")]) + "\n")
        loader.stdin.flush()
        result, seconds, mebibytes = json.loads(loader.stdout.readline())
        assert seconds < SECONDS  # of CPU: the machine may be busy
        assert mebibytes < MEBIBYTES
        return result

    return measure


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused_in_time_and_in_bounds(name, tmp_path, measure):
    archive = write(name, tmp_path / "result.bin")
    refused = measure("load", archive)
    assert refused is not None
    assert refused.startswith("Batch batch-1 cannot be loaded: ")
    assert "4179" not in refused
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


DAMAGED = {
    "bomb-that-lies", "claims-less", "claims-more", "wrong-checksum", "cut-off", "cut-off-in-its-directory",
    "directory-elsewhere", "points-behind-the-end", "xlsx-cut-off",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_is_told_from_a_damaged_download_in_time_and_in_bounds(name, tmp_path, measure):
    archive = write(name, tmp_path / "result.bin")
    with archive.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    assert not is_zip or measure("check", archive) == (name in DAMAGED)
