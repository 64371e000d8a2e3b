"""Child processes that end with us: whatever they started, in sessions of their own too."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LAST_LINES = 40
_GLANCE_SECONDS = 0.1
_PROC = Path("/proc")


class Child:
    """A process in a session of its own: Ctrl-C at the terminal reaches us alone."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        threading.Thread(target=self._listen, name=name, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def last_words(self) -> str:
        """What it said last, for the person who must find out why it ended."""
        return "\n".join(line for line in self._lines if line.strip())

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._lines.append(line.rstrip())


@contextmanager
def noting_signals() -> Iterator[threading.Event]:
    """Inside, Ctrl-C and SIGTERM break nothing off: they set the event."""
    noted = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: noted.set()) for number in signals]
    try:
        yield noted
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def stop(child: Child, *, patience: float, hurry: threading.Event) -> None:
    """Ask the child and its descendants to end; after ``patience`` seconds, or in a hurry, end them.

    A worker that has seen an outage ignores the first signal, and its runs live in sessions of their own.
    """
    deadline = time.monotonic() + patience
    family = {child.pid}
    asked: set[int] = set()
    while living := _living(family):
        is_late = hurry.is_set() or time.monotonic() > deadline
        for pid in living if is_late else living - asked:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        asked |= living
        with suppress(subprocess.TimeoutExpired):
            child._process.wait(_GLANCE_SECONDS)
        time.sleep(_GLANCE_SECONDS)


def _living(family: set[int]) -> set[int]:
    """Who of the family lives; their newest children join it."""
    table = _processes()
    grown = True
    while grown:
        children = {pid for pid, parent in table.items() if parent in family} - family
        family |= children
        grown = bool(children)
    return family & set(table)


def _processes() -> dict[int, int]:
    """Each living process and its parent."""
    rows = _from_proc() if _PROC.joinpath("self/stat").exists() else _from_ps()
    return {int(pid): int(parent) for pid, state, parent in rows if not state.startswith("Z")}


def _from_proc() -> Iterator[list[str]]:
    for path in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            state, parent, *_ = path.read_text(errors="replace").rpartition(")")[2].split()
            yield [path.parent.name, state, parent]


def _from_ps() -> Iterator[list[str]]:
    command = ["/bin/ps", "-A", "-o", "pid=,stat=,ppid="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    yield from (line.split() for line in listing.stdout.splitlines())
