"""The short-lived process that reads one workbook, and what `sheets` agrees on with it.

calamine makes a dense rectangle of each sheet, however few cells there are, and where memory ends it ends the
whole process. So it runs in a process of its own, under limits that it sets itself: the parent has threads,
and nothing may run in it between fork and exec. It is started by its path, not as a module of the package:
that would import polars, which takes longer than the whole of this. So nothing of ours is imported here.

Standard input is the workbook; standard output, a file, gets an Arrow stream for each sheet, with the sheet's
name in the metadata of its schema. Exit codes are below; anything else is a process that could not even
start, or one that a limit ended.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

UNREADABLE, TOO_MANY_SHEETS, TOO_WIDE, DISK_FULL = range(3, 7)
BLOCK_ROWS = 50_000
BLOCK_CELLS = 400_000  # a wide sheet has smaller blocks
NAME = b"sheet"

_STANDARD_INPUT = "/dev/fd/0"
_STATM = Path("/proc/self/statm")


class Allowance(NamedTuple):
    """What reading a workbook may cost. ``memory_bytes`` come on top of what the imports took."""

    memory_bytes: int
    cpu_milliseconds: int
    written_bytes: int
    sheets: int
    columns: int


def main(allowance: Allowance) -> None:
    # numpy is two thirds of pyarrow's start, and pyarrow does without it where there is none
    sys.modules["numpy"] = None  # type: ignore[assignment]
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve addresses far ahead
    import fastexcel  # noqa: F401
    import pyarrow as pa  # noqa: F401

    Path(_STANDARD_INPUT).stat()  # without it no workbook can be read, and none is to blame
    _confine(allowance)
    os._exit(_outcome(allowance))  # no cleaning up: there may be no memory for it


def _confine(allowance: Allowance) -> None:
    if _STATM.exists():  # elsewhere the system does not bound memory, and the other limits have to do
        used_bytes = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, used_bytes + allowance.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, allowance.written_bytes)
    # One byte, not none: a program that collects core dumps gets one in spite of 0, with the rows in it.
    _limit(resource.RLIMIT_CORE, 1)
    # RLIMIT_CPU knows whole seconds only. This clock, too, counts the CPU time of all threads.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    signal.setitimer(signal.ITIMER_PROF, allowance.cpu_milliseconds / 1_000)


def _limit(what: int, most: int) -> None:
    """One that is lower already stays."""
    soft, hard = (
        most if limit == resource.RLIM_INFINITY else min(most, limit) for limit in resource.getrlimit(what)
    )
    resource.setrlimit(what, (soft, hard))


def _outcome(allowance: Allowance) -> int:
    try:
        return _write_sheets(allowance)
    except OSError as error:
        return DISK_FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else UNREADABLE
    except BaseException:  # a panic of Rust is no Exception
        return UNREADABLE


def _write_sheets(allowance: Allowance) -> int:
    import fastexcel

    workbook = fastexcel.read_excel(_STANDARD_INPUT)
    names = workbook.sheet_names
    if len(names) > allowance.sheets:
        return TOO_MANY_SHEETS
    for index, name in enumerate(names):  # by index: names may be alike
        # skip_rows=0 keeps blank rows above the header, so that positions are row numbers; eager refers to
        # shared strings instead of copying them
        sheet = workbook.load_sheet(index, header_row=None, skip_rows=0, dtypes="string", eager=True)
        if sheet.num_columns > allowance.columns:
            return TOO_WIDE
        _write(sheet, name)
    return 0


def _write(sheet: pa.RecordBatch, name: str) -> None:
    import pyarrow as pa

    named = sheet.replace_schema_metadata({NAME: name.encode()})
    block_rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(1, named.num_columns)))
    with pa.ipc.new_stream(sys.stdout.buffer, named.schema) as stream:
        for start in range(0, named.num_rows, block_rows):
            stream.write_batch(named.slice(start, block_rows))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Allowance(*map(int, sys.argv[1:])))
