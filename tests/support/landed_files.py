"""Landed files of a test, and what is read from them."""

from __future__ import annotations

import io
import zipfile

import polars as pl
from support.landed_lines import SCHEMA, frame_of

from ekyc_tasks.intake import read_blocks
from ekyc_tasks.intake.rules import NO_RULES, ReadingRules

A, B, C, D = "+41798284651", "+41798284652", "+41798284653", "+41798284654"


def read(tmp_path, name, content, column=None, rules=None):
    rules = rules or ReadingRules(columns=() if column is None else (column,))
    blocks = blocks_of(tmp_path, name, content, rules)
    frame = pl.concat([pl.DataFrame(schema=SCHEMA), *map(frame_of, blocks)])
    assert frame.schema == {
        "line": pl.Int64,
        "text": pl.String,
        "is_header": pl.Boolean,
        "is_blank": pl.Boolean,
    }
    assert not (frame["is_header"] & frame["is_blank"]).any()
    return frame


def blocks_of(tmp_path, name, content, rules=NO_RULES):
    copy = tmp_path / "private copy"
    copy.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_blocks(copy, name=name, rules=rules))


def numbers(frame):
    return frame.filter(~pl.col("is_header") & ~pl.col("is_blank"))["text"].to_list()


_OFFICE = "http://schemas.openxmlformats.org"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(*sheets: dict[str, object], dimension: str = "A1") -> bytes:
    """The least that is a workbook: a sheet is its cells by their names."""
    file = io.BytesIO()
    indexes = range(1, len(sheets) + 1)
    related = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in indexes]
    with zipfile.ZipFile(file, "w") as parts:
        parts.writestr("[Content_Types].xml", _content_types(indexes))
        parts.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        parts.writestr("xl/_rels/workbook.xml.rels", _relations(related))
        listed = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"/>' for n in indexes)
        parts.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_OFFICE}/spreadsheetml/2006/main" '
            f'xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><sheets>{listed}</sheets></workbook>',
        )
        for n, cells in zip(indexes, sheets, strict=True):
            parts.writestr(f"xl/worksheets/sheet{n}.xml", _sheet(cells, dimension))
    return file.getvalue()


def _content_types(indexes) -> str:
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_SHEET}.worksheet+xml"/>'
        for n in indexes
    )
    return (
        f'<Types xmlns="{_OFFICE}/package/2006/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{_SHEET}.sheet.main+xml"/>{sheets}</Types>'
    )


def _relations(related) -> str:
    kind = f"{_OFFICE}/officeDocument/2006/relationships"
    listed = "".join(
        f'<Relationship Id="{id_}" Type="{kind}/{of}" Target="{to}"/>' for id_, of, to in related
    )
    return f'<Relationships xmlns="{_OFFICE}/package/2006/relationships">{listed}</Relationships>'


def _sheet(cells, dimension) -> str:
    rows: dict[str, str] = {}
    for place, value in cells.items():
        kind = ' t="inlineStr"' if isinstance(value, str) else ""
        content = f"<is><t>{value}</t></is>" if kind else f"<v>{value}</v>"
        rows[place[1:]] = rows.get(place[1:], "") + f'<c r="{place}"{kind}>{content}</c>'
    listed = "".join(f'<row r="{row}">{content}</row>' for row, content in rows.items())
    start = f'<worksheet xmlns="{_OFFICE}/spreadsheetml/2006/main"><dimension ref="{dimension}"/>'
    return f"{start}<sheetData>{listed}</sheetData></worksheet>"
