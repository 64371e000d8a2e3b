"""The short-lived process that reads one workbook, and what `xlsx` agrees on with it.

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
import re
import resource
import signal
import sys
import zipfile
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple
from xml.parsers.expat import ParserCreate

if TYPE_CHECKING:
    import fastexcel
    import pyarrow as pa

UNREADABLE, TOO_MANY_SHEETS, TOO_WIDE, DISK_FULL = range(3, 7)
BLOCK_ROWS = 50_000
BLOCK_CELLS = 400_000  # a wide sheet has smaller blocks
# In the metadata of a stream. ``FLAWS``: three unsigned integers each, row, column and kind.
# ``COLUMNS_BEFORE``: how many empty columns stand in front of those in the stream; places count them.
NAME, HIDDEN, FLAWS, COLUMNS_BEFORE = b"sheet", b"hidden", b"flaws", b"before"
ERROR, NOT_CALCULATED = range(2)

_STANDARD_INPUT = "/dev/fd/0"
_PIECE_BYTES = 1 << 18
_NO_COLUMN = 1 << 20
_STATM = Path("/proc/self/statm")


class Allowance(NamedTuple):
    """What reading a workbook may cost. ``memory_bytes`` come on top of what the imports took."""

    memory_bytes: int
    cpu_milliseconds: int
    written_bytes: int
    sheets: int
    columns: int
    with_flaws: int = 0  # 1: say which sheets are hidden, and which cells show nothing of what they are


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
    if allowance.with_flaws:
        return _write_with_flaws(workbook, allowance)
    for index, name in enumerate(names):  # by index: names may be alike
        # skip_rows=0 keeps blank rows above the header, so that positions are row numbers; eager refers to
        # shared strings instead of copying them
        sheet = workbook.load_sheet(index, header_row=None, skip_rows=0, dtypes="string", eager=True)
        if sheet.num_columns > allowance.columns:
            return TOO_WIDE
        _write(sheet, {NAME: name.encode()})
    return 0


def _write_with_flaws(workbook: fastexcel.ExcelReader, allowance: Allowance) -> int:
    parts = _find_parts()
    for index, name in enumerate(workbook.sheet_names):
        sheet = workbook.load_sheet(index, header_row=None, skip_rows=0, dtypes="string")
        batch, errors = sheet.to_arrow_with_errors()
        if batch.num_columns > allowance.columns:
            return TOO_WIDE
        before, flaws = _find_formulas(parts[name]) if name in parts else (0, array("I"))
        for error in errors.errors if errors is not None else ():
            row, column = error.position
            flaws.extend((row, column + before, ERROR))
        metadata = {
            NAME: name.encode(),
            HIDDEN: b"" if sheet.visible == "visible" else b"1",
            FLAWS: flaws.tobytes(),
            COLUMNS_BEFORE: str(before).encode(),
        }
        _write(batch, metadata)
    return 0


# --- formulas that nothing has calculated: calamine shows them as empty cells ----------------------------


def _find_parts() -> dict[str, str]:
    """The part of each sheet of an XLSX, by the sheet's name; none for other workbooks."""
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def note_sheet(tag: str, values: dict[str, str]) -> None:
        if tag == "sheet":
            related = next((value for key, value in values.items() if key.split(":")[-1] == "id"), "")
            sheets[values.get("name", "")] = related

    def note_target(tag: str, values: dict[str, str]) -> None:
        if tag == "Relationship":
            targets[values.get("Id", "")] = values.get("Target", "")

    try:
        with zipfile.ZipFile(_STANDARD_INPUT) as parts:
            for part, note in (("xl/workbook.xml", note_sheet), ("xl/_rels/workbook.xml.rels", note_target)):
                with parts.open(part) as file:
                    _parse(file, note)
    except (KeyError, zipfile.BadZipFile):
        return {}
    found = {name: targets.get(related, "") for name, related in sheets.items()}
    return {name: path[1:] if path[:1] == "/" else f"xl/{path}" for name, path in found.items() if path}


def _find_formulas(part: str) -> tuple[int, array[int]]:
    """How many columns are empty in front of the first value, and the formulas without one."""
    with zipfile.ZipFile(_STANDARD_INPUT) as parts:
        with parts.open(part) as file:
            if not _has_formula(file):
                return 0, array("I")
        with parts.open(part) as file:
            cells = _Cells()
            _parse(file, cells.open_tag, cells.close_tag, cells.add_text)
    return (0 if cells.first_column == _NO_COLUMN else cells.first_column), cells.flaws


def _has_formula(file: IO[bytes]) -> bool:
    before = b""
    while data := file.read(_PIECE_BYTES):
        if re.search(rb"<(?:\w+:)?f[\s>/]", before + data):
            return True
        before = data[-16:]
    return False


_Open = Callable[[str, dict[str, str]], None]


def _parse(
    file: IO[bytes],
    open_tag: _Open,
    close_tag: Callable[[str], None] | None = None,
    add_text: Callable[[str], None] | None = None,
) -> None:
    """Tags without the prefix of their namespace."""
    parser = ParserCreate()
    parser.StartElementHandler = lambda tag, values: open_tag(tag.split(":")[-1], values)
    if close_tag is not None:
        parser.EndElementHandler = lambda tag: close_tag(tag.split(":")[-1])
    parser.CharacterDataHandler = add_text
    while data := file.read(_PIECE_BYTES):
        parser.Parse(data)
    parser.Parse(b"", True)


class _Cells:
    """The cells of a sheet, one after another. A cell or row without a place follows the one before."""

    def __init__(self) -> None:
        self.flaws = array("I")
        self.first_column = _NO_COLUMN
        self._row, self._column = -1, -1
        self._has_formula = self._has_value = self._is_text = self._is_inside = False

    def open_tag(self, tag: str, values: dict[str, str]) -> None:
        if tag == "row":
            self._row = int(values["r"]) - 1 if "r" in values else self._row + 1
            self._column = -1
        elif tag == "c":
            place = re.fullmatch("([A-Z]+)([0-9]+)", values.get("r", ""))
            self._column = _column_of(place[1]) if place else self._column + 1
            self._has_formula = self._has_value = False
            self._is_text = values.get("t") == "str"
        elif tag == "f":
            self._has_formula = True
        elif tag in {"v", "t"}:
            self._is_inside = True
            self._has_value |= tag == "v" and self._is_text  # a formula may result in no text

    def add_text(self, text: str) -> None:
        self._has_value |= self._is_inside and bool(text)

    def close_tag(self, tag: str) -> None:
        if tag in {"v", "t"}:
            self._is_inside = False
        elif tag == "c" and self._has_value:
            self.first_column = min(self.first_column, self._column)
        elif tag == "c" and self._has_formula:
            self.flaws.extend((self._row, self._column, NOT_CALCULATED))


def _column_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _write(sheet: pa.RecordBatch, metadata: dict[bytes, bytes]) -> None:
    import pyarrow as pa

    named = sheet.replace_schema_metadata(metadata)
    block_rows = max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(1, named.num_columns)))
    with pa.ipc.new_stream(sys.stdout.buffer, named.schema) as stream:
        for start in range(0, named.num_rows, block_rows):
            stream.write_batch(named.slice(start, block_rows))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Allowance(*map(int, sys.argv[1:])))
