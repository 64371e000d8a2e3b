"""Result files in every layout that has been documented or seen in the field."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import IO, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from ekyc_tasks.sandbox.answers import NumberAnswer, Oracle, Text, columns
from ekyc_tasks.sandbox.xlsx import write_xlsx

_BLOCK_ROWS = 5_000
_XLSX_ROWS = 100_000  # beyond, the folder comes without result.xlsx: it is built in memory
_PARTS = 3
_FOREIGN_FROM = 39_333_000_0000


class Result(NamedTuple):
    """What one result file is made of."""

    task_id: str
    task_type: str
    numbers: array[int]
    foreign_rows: int
    oracle: Oracle

    def rows(self) -> Iterator[NumberAnswer]:
        """In the order of the upload; repeats and foreign rows come last, far from their first."""
        repeated = []
        for digits in self.numbers:
            answer = self.oracle.answer(digits)
            if answer.is_missing:
                continue
            if answer.is_repeated:
                repeated.append(answer)
            yield answer
        yield from repeated
        yield from self._foreign()

    def _foreign(self) -> Iterator[NumberAnswer]:
        if self.foreign_rows:
            sent = set(self.numbers)
            strangers = (digits for digits in count(_FOREIGN_FROM) if digits not in sent)
            yield from map(self.oracle.answer, islice(strangers, self.foreign_rows))


def write_result(path: Path, result: Result, layout: str) -> None:
    """Write the result file of one task; the same task gives the same bytes."""
    if layout == "bare_csv":
        with path.open("wb") as file:
            _write_csv(file, result.rows(), columns(result.task_type))
    elif layout == "bare_xlsx":
        write_xlsx(path, result.rows(), columns(result.task_type, bare_numbers=True))
    else:
        with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            _MEMBERS[layout](archive, result)


def _single(archive: ZipFile, result: Result) -> None:
    with archive.open(f"{result.task_id}.csv", "w") as member:
        _write_csv(member, result.rows(), columns(result.task_type))


def _verbose(archive: ZipFile, result: Result) -> None:
    with archive.open(f"{result.task_id}.csv", "w") as member:
        member.write("\ufeff".encode())
        _write_csv(member, result.rows(), columns(result.task_type, verbose=True))


def _parts(archive: ZipFile, result: Result) -> None:
    rows, table = result.rows(), columns(result.task_type)
    size = -(-len(result.numbers) // _PARTS)
    for part in range(1, _PARTS + 1):
        # The last part takes all that is left: repeats and foreign rows.
        chunk = rows if part == _PARTS else islice(rows, size)
        with archive.open(f"{result.task_id}_part{part}.csv", "w") as member:
            _write_csv(member, chunk, table)


def _folder(archive: ZipFile, result: Result) -> None:
    """The same rows up to four times, as seen in the field; numbers have lost their +."""
    table, lists = columns(result.task_type, bare_numbers=True), _Lists()
    with archive.open(f"{result.task_id}/all.csv", "w") as member:
        _write_csv(member, map(lists.note, result.rows()), table)
    archive.writestr(f"{result.task_id}/activated.txt", lists.text(lists.activated))
    archive.writestr(f"{result.task_id}/unregistered.txt", lists.text(lists.unregistered))
    if len(result.numbers) <= _XLSX_ROWS:
        workbook = io.BytesIO()
        write_xlsx(workbook, result.rows(), table)
        archive.writestr(f"{result.task_id}/result.xlsx", workbook.getvalue())


def _junk(archive: ZipFile, result: Result) -> None:
    archive.writestr("README.txt", "Thank you for your order.\nResults are kept for seven days.\n")
    archive.writestr(".DS_Store", b"\0\0\0\1Bud1" + bytes(40))
    archive.writestr(f"__MACOSX/{result.task_id}/._all.csv", b"\0\5\x16\7" + bytes(40))
    _folder(archive, result)


_MEMBERS: dict[str, Callable[[ZipFile, Result], None]] = {
    "folder": _folder,
    "single": _single,
    "parts": _parts,
    "verbose": _verbose,
    "junk": _junk,
}


class _Lists:
    """The numbers of activated.txt and unregistered.txt, kept as integers while all.csv is written."""

    def __init__(self) -> None:
        self.activated = array("q")
        self.unregistered = array("q")

    def note(self, answer: NumberAnswer) -> NumberAnswer:
        if answer.has_account is not None:
            (self.activated if answer.has_account else self.unregistered).append(int(answer.number))
        return answer

    @staticmethod
    def text(numbers: array[int]) -> str:
        return "".join(f"{digits}\n" for digits in numbers)


def _write_csv(file: IO[bytes], rows: Iterable[NumberAnswer], table: dict[str, Text]) -> None:
    texts, rows = tuple(table.values()), iter(rows)
    file.write((",".join(table) + "\n").encode())
    while block := list(islice(rows, _BLOCK_ROWS)):
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([text(answer) for text in texts] for answer in block)
        file.write(buffer.getvalue().encode())
