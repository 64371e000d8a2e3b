"""Results: the same answers for the same numbers, in every layout that was seen."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import fastexcel
import pytest
from support.sandbox_calls import NUMBERS, calling, fetched, members

from ekyc_tasks.sandbox import LAYOUTS

pytestmark = pytest.mark.integration


# ---------------------------------------------------------------- results

RATES = {"missing_rate": 0.02, "repeated_rate": 0.03, "undetermined_rate": 0.05, "odd_rate": 0.3}


def expected_answers(caller, numbers=NUMBERS):
    """In the order of the upload, the repeats behind."""
    answers = [caller.sandbox.answers(number) for number in numbers]
    present = [answer for answer in answers if not answer.is_missing]
    return present + [answer for answer in present if answer.is_repeated]


def documented_row(answer):
    verdict = {True: "yes", False: "no", None: ""}[answer.has_account]
    picture = answer.avatar, answer.age, answer.gender, answer.category, answer.hair_color, answer.skin_color
    return [answer.number, verdict, *picture]


def without_plus(rows):
    return [[row[0].removeprefix("+"), *row[1:]] for row in rows]


HEADER = ["Number", "telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color"]


def read_csv(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def read_xlsx(content):
    sheet = fastexcel.read_excel(content).load_sheet(0, header_row=None, dtypes="string")
    rows = zip(*sheet.to_arrow().to_pydict().values(), strict=True)
    return [["" if cell is None else cell for cell in row] for row in rows]


def test_rates_are_met_and_every_sort_of_number_occurs():
    with calling(**RATES) as caller:
        answers = [caller.sandbox.answers(number) for number in NUMBERS]
    assert 10 < sum(answer.is_missing for answer in answers) < 60
    assert 20 < sum(answer.is_repeated for answer in answers) < 80
    assert 40 < sum(answer.has_account is None for answer in answers) < 120
    assert {"unknown", "30-35", "25~34"} < {answer.age for answer in answers}
    assert {"Male", "male", "unknown", ""} < {answer.gender for answer in answers}
    assert {"pet_avatar", "pet avatar"} < {answer.category for answer in answers}
    pictureless = [answer for answer in answers if not answer.has_account]
    assert {answer.avatar for answer in pictureless} == {"", "unknown"}


def test_rates_of_zero_and_one_are_exact():
    with calling(missing_rate=0, repeated_rate=0, undetermined_rate=0) as caller:
        answers = [caller.sandbox.answers(number) for number in NUMBERS]
        assert not any(answer.is_missing or answer.is_repeated for answer in answers)
        assert {answer.has_account for answer in answers} == {True, False}
    with calling(missing_rate=1) as caller:
        _, content = fetched(caller)
        assert len(read_csv(next(iter(members(content).values())))) == 1


def test_folder_holds_the_same_rows_up_to_four_times():
    with calling(layout="folder", **RATES) as caller:
        task_id, content = fetched(caller)
        answers = expected_answers(caller)
        files = members(content)
        names = ["all.csv", "activated.txt", "unregistered.txt", "result.xlsx"]
        assert list(files) == [f"{task_id}/{name}" for name in names]
        table, activated, unregistered, workbook = files.values()
        rows = without_plus([HEADER, *map(documented_row, answers)])
        assert read_csv(table) == rows
        assert read_xlsx(workbook) == rows
        assert activated.decode().split() == [a.number[1:] for a in answers if a.has_account]
        assert unregistered.decode().split() == [a.number[1:] for a in answers if a.has_account is False]


def test_junk_is_the_folder_and_rubbish():
    with calling(layout="junk", **RATES) as caller:
        task_id, content = fetched(caller)
        files = members(content)
        assert {"README.txt", ".DS_Store", f"__MACOSX/{task_id}/._all.csv"} < set(files)
        assert len(read_csv(files[f"{task_id}/all.csv"])) == 1 + len(expected_answers(caller))


def test_single_is_one_documented_csv():
    with calling(layout="single", **RATES) as caller:
        task_id, content = fetched(caller)
        files = members(content)
        assert list(files) == [f"{task_id}.csv"]
        assert read_csv(files[f"{task_id}.csv"]) == [HEADER, *map(documented_row, expected_answers(caller))]


def test_parts_complete_each_other():
    with calling(layout="parts", **RATES) as caller:
        _, content = fetched(caller)
        parts = [read_csv(part) for part in members(content).values()]
        assert len(parts) == 3
        assert [part[0] for part in parts] == [HEADER] * 3
        assert all(len(part) > 100 for part in parts)
        rows = [row for part in parts for row in part[1:]]
        assert rows == [*map(documented_row, expected_answers(caller))]


def test_bare_csv_has_no_archive_around_it():
    with calling(layout="bare_csv", **RATES) as caller:
        _, content = fetched(caller)
        assert read_csv(content) == [HEADER, *map(documented_row, expected_answers(caller))]


def test_bare_xlsx_has_no_archive_around_it_and_numeric_numbers():
    with calling(layout="bare_xlsx", **RATES) as caller:
        _, content = fetched(caller)
        assert "xl/workbook.xml" in members(content)
        assert read_xlsx(content) == without_plus([HEADER, *map(documented_row, expected_answers(caller))])
        sheet = fastexcel.read_excel(content).load_sheet(0)
        assert sheet.to_arrow().schema[0].type == "double"


def test_verbose_speaks_the_dialect_with_a_mark_and_commas():
    with calling(layout="verbose", **RATES) as caller:
        _, content = fetched(caller)
        (table,) = members(content).values()
        assert table.startswith(b"\xef\xbb\xbfPhone,activated,uid,username,")
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
        answers = expected_answers(caller)
        assert len(rows) == len(answers)
        for row, answer in zip(rows, answers, strict=True):
            assert None not in row
            assert row["Phone"] == answer.number[1:]
            assert row["activated"] == {True: "true", False: "false", None: ""}[answer.has_account]
            assert [row["Avatar"], row["Gender"], row["Age"]] == [answer.avatar, answer.gender, answer.age]
        assert any("," in row["first_name"] for row in rows)


@pytest.mark.parametrize(
    ("task_type", "header", "verdicts"),
    [
        ("tg", ["Number", "telegram"], {"yes", "no", ""}),
        ("tg_active", ["Number", "telegram_days"], {"1", "7", "30", "N/A"}),
        ("ws", ["Number", "whatsapp"], {"yes", "no", ""}),
        (
            "ws_avatar",
            ["number", "activated", "age", "avatar", "category", "gender", "hair_color", "skin_color"],
            {"yes", "no", ""},
        ),
        ("active_check", ["Number", "ActiveStatus"], {"active", "inactive", "unknown"}),
    ],
)
def test_every_task_type_has_its_documented_columns(task_type, header, verdicts):
    with calling(layout="bare_csv", **RATES) as caller:
        _, content = fetched(caller, task_type=task_type)
        assert caller.sandbox.charges[0].task_type == task_type
        rows = read_csv(content)
        assert rows[0] == header
        assert {row[1] for row in rows[1:]} == verdicts
        assert [row[0] for row in rows[1:]] == [answer.number for answer in expected_answers(caller)]


def test_foreign_rows_were_never_asked_for():
    with calling(layout="bare_csv", foreign_rows=2) as caller:
        sent = ["+393330000000", *NUMBERS[:5]]
        _, content = fetched(caller, sent)
        strangers = [row[0] for row in read_csv(content)[1:] if row[0] not in sent]
        assert strangers == ["+393330000001", "+393330000002"]


def test_same_numbers_get_the_same_answers_in_every_run_and_others_by_seed():
    contents = []
    for seed in (0, 0, 1):
        with calling(layout="bare_csv", seed=seed) as caller:
            contents.append(fetched(caller)[1])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_result_stays_the_same_at_every_download(caller):
    task_id = caller.new_task(NUMBERS)
    assert caller.fetch(task_id).content == caller.fetch(task_id).content


def test_large_results_come_without_the_workbook():
    with calling(processing_seconds=0) as caller:
        numbers = [f"+4179{n:07}" for n in range(100_001)]
        _, content = fetched(caller, numbers, task_type="tg")
        names = [name.rpartition("/")[2] for name in members(content)]
        assert names == ["all.csv", "activated.txt", "unregistered.txt"]


# ---------------------------------------------------------------- the servers


def test_layouts_are_all_tested_here():
    source = Path(__file__).read_text()
    assert all(f'layout="{layout}"' in source for layout in LAYOUTS)
