"""`ekyc plan --explain`: how a file is read and why, and no number or cell as it is."""

from __future__ import annotations

import json
import re

import pytest
from support.installed import made
from typer.testing import CliRunner

from ekyc_tasks.cli import app

pytestmark = pytest.mark.integration

CRM = """\
My customers of 2025

id;Name;Mobile
1;Ann;079 828 46 51
2;Ben;41798284652
3;Cy;+49 30 901820
4;Di;+41 79 828 46 53 / +41 79 828 46 54
5;Ed;call Ed at 1-800-FLOWERS
6;Flo;+41 79 82
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name, value in {"HOME": tmp_path, "SETTLE": "0", "PRICE_PER_10K": "4.50"}.items():
        monkeypatch.setenv(f"EKYC_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "80")
    made(tmp_path / "data", "https://api.ekycpro.com")
    return tmp_path


def plan(*arguments):
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def explain(*arguments):
    document = json.loads(plan("--explain", "--json", *arguments).stdout)
    return document["explanations"]


def drop(home, name, text):
    path = home / "data" / "landing" / name
    path.write_text(text)
    return path


def test_what_was_read_as_what_and_why(home):
    [explained] = explain("--region", "CH", "--accept-rejected", drop(home, "crm.csv", CRM))
    assert explained["layout"] == {
        "delimiter": ";",
        "sheet": None,
        "header": 3,
        "titles_skipped": 1,
        "columns": ["“Mobile”"],
        "why": "named for phones",
        "country_columns": [],
    }
    assert (explained["region"], explained["region_said"]) == ("CH", "on the command line")
    assert explained["bare_digits"] | {"both": 0} == {
        "read_as": "national", "national": 1, "international": 1, "both": 0, "neither": 0,
    }  # fmt: skip
    assert [(each["line"], each["number"]) for each in explained["first_numbers"]] == [
        (4, "+41 ••••••••• (11 digits)"),
        (5, "+41 ••••••••• (11 digits)"),
        (6, "+49 •••••••• (10 digits)"),
        (7, "+41 ••••••••• (11 digits)"),
        (7, "+41 ••••••••• (11 digits)"),
    ]
    assert explained["first_rejected"] == [
        {"line": 8, "reason": "letters in the number", "example": "aaaa Aa aa •-•••-AAAAAAA"},
        {"line": 9, "reason": "too short", "example": "+•• •• ••"},
    ]
    assert explained["question"] is None


@pytest.mark.parametrize("accepts", [[], ["--accept-rejected"]])
def test_no_number_and_no_cell_is_shown(home, accepts):
    drop(home, "crm.csv", CRM)
    for shown in ([], ["--json"]):
        said = plan("--explain", *shown, *accepts).stdout
        assert "crm.csv" in said
        assert not re.search(r"\d(?:[ -]?\d){5}", re.sub(r'"numbers": \d+', "", said))
        assert not any(word in said for word in ("FLOWERS", "Ann", "Flo", "79 82", "828"))


def test_named_columns_say_who_named_them(home):
    path = drop(home, "a.csv", "Office,Mobile\n+41798284651,+41798284652\n")
    [explained] = explain("--column", "Mobile", path)
    assert explained["layout"]["why"] == "named by you (on the command line)"
    (home / "data" / "landing.toml").write_text(
        '[[files]]\nmatch="b*"\n[[files]]\nmatch="*"\ncolumns=["Office"]\n'
    )
    [explained] = explain()
    assert explained["layout"]["why"] == "named by you (rule 2 in landing.toml)"
    assert explained["layout"]["columns"] == ["“Office”"]


def test_a_question_of_several_columns_tells_how_many_numbers_each_has(home):
    rows = "".join(f"+4179828{at:04},{'+4917212345' + str(10 + at % 10)}\n" for at in range(200))
    drop(home, "two.csv", f"Office phone,Mobile\n{rows}")
    done = plan("--json")
    assert done.exit_code == 5
    assert json.loads(done.stdout)["columns"] == [
        {"file": "two.csv", "column": "“Office phone”", "numbers": 200, "price": "0.09"},
        {"file": "two.csv", "column": "“Mobile”", "numbers": 10, "price": "0.04"},
    ]
    [explained] = explain()
    assert "several columns of phone numbers" in explained["question"]
    shown = plan("--explain").stdout
    assert re.search(r"two.csv +“Mobile” +10 ", shown)
    assert "question" in shown


def test_columns_without_names_that_are_in_question_are_all_told(home):
    drop(home, "two.csv", "".join(f"+4179828{at:04},x,00491721234{at:03}\n" for at in range(20)))
    columns = json.loads(plan("--json").stdout)["columns"]
    assert [(each["column"], each["numbers"]) for each in columns] == [("column 1", 20), ("column 3", 20)]


def test_a_second_column_far_down_is_counted_too(home):
    rows = "".join(f"+4179828{at:04},\n" for at in range(1000))
    drop(home, "a.csv", f"Mobile,Phone\n{rows},+4917212345678\n")
    document = json.loads(plan("--json").stdout)
    assert [(each["column"], each["numbers"]) for each in document["columns"]] == [
        ("“Mobile”", 1000),
        ("“Phone”", 1),
    ]


def test_columns_that_are_read_together_are_counted_apart(home):
    drop(
        home, "a.csv", "Phone 1,Phone 2\n+41798284651,+41798284652\n+41798284651,+41798284653;+41798284654\n"
    )
    document = json.loads(plan("--json").stdout)
    assert document["total"]["to_send"] == 4
    assert [(each["column"], each["numbers"]) for each in document["columns"]] == [
        ("“Phone 1”", 1),
        ("“Phone 2”", 3),
    ]


def test_a_file_that_cannot_be_read_says_so(home):
    drop(home, "a.xlsx", "no workbook")
    [explained] = explain()
    assert (explained["layout"], explained["numbers"], explained["first_numbers"]) == (None, 0, [])
    assert explained["question"].startswith("a.xlsx cannot be opened as a workbook")


def test_digits_of_no_region_are_a_question_that_shows_the_counts(home):
    drop(home, "a.txt", "".join(f"20255501{at:02}\n" for at in range(50)))
    [explained] = explain()
    assert "Set EKYC_DEFAULT_REGION" in explained["question"]
    bare = explained["bare_digits"]
    assert bare["international"] + bare["neither"] == 50
    assert explained["region"] is None


def test_each_reason_is_shown_with_an_example_and_its_place(home):
    drop(home, "a.txt", "+41798284651\n" * 20 + "junk\nAnn\n123\n")
    document = json.loads(plan("--json").stdout)
    assert document["rejected"] == [
        {"reason": "no digits", "lines": 2, "file": "a.txt", "line": 21, "example": "aaaa"},
        {"reason": "too short", "lines": 1, "file": "a.txt", "line": 23, "example": "•••"},
    ]
    assert document["total"]["rejected_by_reason"] == {"no digits": 2, "too short": 1}
    assert "explanations" not in document
    assert re.search(r"2 +no digits +aaaa +a.txt, line 21", plan().stdout)


def test_what_happened_to_no_number_has_no_column(home):
    drop(home, "a.txt", "+41798284651\n" * 20)
    [titles] = [line.split() for line in plan().stdout.splitlines() if line.startswith("file")]
    assert titles == ["file", "lines", "rejected", "duplicates", "to", "send", "price", "saved"]


def test_nothing_is_written(home):
    drop(home, "crm.csv", CRM)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    plan("--explain")
    after = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert {path for path in after if path.name not in {".ledger.db.lock", "ledger.db"}} <= set(before)
    assert (home / "data" / "landing" / "crm.csv").read_text() == CRM


def test_the_country_of_each_row_is_told(home):
    drop(home, "a.csv", "Land,Mobil\nSchweiz,079 828 46 51\nDE,1512 3456781\n")
    [explained] = explain()
    assert explained["layout"]["country_columns"] == ["Land"]
    assert explained["bare_digits"]["read_as"] == "national"
    assert [each["number"].split()[0] for each in explained["first_numbers"]] == ["+41", "+49"]
    assert re.search(r"country +“Land”: of each row", plan("--explain").stdout)
