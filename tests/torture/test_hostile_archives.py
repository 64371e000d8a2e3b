"""Every hostile archive is refused in time and in bounds, in a process of its own, and leaves nothing.

The check of a download comes before that, in the same bounds: what is hostile is not damaged.

The processes are forked from one that has imported everything and done nothing: that is the baseline. The
process that reads workbooks is counted, too, above what its imports take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile_archives import HOSTILE, write

pytestmark = pytest.mark.integration

SECONDS, MEBIBYTES = 2.0, 200
ROOT = Path(__file__).parents[2]

# Stands in for the interpreter, and is small: a child starts with the peak of the process that starts it.
METER = """\
#!{python} -S
import os, sys
if not (child := os.fork()):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
_, status, usage = os.wait4(child, 0)
with open({peak!r}, "w") as file:
    file.write(str(usage.ru_maxrss))
code = os.waitstatus_to_exitcode(status)
os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)
"""

LOADER = """
import json, os, resource, subprocess, sys, time
from datetime import datetime, UTC
from pathlib import Path
from ekyc_tasks.tabular.containers import is_damaged
from ekyc_tasks.errors import LoadFailed
from ekyc_tasks.normalize import Provenance
from ekyc_tasks.results.load_archive import DEFAULT_LIMITS, load_archive
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.task_types import task_type
from support.cpu_time import steady_seconds

METER, PEAK = sys.argv[1], Path(sys.argv[2])
UNIT = 1 << 10 if sys.platform == "linux" else 1 << 20

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNIT

def peak_of_child():
    return int(PEAK.read_text()) / UNIT if PEAK.exists() else 0

def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime

def load(archive, out):
    try:
        load_archive(
            archive, Provenance(datetime(2026, 1, 1, tzinfo=UTC), "batch-1", ""),
            numbers=None, task_type="tg_avatar",
            folder=DataFolder(out, out / "landing", out / "warehouse"),
        )
    except LoadFailed as error:
        return str(error)

def check(archive, out):
    return is_damaged(archive, DEFAULT_LIMITS)

def measured(work, archive, out):
    PEAK.unlink(missing_ok=True)
    before = peak()
    result, seconds = steady_seconds(lambda: work(Path(archive), Path(out)), cpu)
    return result, seconds, peak() - before + max(0, peak_of_child() - IMPORTED)

task_type("tg_avatar")
imports = "import sys; sys.modules['numpy'] = None; import fastexcel, pyarrow"
subprocess.run([METER, "-c", imports], check=True)
IMPORTED = peak_of_child()
sys.executable = METER
for line in sys.stdin:
    if not (child := os.fork()):
        work, *paths = json.loads(line)
        print(json.dumps(measured({"load": load, "check": check}[work], *paths)), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("null", flush=True)
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meter")
    meter, peak = folder / "meter", folder / "peak"
    meter.write_text(METER.format(python=sys.executable, peak=str(peak)))
    meter.chmod(0o700)
    command = [sys.executable, "-c", LOADER, str(meter), str(peak)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
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
        assert seconds < SECONDS  # of CPU
        assert mebibytes < MEBIBYTES
        return result

    return measure


SMALL = {"bomb", "gzip-bomb", "xlsx-bomb"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.smoke] if name in SMALL else []) for name in HOSTILE]
)
def test_is_refused_in_time_and_in_bounds(name, tmp_path, measure):
    archive = write(name, tmp_path / "result.bin")
    refused = measure("load", archive)
    assert refused is not None
    assert refused.startswith("Batch batch-1 cannot be loaded: ")
    assert "4179" not in refused
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


DAMAGED = {
    "bomb-that-lies", "claims-less", "claims-more", "wrong-checksum", "cut-off", "cut-off-in-its-directory",
    "directory-elsewhere", "points-behind-the-end", "points-to-nowhere", "points-beyond-any-file",
    "xlsx-cut-off", "xlsx-that-goes-on-for-1-gib",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_is_told_from_a_damaged_download_in_time_and_in_bounds(name, tmp_path, measure):
    archive = write(name, tmp_path / "result.bin")
    with archive.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    assert not is_zip or measure("check", archive) == (name in DAMAGED)
