"""An archive as received → dataset, quarantine and accounts."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from datetime import UTC, datetime

import polars as pl
import pytest
from support.archive_files import DOCUMENTED, HEADER, NUMBERS, workbook_bytes, zip_bytes

from ekyc_tasks.errors import ArchiveDamaged, ArchiveError, ConfigurationError, LoadFailed
from ekyc_tasks.models import ArchiveLimits, Reconciliation
from ekyc_tasks.normalize import Provenance, values
from ekyc_tasks.results import load_archive as loading
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.results.reconcile import Reconciler
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.tabular import delimited as text

pytestmark = pytest.mark.integration

CHECKED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LINES = DOCUMENTED.splitlines()
SHEET = [line.split(",") for line in LINES]
LIST = "".join(f"{number[1:]}\n" for number in NUMBERS[:2])


@pytest.fixture
def load(tmp_path):
    whole = DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse")

    def load(data, *, numbers=NUMBERS, task_type="tg_avatar", checked_at=CHECKED_AT, folder=whole, **more):
        archive = tmp_path / "d4g24nep2jvh04o9uoh0.zip"
        archive.write_bytes(zip_bytes(data) if isinstance(data, dict) else data)
        sent = None
        if numbers is not None:
            sent = tmp_path / "batch-1.txt"
            sent.write_text("".join(f"{number}\n" for number in numbers))
        return load_archive(
            archive,
            Provenance(checked_at, "batch-1", "d4g24nep2jvh04o9uoh0"),
            numbers=sent,
            task_type=task_type,
            folder=folder,
            **more,
        )

    return load


def rows_of(report):
    return pl.read_parquet(report.dataset_path, hive_partitioning=False)


def quarantine_of(report):
    return pl.read_parquet(report.quarantine_path).rows(named=True)


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def counts(submitted=3, returned=3, accepted=3, **more):
    zeros = dict.fromkeys(("unreadable", "unexpected", "duplicate", "missing"), 0)
    return Reconciliation(submitted=submitted, returned=returned, accepted=accepted, **(zeros | more))


# --- containers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"all.csv": DOCUMENTED},
        DOCUMENTED.encode(),
        DOCUMENTED.encode("utf-16"),
        gzip.compress(DOCUMENTED.encode()),
        workbook_bytes(SHEET),
        {"t/result.xlsx": workbook_bytes(SHEET)},
        {"t/all.csv": DOCUMENTED, "t/activated.txt": LIST, "t/result.xlsx": workbook_bytes(SHEET)},
        {"t/1.csv": "\n".join(LINES[:3]), "t/2.csv": f"{HEADER}\n{LINES[3]}"},
        {"all.csv": DOCUMENTED.replace("+", "")},
        {"all.csv": DOCUMENTED.replace("yes", "TRUE").replace("no,", "False,")},
        {"all.csv": DOCUMENTED.replace("Number,telegram", "Phone;Activated").replace(",", ";")},
    ],
    ids=[
        "zip", "csv", "utf-16", "gzip", "xlsx", "zipped-xlsx", "lists-beside", "parts", "no-plus", "true",
        "aliases",
    ],
)  # fmt: skip
def test_the_same_rows_come_of_every_container(load, data):
    report = load(data)
    assert report.counts == counts()
    assert report.quarantine_path is None
    found = rows_of(report)
    assert found["number"].to_list() == list(NUMBERS)
    assert found["telegram"].to_list() == [True, False, True]
    assert found["age_max"].to_list() == [25, None, 35]
    assert found["hair_color"].to_list() == ["black", None, "brown"]


IN_LANGUAGES = {
    "zh": ("手机号,是否注册,头像,年龄,性别,类别,发色,肤色", "是", "否", "男", ["utf-8-sig", "gbk", "utf-16"]),
    "zh short": ("号码,是否激活", "已注册", "未注册", None, ["utf-8", "gbk"]),
    "zh of Taiwan": ("電話號碼,是否註冊,頭像", "是", "否", None, ["utf-8", "big5"]),
    "ja": ("電話番号,登録状況", "はい", "いいえ", None, ["utf-8", "cp932"]),
    "ko": ("전화번호,가입 여부", "예", "아니오", None, ["utf-8", "cp949"]),
    "ru": ("номер телефона,зарегистрирован", "да", "нет", None, ["utf-8", "cp1251"]),
    "de": ("Telefonnummer,registriert,Geschlecht", "ja", "nicht registriert", None, ["utf-8", "cp1252"]),
    "fr": ("téléphone,enregistré", "oui", "non", None, ["utf-8", "cp1252"]),
    "es": ("teléfono,válido", "sí", "no", None, ["utf-8", "cp1252"]),
    "tr": ("telefon numarası,kayıtlı", "evet", "hayır", None, ["utf-8", "cp1254"]),
    "ar": ("رقم الهاتف,مسجل", "نعم", "لا", None, ["utf-8", "cp1256"]),
    "hi": ("फ़ोन नंबर,पंजीकृत", "हाँ", "नहीं", None, ["utf-8", "utf-16"]),
    "vi": ("số điện thoại,đã đăng ký", "có", "không", None, ["utf-8"]),
    "id": ("nomor telepon,terdaftar", "ya", "tidak", None, ["utf-8"]),
    "en": ("Mobile Number,Is Registered", "registered", "Not_Registered", None, ["utf-8"]),
    "English header": ("number,telegram", "是", "否", None, ["gbk"]),
    "English header, ru": ("number,telegram", "да", "нет", None, ["cp1251"]),
    "English header, ko": ("number,telegram", "예", "아니오", None, ["cp949"]),
    "English header, ar": ("number,telegram", "نعم", "لا", None, ["cp1256"]),
}


@pytest.mark.parametrize(
    ("words", "encoding"),
    [(words, encoding) for words in IN_LANGUAGES.values() for encoding in words[-1]],
    ids=[f"{name}, {encoding}" for name, words in IN_LANGUAGES.items() for encoding in words[-1]],
)
def test_headers_and_verdicts_of_other_languages_are_read_in_any_encoding(load, words, encoding):
    head, yes, no, male, _ = words
    rest = head.split(",")[2:]
    rows = [[number, said, *("" for _ in rest)] for number, said in zip(NUMBERS, (yes, no, "?"), strict=True)]
    if male:
        rows[0][2 + rest.index("性别")] = male
    text = "".join(f"{line}\n" for line in (head, *map(",".join, rows)))
    report = load(text.encode(encoding), task_type="tg_avatar")
    assert report.counts == counts(cell_issues=1)
    found = rows_of(report)
    assert found["telegram"].to_list() == [True, False, None]
    assert found["gender"].to_list()[0] == (male and "male")
    assert [cell["reason"] for cell in quarantine_of(report)] == ["not yes or no"]
    assert "Column telegram has 1 cell that is not yes or no." in report.drift


@pytest.mark.parametrize("names", [("伟", "娜", "敏"), ("王伟", "李娜", "张敏")])
def test_the_encoding_of_the_header_is_that_of_all_lines(load, names):
    rows = [f"{number},yes,{name}" for number, name in zip(NUMBERS, names, strict=True)]
    report = load("\n".join(["手机号,是否注册,昵称", *rows]).encode("gbk"))
    assert [json.loads(extra)["昵称"] for extra in rows_of(report)["extra"]] == list(names)


A, B, C = NUMBERS
ONE = f"{HEADER}\n{A},yes,,25,,,,\n"
TWO = f"Number,telegram\n{B},no\n{A},no\n"
NOTHING = f"{HEADER}\n"


def sheet(text):
    return workbook_bytes([line.split(",") for line in text.splitlines()])


@pytest.mark.parametrize("numbers", [NUMBERS, None], ids=["of a list", "of itself"])
@pytest.mark.parametrize(
    ("members", "first", "others"),
    [
        ({"part1.csv": ONE, "part2.csv": TWO}, ["part1.csv"], ["part2.csv"]),
        ({"registered.csv": ONE, "unregistered.txt": B}, ["registered.csv"], ["unregistered.txt"]),
        ({"all.csv": ONE, "unregistered.txt": f"{B}\nlost\n", "activated.txt": A}, ["all.csv"], None),
        ({"all.csv": NOTHING, "activated.txt": A, "unregistered.txt": B}, ["all.csv"], None),
        (
            {"result.xlsx": sheet(NOTHING), "activated.txt": A, "unregistered.txt": B},
            ["result.xlsx"],
            None,
        ),
    ],
    ids=["other columns", "a list", "more in the lists", "a header only", "a workbook with a header only"],
)
def test_what_the_best_table_lacks_comes_from_the_others(load, members, first, others, numbers):
    report = load(members, numbers=numbers)
    lists = ["activated.txt", "unregistered.txt"]
    assert list(report.members_read) == first + (others or lists)
    assert dict(rows_of(report).select("number", "telegram").iter_rows()) == {A: True, B: False}
    assert report.counts.accepted == 2
    assert report.counts.missing == (1 if numbers else 0)
    assert any(" came only in " in sentence for sentence in report.drift)


def test_a_workbook_is_opened_where_much_is_missing(load):
    report = load({"all.csv": ONE, "result.xlsx": sheet(TWO)})
    assert report.members_read == ("all.csv", "result.xlsx")
    assert dict(rows_of(report).select("number", "telegram").iter_rows()) == {A: True, B: False}
    assert report.drift[-1] == "1 number came only in result.xlsx."


@pytest.mark.parametrize("table", [NOTHING, ONE], ids=["a header only", "a part"])
def test_without_a_list_a_workbook_is_opened(load, table):
    report = load({"all.csv": table, "result.xlsx": sheet(TWO)}, numbers=None)
    assert set(rows_of(report)["number"]) == {A, B}
    assert report.counts.missing == 0


def test_other_tables_are_not_read_for_what_they_do_not_have(load):
    lists = {"activated.txt": f"{A}\nlost\n", "unregistered.txt": "+41798284659"}
    report = load({"all.csv": ONE + f"{B},no,,,,,,\n", "result.xlsx": "PK\3\4 torn", **lists})
    assert report.members_read == ("all.csv",)
    assert report.counts == counts(returned=2, accepted=2, missing=1)
    assert dict(report.members_left_aside)["activated.txt"] == "adds no new answers"


def test_further_tables_give_missing_numbers_and_nothing_else(load):
    strange = "+41790000000"
    all_of_it = f"{HEADER}\n{A},yes,,,,,,\n{strange},no,,,,,,\n,no,,,,,,\n"
    lists = {"activated.txt": f"{A}\n", "unregistered.txt": f"{strange}\nlost\n{B}\n{B}\n"}
    report = load({"all.csv": all_of_it, **lists})
    assert report.counts == counts(returned=6, accepted=2, unreadable=2, unexpected=1, duplicate=1, missing=1)
    assert [row["line"] for row in quarantine_of(report)] == [3, 4, 2, 4]
    assert report.drift == (
        "1 number came only in activated.txt and unregistered.txt.",
        "Skipped: 1 row of activated.txt and unregistered.txt with numbers that were not sent.",
    )


def test_rows_of_further_tables_that_cannot_be_read_leave_a_trace(load):
    report = load({"all.csv": ONE, "part2.csv": f"Number,telegram\n{B},no\n{C},yes,x\nlost,yes\n"})
    assert report.counts == counts(returned=4, accepted=2, unreadable=2, missing=1)
    assert {row["raw"] for row in quarantine_of(report)} >= {f"{C},yes,x"}


@pytest.mark.parametrize(
    "data",
    [
        f"Number,telegram\r{A},yes\r{B},no\r{C},yes\n",
        f"Number,telegram\r{A},yes\r{B},no\r{C},yes\r\n",
        f"\rNumber,telegram\n{A},yes\n{B},no\n{C},yes\n",
        f'Number,telegram,"user\rname"\n{A},yes,x\n{B},no,y\n{C},yes,z\n',
        f'Number,telegram,"user\n{A},yes,x\n{B},no,y\n{C},yes,z\n',
        f'Number,telegram,"user\n{A},yes,x\n"\n{B},no,y\n{C},yes,z\n',
        "\n" * 50_000 + f"Number,telegram\n{A},yes\n{B},no\n{C},yes\n",
        f"Results, of the task\nNumber,telegram\n{A},yes\n{B},no\n{C},yes\n",
        f"Results; exported 2026\nNumber,telegram\n{A},yes\n{B},no\n{C},yes\n",
        f"Results,\nNumber,telegram\n{A},yes\n{B},no\n{C},yes\n",
        f"sep=;\ntelegram;Number\nyes;{A}\nno;{B}\nyes;{C}\n",
        f"One\nTwo\ntelegram\tNumber\nyes\t{A}\nno\t{B}\nyes\t{C}\n",
        f"One\nTwo, three, four\n\ntelegram,Number\nyes,{A}\nno,{B}\nyes,{C}\n",
        workbook_bytes([["Report", "2026"], ["telegram", "Number"], ["yes", A], ["no", B], ["yes", C]]),
    ],
)
def test_whatever_stands_before_the_rows_costs_none_of_them(load, data):
    report = load(data if isinstance(data, bytes) else data.encode())
    assert dict(rows_of(report).select("number", "telegram").iter_rows()) == {A: True, B: False, C: True}
    assert not any(number[1:] in sentence for sentence in report.drift for number in NUMBERS)


@pytest.mark.parametrize(
    ("members", "task_type", "found"),
    [
        (
            {"1.csv": f"Number,ActiveStatus\n{A},active\n", "2.csv": f"lost,inactive\n{B},active\n"},
            "active_check",
            {A, B},
        ),
        ({"1.csv": f",30\n{A},7\n{B},1\n"}, "tg_active", {A, B}),
        ({"1.csv": f"lost,ban\n{A},yes\n{B},no\n"}, "tg", {A, B}),
        ({"1.csv": f"telegram,Number\nyes,{A}\n", "2.csv": f"no,{B},x\nno,{B}\nyes,{C}\n"}, "tg", {A, B, C}),
    ],
)
def test_parts_without_a_header_are_read_whole(load, members, task_type, found):
    report = load(members, task_type=task_type)
    assert set(rows_of(report)["number"]) == found


@pytest.mark.parametrize("member", [f"{A},\n{B},\n", f"{A},bob\n{B},yes man\n"], ids=["nothing", "names"])
def test_what_stands_beside_the_numbers_of_a_list_is_no_verdict(load, member):
    report = load({"registered.csv": member}, task_type="tg")
    assert rows_of(report).select("number", "telegram").rows() == [(A, True), (B, True)]


def test_equal_lists_under_two_names_say_two_things(load):
    report = load({"input.txt": f"{A}\n{B}", "registered.txt": f"{A}\n{B}", "unregistered.txt": C})
    assert dict(rows_of(report).select("number", "telegram").iter_rows()) == {A: True, B: True, C: False}


def test_the_name_that_was_seen_more_is_believed(load):
    for head in ("Number,registered,activated", "Number,telegram,activated"):
        first, second = head.split(",")[1:]
        report = load({"all.csv": f"{head}\n{A},no,yes\n"}, task_type="tg")
        reverse = load({"all.csv": f"Number,{second},{first}\n{A},yes,no\n"}, task_type="tg")
        assert rows_of(report)["telegram"].to_list() == rows_of(reverse)["telegram"].to_list()


def test_lists_beside_a_table_are_not_all_that_the_archive_holds(load):
    report = load({"all.csv": f"Number,telegram\n{A},yes\n", "unregistered.txt": B})
    assert "Column skin_color is missing." in report.drift
    assert not any("bare numbers" in sentence for sentence in report.drift)


@pytest.mark.parametrize(
    ("data", "unreadable"),
    [
        ({"1.csv": f",no\n{A},yes\n{B},no\n"}, 1),
        ({"1.csv": f"N/A,banned\n{A},banned\n{B},no\n"}, 1),
        ({"1.csv": f"{A}\n{B},no\n{C},yes\n"}, 1),
        ({"1.csv": f"Results\n{HEADER}\n{A},yes{',' * 6}\n{B},no{',' * 6}\n"}, 2),
        ({"activated.txt": f"N/A\n{A}\n{B}\n"}, 1),
        ({"1.csv": f"telegram;phone\nyes;{A}\n", "2.csv": f"no;\nno;{B}\n"}, 1),
        (workbook_bytes([["Results", ""], ["Number", "telegram"], [A, "yes"], [B, "no"]]), 2),
        (workbook_bytes([["", "yes"], [A, "yes"], [B, "no"]]), 1),
    ],
    ids=[
        "no number", "no yes or no", "too narrow", "a title", "a list", "a part", "a workbook's title",
        "a workbook's first row",
    ],
)  # fmt: skip
def test_a_first_row_without_a_number_costs_no_other(load, data, unreadable):
    report = load(data)
    assert (report.counts.accepted, report.counts.unreadable) == (2, unreadable)
    assert len(quarantine_of(report)) == unreadable


@pytest.mark.parametrize("head", ["Telefoon,Status", "Telefoon,", ",", "Telefoon,uitslag,yes"])
def test_a_header_that_nobody_knows_is_not_taken_for_a_row(load, head):
    with pytest.raises(LoadFailed, match="no known column of numbers"):
        load({"1.csv": f"{head}\n{A},yes,,\n{B},no,,\n".replace(",,", "," * (head.count(",") - 1))})


def test_a_damaged_list_beside_a_table_costs_nothing(load):
    many = "".join(f"+4178{at:07}\n" for at in range(100_000))
    damaged = zip_bytes({"all.csv": ONE, "unregistered.txt": many}, zipfile.ZIP_STORED)
    at = damaged.index(b"+41780099999")
    report = load(damaged[:at] + B.encode() + damaged[at + len(B) :])
    assert report.counts == counts(returned=1, accepted=1, missing=2)
    assert report.members_left_aside == (("unregistered.txt", "cannot be read"),)


def test_a_list_that_breaks_off_behind_a_number_that_was_missing_costs_nothing(load):
    lost = "".join(f"{at},y\n" for at in range(text.MANY_RAGGED + 1_000))
    report = load({"all.csv": ONE, "unregistered.txt": f"{B}\n" * 20 + lost})
    assert report.counts == counts(returned=1, accepted=1, missing=2)
    assert report.members_left_aside == (("unregistered.txt", "cannot be read"),)


def test_only_so_many_workbooks_are_opened(load):
    books = {f"{at:02}.xlsx": sheet(f"Number,telegram\n+417982847{at:02},no\n") for at in range(18)}
    report = load({"all.csv": ONE, **books}, numbers=None)
    assert report.counts.accepted == 17
    assert report.members_left_aside == tuple((f"{at}.xlsx", "more than 16 workbooks") for at in (16, 17))


def test_reports_what_was_read_and_what_not(load):
    report = load(
        {"t/all.csv": DOCUMENTED.replace("skin_color", "mood"), "__MACOSX/x": "x", "t/activated.txt": LIST}
    )
    assert report.members_read == ("t/all.csv",)
    assert report.members_left_aside == (
        ("__MACOSX/x", "a file of an operating system"),
        ("t/activated.txt", "adds no new answers"),
    )
    assert report.dialect == "documented"
    assert report.drift == (
        "Column skin_color is missing.",
        "Column mood is unknown. It is kept in extra.",
    )
    assert [json.loads(text) for text in rows_of(report)["extra"].drop_nulls()] == [
        {"mood": "white"},
        {"mood": "black"},
    ]


def test_legacy_text_is_reported(load):
    report = load({"all.csv": DOCUMENTED.replace("pet avatar", "café").encode("cp1252")})
    assert report.drift == (
        "Column category has new values: café.",
        "1 line read as cp1252, because the text is not all UTF-8.",
    )


def test_a_nul_spoils_its_own_row_only(load):
    report = load({"all.csv": DOCUMENTED.replace("41798284652", "4179828\x004652")})
    assert report.counts == counts(accepted=2, unreadable=1, missing=1)


def test_lists_alone_give_verdicts_and_say_so(load):
    report = load(
        {"activated.txt": LIST, "unregistered.txt": "41798284654\n"}, numbers=[*NUMBERS, "+41798284654"]
    )
    assert report.counts == counts(submitted=4, missing=1)
    assert rows_of(report).select("number", "telegram").rows() == [
        ("+41798284651", True),
        ("+41798284652", True),
        ("+41798284654", False),
    ]
    assert report.dialect == "number list"
    assert report.drift == ("Only lists of numbers were read, so only the verdict is known.",)


@pytest.mark.parametrize(
    ("head", "task_type"),
    [
        ("Number,whatsapp", "tg_avatar"),
        ("Number,telegram", "ws"),
        ("Number,telegram", "ws_avatar"),
        ("Number,telegram_days", "tg"),
    ],
)
def test_lists_beside_the_table_of_another_check_answer_that_check(load, head, task_type):
    members = {"all.csv": f"{head}\n{A},yes\n", "activated.txt": A}
    with pytest.raises(LoadFailed, match=f"which {task_type} needs. If it is the result of another check"):
        load(members, task_type=task_type)
    with pytest.raises(LoadFailed, match="another check"):
        load({**members, "all.csv": sheet(members["all.csv"])}, task_type=task_type)


def test_sheets_of_bare_numbers_say_their_verdict_by_their_names(load):
    names = ("activated", "not activated")
    report = load({"result.xlsx": workbook_bytes([["Number"], [A]], [["Number"], [B], [C]], names=names)})
    assert report.counts == counts()
    assert rows_of(report)["telegram"].to_list() == [True, False, False]


def test_the_sheet_of_all_numbers_is_the_best(load):
    sheets = [["Number", "telegram"], [A, "no"]], [["Number", "telegram"], [A, "yes"], [B, "no"]]
    report = load({"result.xlsx": workbook_bytes(*sheets, names=("Some", "All"))})
    assert dict(rows_of(report).select("number", "telegram").iter_rows()) == {A: True, B: False}


def test_lists_alone_are_no_answer_where_the_verdict_is_not_yes_or_no(load):
    with pytest.raises(LoadFailed, match="cannot answer tg_active"):
        load({"activated.txt": LIST}, task_type="tg_active")
    with pytest.raises(LoadFailed, match="cannot answer active_check"):
        load({"inactive.txt": LIST}, task_type="active_check")


@pytest.mark.parametrize(
    ("task_type", "texts", "column", "values"),
    [
        ("tg", ("yes", "no", ""), "telegram", [True, False, None]),
        ("tg_active", ("7", "N/A", "30"), "telegram_days", [7, None, 30]),
        ("ws", ("yes", "no", ""), "whatsapp", [True, False, None]),
        ("ws_avatar", ("yes", "no", ""), "whatsapp", [True, False, None]),
        ("active_check", ("active", "inactive", "unknown"), "active_status", ["active", "inactive", None]),
    ],
)
def test_other_task_types(load, task_type, texts, column, values):
    rows = [f"{number[1:]},{text}" for number, text in zip(NUMBERS, texts, strict=True)]
    table = "\n".join([f"Number,{column}", *rows])
    report = load({"all.csv": table}, task_type=task_type)
    assert rows_of(report)[column].to_list() == values
    assert report.dataset_path.parts[-3:] == (task_type, "checked_date=2026-01-02", "batch-1.parquet")


# --- accounts -------------------------------------------------------------------------------------------

DIRTY = f"""{HEADER}
+41798284651,yes,https://example.com/a.jpg,old,male,object,black,white
+41798284651,no,,,,,,
hello,yes,,,,,,

+41798284659,yes,,,,,,
41798284652,yes,too,few
+41798284653,maybe,javascript:x,25,male,"a, ""b""
c",black,white
"""


def test_every_returned_row_is_accounted_for(load):
    report = load({"all.csv": DIRTY})
    assert report.counts == Reconciliation(
        submitted=3, returned=6, accepted=2, unreadable=2, unexpected=1, duplicate=1, missing=1, cell_issues=3
    )
    assert rows_of(report).select("number", "telegram", "avatar", "age_min", "category").rows() == [
        ("+41798284651", True, "https://example.com/a.jpg", None, "object"),
        ("+41798284653", None, None, 25, 'a, "b" c'),
    ]
    found = quarantine_of(report)
    assert [(row["line"], row["kind"], row["column"], row["reason"]) for row in found] == [
        (2, "cell", "age", "not an age"),
        (3, "row", None, "number was answered before"),
        (4, "row", None, "number cannot be read"),
        (6, "row", None, "number was not sent"),
        (7, "row", None, "more or fewer cells than the header, or quotes astray"),
        (8, "cell", "telegram", "not yes or no"),
        (8, "cell", "avatar", "not an http or https URL"),
    ]
    assert {row["batch_id"] for row in found} == {"batch-1"}
    assert found[4]["raw"] == "41798284652,yes,too,few"
    assert json.loads(found[2]["raw"]) == {
        "number": "hello", "telegram": "yes", **dict.fromkeys(HEADER.split(",")[2:], ""),
    }  # fmt: skip


def test_a_repeat_in_another_part_is_a_duplicate(load):
    report = load({"part1.csv": DOCUMENTED, "part2.csv": DOCUMENTED + "\n"})
    assert report.counts == counts(returned=6, duplicate=3)


def test_rows_none_of_which_was_asked_for_are_another_tasks(load, tmp_path):
    with pytest.raises(LoadFailed, match=r"none of its 3 rows is about a number that was sent"):
        load({"all.csv": DOCUMENTED}, numbers=["+41790000000"])
    assert files_in(tmp_path / "warehouse") == {}


def test_a_header_alone_leaves_every_number_missing(load):
    report = load({"all.csv": HEADER + "\n"})
    assert report.counts == counts(returned=0, accepted=0, missing=3)
    assert rows_of(report).height == 0


def test_without_a_list_every_readable_number_counts_as_sent(load):
    report = load({"all.csv": DIRTY}, numbers=None)
    assert report.counts == Reconciliation(
        submitted=3, returned=6, accepted=3, unreadable=2, unexpected=0, duplicate=1, missing=0, cell_issues=3
    )


@pytest.mark.parametrize("many_rows", [0, 28, 2_000], ids=["coded", "mixed", "plain"])
def test_many_blocks_give_the_same_as_one(load, tmp_path, monkeypatch, many_rows):
    numbers = [f"+4179{n:07}" for n in range(5_000)]
    lines = [
        f'{number},{"yes" if at % 3 else "no"},,{at % 200},,"a, {at % 7}",,'
        for at, number in enumerate(numbers)
    ]
    data = {"all.csv": "\n".join([HEADER, *lines, *lines[:100]])}
    once = load(data, numbers=numbers), files_in(tmp_path)
    monkeypatch.setattr(text, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(values, "MANY_ROWS", many_rows)
    again = load(data, numbers=numbers), files_in(tmp_path)
    assert once == again
    assert once[0].counts == counts(
        submitted=5_000, returned=5_100, accepted=5_000, duplicate=100, cell_issues=1_975
    )


# --- again, and not at all ------------------------------------------------------------------------------


def test_loading_again_gives_the_same_bytes_at_the_same_paths(load, tmp_path):
    before = load({"all.csv": DIRTY}), files_in(tmp_path)
    assert (load({"all.csv": DIRTY}), files_in(tmp_path)) == before
    assert not list((tmp_path / ".staging").iterdir())


def test_each_file_is_staged_on_the_file_system_of_its_own_place(load, tmp_path, monkeypatch):
    replaced = {}
    publish = loading.dataset.publish

    def notes(staged, final):
        replaced[final.parts[-3]] = staged.parent
        publish(staged, final)

    monkeypatch.setattr(loading.dataset, "publish", notes)
    here, there = tmp_path / "here", tmp_path / "there"
    load({"all.csv": DIRTY}, folder=DataFolder(here, here / "landing", there / "warehouse"))
    assert replaced == {"quarantine": here / ".staging", "tg_avatar": there / ".staging"}


def test_a_better_load_withdraws_the_quarantine_of_an_earlier_one(load, tmp_path):
    assert load({"all.csv": DIRTY}).quarantine_path.exists()
    assert load({"all.csv": DOCUMENTED}).quarantine_path is None
    assert not list((tmp_path / "quarantine").rglob("*.parquet"))


def test_a_batch_stands_under_one_date_only(load, tmp_path):
    load({"all.csv": DOCUMENTED})
    before = files_in(tmp_path / "warehouse")
    with pytest.raises(LoadFailed, match=r"batch-1 .*checked_date=2026-01-02"):
        load({"all.csv": DOCUMENTED}, checked_at=datetime(2026, 1, 3, tzinfo=UTC))
    assert files_in(tmp_path / "warehouse") == before


def damaged(data):
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


LONG = HEADER + "\n" + "".join(f"+4179{n:07},yes,,,,,,\n" for n in range(400_000))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", ArchiveError, "empty"),
        (zip_bytes({"all.csv": DOCUMENTED})[:-30], ArchiveDamaged, "truncated"),
        (damaged(zip_bytes({"all.csv": LONG})), ArchiveDamaged, "damaged"),
        ({"readme.txt": "hello"}, ArchiveError, "no table of results"),
        ({"in.zip": zip_bytes({"all.csv": DOCUMENTED})}, ArchiveError, "an archive inside the archive"),
        ({"all.csv": "Number,age\n+41798284651,25\n"}, LoadFailed, "has no column telegram, which"),
    ],
)
def test_what_cannot_be_loaded_leaves_nothing_behind(load, tmp_path, data, error, words):
    with pytest.raises(error, match=words) as caught:
        load(data)
    assert type(caught.value) is error
    assert re.fullmatch(r"Batch batch-1 cannot be loaded: [^;]+(; [^;]+)?\.", str(caught.value))
    assert caught.value.__suppress_context__
    assert not re.search(r"\d{6}", str(caught.value).replace("d4g24nep2jvh04o9uoh0", ""))
    assert set(files_in(tmp_path)) == {"batch-1.txt", "d4g24nep2jvh04o9uoh0.zip"}


def test_a_list_of_what_was_sent_has_to_be_readable(load):
    with pytest.raises(LoadFailed, match=r"batch-1.txt, the list of what was sent") as caught:
        load({"all.csv": DOCUMENTED}, numbers=["+41798284651", "hello"])
    assert "Restore it from a backup" in str(caught.value)
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize(
    ("members", "task_type", "words"),
    [
        ({"all.csv": "Number,telegram\n+41798284651,yes\n"}, "tg_active", "no column telegram_days"),
        ({"all.csv": "Number,age\n+41798284651,25\n"}, "ws", "no column whatsapp"),
        (
            {"activated.txt": "41798284651\n"},
            "tg_active",
            "only lists of numbers, which cannot answer tg_active",
        ),
    ],
)
def test_what_is_no_answer_says_what_is_missing_and_where_it_may_belong(load, members, task_type, words):
    with pytest.raises(LoadFailed, match=words) as caught:
        load(members, task_type=task_type)
    assert "--task-type" in str(caught.value)


def test_damage_behind_many_good_rows_publishes_none_of_them(load, tmp_path):
    data = bytearray(zip_bytes({"all.csv": LONG}, zipfile.ZIP_STORED))
    data[data.rfind(b"+4179")] ^= 1
    with pytest.raises(ArchiveError, match="checksum"):
        load(bytes(data), numbers=[f"+4179{n:07}" for n in range(400_000)])
    assert not list(tmp_path.rglob("*.parquet"))


def test_limits_are_handed_down(load):
    with pytest.raises(ArchiveError, match="more members than the limit of 1"):
        load({"all.csv": DOCUMENTED, "readme": "x"}, limits=ArchiveLimits(max_members=1))


@pytest.mark.parametrize("lost", ["row", "flag"])
def test_accounts_that_contradict_each_other_publish_nothing(load, tmp_path, monkeypatch, lost):
    if lost == "row":  # the writer drops one
        add = loading.dataset.ParquetFile.add
        monkeypatch.setattr(loading.dataset.ParquetFile, "add", lambda self, frame: add(self, frame.slice(1)))
    else:  # the reconciler forgets to mark one as answered
        sort = Reconciler.sort

        def forgetful(self, keys):
            fates = sort(self, keys)
            next(iter(self._sent.values())).answered_by[0] = 0
            return fates

        monkeypatch.setattr(Reconciler, "sort", forgetful)
    with pytest.raises(LoadFailed, match="do not add up"):
        load({"all.csv": DOCUMENTED})
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_crash_between_the_two_files_leaves_the_dataset_untouched(load, tmp_path, monkeypatch):
    publish = loading.dataset.publish

    def dies(staged, final):
        if "warehouse" in final.parts:
            raise KeyboardInterrupt
        publish(staged, final)

    monkeypatch.setattr(loading.dataset, "publish", dies)
    with pytest.raises(KeyboardInterrupt):
        load({"all.csv": DIRTY})
    assert [path.parts[-3] for path in tmp_path.rglob("*.parquet")] == ["quarantine"]
    monkeypatch.undo()
    assert load({"all.csv": DIRTY}).counts.accepted == 2


def test_an_unknown_task_type_is_a_matter_of_configuration(load):
    with pytest.raises(ConfigurationError, match="tg_avatar"):
        load({"all.csv": DOCUMENTED}, task_type="../evil")
