"""The smallest workbook that spreadsheet readers accept, written by hand: one sheet, inline strings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from ekyc_tasks.sandbox.answers import NumberAnswer, Text

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_FORMATS = "http://schemas.openxmlformats.org"
_MAIN = f"{_FORMATS}/spreadsheetml/2006/main"
_RELATIONS = f"{_FORMATS}/officeDocument/2006/relationships"
_PACKAGE = f"{_FORMATS}/package/2006"
_MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml"

_FRAME = {
    "[Content_Types].xml": (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_MIME}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_MIME}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def write_xlsx(file: Path | IO[bytes], rows: Iterable[NumberAnswer], table: dict[str, Text]) -> None:
    """One sheet; numbers are numeric cells, as seen in the field, so they have no +."""
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as workbook:
        for name, text in _FRAME.items():
            workbook.writestr(name, text)
        with workbook.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            sheet.write(_row(map(_string, table)))
            first, *others = table.values()
            for answer in rows:
                sheet.write(
                    _row([f"<c><v>{first(answer)}</v></c>", *(_string(text(answer)) for text in others)])
                )
            sheet.write(b"</sheetData></worksheet>")


def _row(cells: Iterable[str]) -> bytes:
    return f"<row>{''.join(cells)}</row>\n".encode()


def _string(text: str) -> str:
    # An empty cell keeps its place: cells carry no reference of their own here.
    return f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>' if text else "<c/>"
