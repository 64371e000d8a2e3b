"""Each key of `landing.toml` decides what is sent, from the file of rules to the batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import xlsxwriter
from support.planning_office import POLICY, A, B, C, D

from ekyc_tasks.intake.rules import ReadingPolicy, read_landing_rules

pytestmark = pytest.mark.integration


def plan_by(office, *keys, name="*"):
    """What a plan does with these lines of one rule."""
    path = office.folder.landing_rules
    path.write_text("\n".join(["[[files]]", f'match = "{name}"', *keys]), encoding="utf-8")
    return office.plan(replace(POLICY, reading=ReadingPolicy(landing=read_landing_rules(path))))


def sent(office, plan):
    return sorted(number for batch_id in plan.new_batches for number in office.sent(batch_id))


@pytest.fixture
def workbook(office):
    """Numbers on two sheets: without a rule it is a question which of them is meant."""
    path = office.folder.landing / "two.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for title, numbers in (("Customers", [A, B]), ("Old", [C, D])):
            sheet = book.add_worksheet(title)
            sheet.write_column(0, 0, ["phone", *numbers])
    return path


@pytest.mark.parametrize(("title", "expected"), [("Customers", [A, B]), ("Old", [C, D])])
def test_sheet_says_which_sheet_of_a_workbook_is_read(office, workbook, title, expected):
    assert sent(office, plan_by(office, f'sheet = "{title}"')) == expected


def test_a_sheet_that_the_workbook_does_not_have_is_told_and_nothing_is_sent(office, workbook):
    done = plan_by(office, 'sheet = "Kunden"')
    [sentence] = done.unreadable
    assert (done.new_batches, workbook.exists(), "two.xlsx" in sentence) == ((), True, True)


def test_without_a_sheet_two_sheets_are_a_question(office, workbook):
    done = plan_by(office)
    assert (done.new_batches, len(done.unreadable), workbook.exists()) == ((), 1, True)


@pytest.mark.parametrize("delimiter", ["^", "~", "|", ";", "\\t"])
def test_delimiter_says_where_a_cell_ends(office, delimiter):
    mark = delimiter.replace("\\t", "\t")
    office.drop("a.csv", mark.join(["id", "phone"]), mark.join(["1001", A]), mark.join(["1002", B]))
    assert sent(office, plan_by(office, f'delimiter = "{delimiter}"', 'columns = ["phone"]')) == [A, B]


def test_a_delimiter_that_the_file_does_not_have_makes_one_cell_of_a_line(office):
    office.drop("a.csv", "id;phone", f"1001;{A}", f"1002;{B}")
    done = plan_by(office, 'delimiter = "|"', 'columns = ["phone"]')
    assert sent(office, done) == []


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("gbk", "手机号"),
        ("big5", "手機號碼"),
        ("shift_jis", "電話番号"),
        ("cp1251", "Телефон"),
        ("koi8-r", "Телефон"),
        ("cp1252", "Téléphone"),
        ("utf-16-le", "Telefonnummer für Rückfragen"),
        ("utf-8", "手机号"),
    ],
)
def test_encoding_says_how_a_text_is_written(office, encoding, header):
    lines = f"id,{header}\n1001,{A}\n1002,{B}\n"
    (office.folder.landing / "a.csv").write_bytes(lines.encode(encoding))
    assert sent(office, plan_by(office, f'encoding = "{encoding}"', f'columns = ["{header}"]')) == [A, B]


def test_a_wrong_encoding_never_makes_another_number(office):
    (office.folder.landing / "a.csv").write_bytes(f"id,Téléphone\n1001,{A}\n".encode("latin-1"))
    assert sent(office, plan_by(office, 'encoding = "gbk"')) in ([], [A])
    office.drop("b.csv", "id,phone", f"1001,{B}", f"1002,{C}")
    assert sent(office, plan_by(office, 'encoding = "utf-16-le"')) == []


def test_columns_are_read_together_and_a_star_reads_all_of_them(office):
    office.drop("a.csv", "Home,Mobile,Fax", f"{A},{B},{C}", f"{A},,")
    assert sent(office, plan_by(office, 'columns = ["Mobile", "Fax"]')) == [B, C]
    office.drop("b.csv", "Mobile phone,Office phone", f"{B},{D}")
    assert sent(office, plan_by(office, 'columns = ["*"]')) == [D]
