"""What is read from a landed file, be it text, workbook or Parquet."""

from __future__ import annotations

import polars as pl
import pytest
from support.landed_files import A, B, C, numbers, read
from support.landed_lines import frame_of

from ekyc_tasks.intake import read_blocks, text

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
