"""Real archives for tests: ZIPs, workbooks, tables; built from bytes, without the code under test."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

HEADER = "Number,telegram,avatar,age,gender,category,hair_color,skin_color"
DOCUMENTED = (
    f"{HEADER}\n"
    "+41798284651,yes,https://example.com/a.jpg,25,male,individual portrait,black,white\n"
    "+41798284652,no,,,,,,\n"
    "+41798284653,yes,https://example.com/c.jpg,30-35,female,pet avatar,brown,black\n"
)
NUMBERS = ("+41798284651", "+41798284652", "+41798284653")

Members = dict[str, bytes | str]
DEFLATED = zipfile.ZIP_DEFLATED

_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def zip_bytes(members: Members, method: int = DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)  # without the time of now: the same members are the same bytes
            entry.compress_type = method
            archive.writestr(entry, data)
    return buffer.getvalue()


def write_zip(path: Path, members: Members, method: int = DEFLATED) -> Path:
    path.write_bytes(zip_bytes(members, method))
    return path


def workbook_bytes(*sheets: list[list[object]], names: Sequence[str] = ()) -> bytes:
    """An XLSX with these sheets, as small as the format allows."""
    names = names or [f"sheet{number}" for number in range(1, len(sheets) + 1)]
    parts: Members = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}">'
        f'<Relationship Id="r" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
        + "".join(
            f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/{n}.xml"/>'
            for i, n in enumerate(names, 1)
        )
        + "</Relationships>",
    }
    for name, rows in zip(names, sheets, strict=True):
        parts[f"xl/worksheets/{name}.xml"] = sheet_xml(rows)
    return zip_bytes(parts)


def sheet_xml(rows: list[list[object]]) -> str:
    body = "".join(f'<row r="{line}">{_cells(line, row)}</row>' for line, row in enumerate(rows, 1))
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'


def _cells(line: int, row: list[object]) -> str:
    return "".join(_cell(f"{chr(65 + at)}{line}", value) for at, value in enumerate(row))


def _cell(ref: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{ref}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{ref}"><v>{value!r}</v></c>'
    return f'<c r="{ref}" t="inlineStr"><is><t>{value}</t></is></c>'


class Nameless(zipfile.ZipInfo):
    """A member without a name, which `zipfile` writes only if it need not look at the last character."""

    def __init__(self) -> None:
        super().__init__("")

    def is_dir(self) -> bool:
        return False
