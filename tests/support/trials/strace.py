"""System calls that go wrong: strace attached to a process that waits for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.workstation import wait_until

CALLS = {
    "write": "write,pwrite64",
    "fsync": "fsync,fdatasync",
    "rename": "rename,renameat,renameat2",
}
FAULTS = {"ENOSPC": "error=ENOSPC", "EIO": "error=EIO", "SIGKILL": "signal=KILL"}


def is_usable() -> bool:
    """Installed, and allowed to trace a process that is not its child."""
    if shutil.which("strace") is None:
        return False
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            with attached(sleeper.pid, ["-e", "trace=none", "-o", os.devnull]):
                return True
        except AssertionError:
            return False
        finally:
            sleeper.kill()


def going_wrong(calls: str, fault: str, n: int, log: Path) -> list[str]:
    """The ``n``-th of these calls, in every thread."""
    injection = f"inject={CALLS[calls]}:{FAULTS[fault]}:when={n}"
    return ["-e", f"trace={CALLS[calls]}", "-e", injection, "-o", str(log)]


def has_happened(log: Path) -> bool:
    """Did a call go wrong as it was told to?"""
    text = log.read_text(errors="replace")
    return "(INJECTED)" in text or "killed by SIGKILL" in text


def counting(log: Path) -> list[str]:
    return ["-e", f"trace={','.join(CALLS.values())}", "-o", str(log)]


def most(log: Path, calls: str) -> int:
    """How many of these calls the busiest thread made."""
    names = CALLS[calls].split(",")
    lines = (line.split(maxsplit=1) for line in log.read_text(errors="replace").splitlines())
    made = Counter(thread for thread, call in lines if call.partition("(")[0] in names)
    return max(made.values(), default=0)


@contextmanager
def attached(pid: int, arguments: Sequence[str]) -> Iterator[None]:
    """Trace a process and let it go on; AssertionError where that is not allowed."""
    with tempfile.TemporaryFile() as said:
        command = ["strace", "-f", "-p", str(pid), *arguments]
        with subprocess.Popen(command, stderr=said) as strace:
            wait_until(lambda: _is_attached(strace, said), seconds=20, what="strace")
            os.kill(pid, signal.SIGCONT)
            try:
                yield
            finally:
                strace.terminate()


def is_stopped(pid: int) -> bool:
    """By a signal; one that goes on before it has stopped would never go on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}


def _is_attached(strace: subprocess.Popen, said: tempfile._TemporaryFileWrapper) -> bool:
    said.seek(0)
    text = said.read()
    assert strace.poll() is None, text.decode()
    return b"attached" in text
