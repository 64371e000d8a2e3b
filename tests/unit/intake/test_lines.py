"""What is read from a landed file, be it text, workbook or Parquet."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest
from support.landed_files import A, B, C, D, blocks_of, numbers, read, workbook
from support.landed_lines import frame_of

from ekyc_tasks.intake import read_blocks, text
from ekyc_tasks.intake.file_layout import Why
from ekyc_tasks.intake.rules import ReadingRules

# --- lines ----------------------------------------------------------------------------------------------


def kinds(frame):
    """One letter a line: header, blank or number."""
    return "".join("h" if header else "b" if blank else "n" for _, _, header, blank in frame.iter_rows())


@pytest.mark.parametrize(
    ("content", "expected", "kind"),
    [
        ("\n", [], "b"),
        ("\n \t\n\u00a0\n", [], "bbb"),
        (A, [A], "n"),
        (f"{A}\n{B}\n", [A, B], "nn"),
        (f"{A}\r\n\r\n{B}\r\n", [A, B], "nbn"),
        (f"{A}\r{B}\r", [A, B], "nn"),
        (f"\ufeff{A}\n", [A], "n"),
        (f"Phone numbers\n{A}\n", [A], "hn"),
        (f"NUMBER\n{A}\n", [A], "hn"),
        (f"anything else\n{A}\n", ["anything else", A], "nn"),
        ("foo\nbar\n", ["foo", "bar"], "nn"),
        (f"# a comment; with, signs\n{A}\n{B}\n", ["# a comment; with, signs", A, B], "nnn"),
        (f'"{A}"\n"{B}"\n', [f'"{A}"', f'"{B}"'], "nn"),
        (f'"{A}\n{B}\n{C}\n', [f'"{A}', B, C], "nnn"),
    ],
)
def test_lines_of_a_text(tmp_path, content, expected, kind):
    frame = read(tmp_path, "a.txt", content)
    assert (numbers(frame), kinds(frame)) == (expected, kind)
    assert frame["line"].to_list() == list(range(1, len(kind) + 1))


def test_rows_without_a_number(tmp_path):
    frame = read(tmp_path, "a.csv", f"id;phone;x\n1;{A};x\n2;;x\n3\n\n;;\n4;{B};x\n5;{C};x\n")
    assert kinds(frame) == "hnbbbbnn"


def write_parquet(table):
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def write_workbook(table):
    rows = [table.columns, *table.rows()]
    return workbook({f"{'ABC'[x]}{y}": cell for y, row in enumerate(rows, 1) for x, cell in enumerate(row)})


FORMATS = {
    "a.csv": lambda table: table.write_csv().encode(),
    "a.jsonl": lambda table: table.write_ndjson().encode(),
    "a.parquet": write_parquet,
    "a.xlsx": write_workbook,
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("columns", "titles", "why"),
    [
        ((), ["Phone 1", "Phone 2"], Why.PHONES),
        (("Phone 2", "Name"), ["Name", "Phone 2"], Why.NAMED),
        (("*",), ["Phone 1", "Phone 2"], Why.EVERY),
    ],
)
def test_readers_of_all_formats_say_which_columns_they_read_and_why(tmp_path, name, columns, titles, why):
    table = pl.DataFrame({"Phone 1": [A, B, ""], "Name": ["Ann", "Ben", "Cy"], "Phone 2": ["", C, D]})
    blocks = blocks_of(tmp_path, name, FORMATS[name](table), ReadingRules(columns=columns))
    assert [sorted(each.title for each in block.layout.columns) for block in blocks] == [titles]
    [block] = blocks
    assert block.layout.why is why
    cells = pl.DataFrame({"text": block.texts.gather(np.arange(len(block.texts))), "at": block.columns})
    for at, column in enumerate(block.layout.columns):
        found = cells.filter(pl.col("at") == at)["text"].to_list()
        assert [cell for cell in found if cell != column.title] == [c for c in table[column.title] if c]


def test_a_layout_says_where_the_header_is(tmp_path):
    [block] = blocks_of(tmp_path, "a.csv", f"My customers\n\nid;phone\n1;{A}\n2;{B}\n")
    shown = block.layout
    assert (shown.header, shown.titles, shown.delimiter, shown.why) == (3, 1, ";", Why.PHONES)
    [block] = blocks_of(tmp_path, "a.txt", f"{A}\n{B}\n")
    shown = block.layout
    assert (shown.header, shown.titles, shown.delimiter, shown.why) == (
        None,
        0,
        text.NO_DELIMITER,
        Why.SINGLE,
    )


def test_a_cell_of_several_lines_is_one_row(tmp_path):
    frame = read(tmp_path, "a.csv", f'id,note,phone\n1,"two\nlines",{A}\n2,x,{B}\n')
    assert numbers(frame) == [A, B]
    assert frame["line"].to_list() == [1, 2, 4]


def test_blocks_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 1_000)
    (tmp_path / "copy").write_text(f"{A}\n" * 1_000)
    blocks = list(read_blocks(tmp_path / "copy", name="a.txt"))
    assert len(blocks) > 5
    assert max(len(block.lines) for block in blocks) < 200
    assert pl.concat([frame_of(block) for block in blocks])["line"].to_list() == list(range(1, 1_001))


def test_blank_lines_before_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PIECE_BYTES", 10)
    frame = read(tmp_path, "a.csv", "\n" * 50 + f"id;phone\n1;{A}\n")
    assert (kinds(frame), numbers(frame)) == ("b" * 50 + "hn", [A])
