"""Header dialects, the vocabulary of values, numbers however they are written."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekyc_tasks.archive.tables import ColumnTypes
from ekyc_tasks.normalize import (
    Normalizer,
    Stamp,
    layout_drift,
    layout_of,
    lexicon,
    number_keys,
    row_keys,
    value_drift,
    values,
)
from ekyc_tasks.task_types import known_task_types, task_type

TG_AVATAR = task_type("tg_avatar")
STAMP = Stamp(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), "batch-1", "d4g24nep2jvh04o9uoh0")
PLACES = {
    "telegram": 1, "avatar": 2, "age": 3, "gender": 4, "category": 5, "hair_color": 6, "skin_color": 7,
}  # fmt: skip
DOCUMENTED = ("Number", "telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color")
ACTIVATED = ("number", "activated", "age", "avatar", "category", "gender", "hair_color", "skin_color")
PROFILE = (
    "Phone", "activated", "uid", "username", "first_name", "last_name", "Last Online Time", "Active Days",
    "Is Member", "Avatar", "Gender", "Age", "Ethnicity",
)  # fmt: skip


def frame_of(head, *rows):
    return pl.DataFrame(rows, schema={f"c{at}": pl.String for at in range(len(head))}, orient="row")


def normalized(head, *rows, kind=TG_AVATAR, normalizer=None):
    layout = layout_of(head, kind)
    frame = ColumnTypes(len(head), layout.few_value_positions(kind)).of(frame_of(head, *rows))
    lines = np.arange(2, 2 + frame.height)
    return (normalizer or Normalizer(kind, STAMP)).read(frame, lines, row_keys(frame, layout), layout)


def plain(rows):
    """As readers of the dataset see it."""
    return rows.cast({pl.Categorical: pl.String})


def one(column, text):
    """The row that comes of one text in one column, and the issues."""
    found = normalized(("number", "telegram", column), ("+41798284651", "", text))
    return found.rows.row(0, named=True), found.issues.rows(named=True)


# --- headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "dialect", "fields", "extras"),
    [
        (DOCUMENTED, "documented", PLACES, []),
        (ACTIVATED, "activated", PLACES | {"avatar": 3, "age": 2, "gender": 5, "category": 4}, []),
        (
            PROFILE,
            "profile",
            {"telegram": 1, "avatar": 9, "age": 11, "gender": 10},
            ["uid", "username", "first_name", "last_name", "last_online_time", "active_days", "is_member",
             "ethnicity"],
        ),
        (
            ("\ufeffNUMBER ", " Telegram", "HAIR-COLOR", "skin color"),
            "documented",
            {"telegram": 1, "hair_color": 2, "skin_color": 3},
            [],
        ),
        (("telegram", "number"), "documented", {"telegram": 0}, []),
        (("number", "number", "activated"), "activated", {"telegram": 2}, ["number_2"]),
        (
            ("number", "foo", "foo", "foo_2", "activated"),
            "activated",
            {"telegram": 4},
            ["foo", "foo_2", "foo_2_2"],
        ),
        (("activated", "telegram", "number"), "documented", {"telegram": 1}, ["activated"]),
        (("telegram", "telegram", "number"), "documented", {"telegram": 0}, ["telegram_2"]),
        (("number", "telegram", "", "", "é"), "documented", {"telegram": 1}, ["unnamed", "unnamed_2", "é"]),
        (("+41798284651", "yes"), "no header", {"telegram": 1}, []),
        (("41798284651", "yes", "", "25"), "no header", {"telegram": 1, "avatar": 2, "age": 3}, []),
        (("+41798284651", *[""] * 8), "no header", PLACES, ["column_9"]),
        (("+41798284651",), "number list", {}, []),
        (("Number",), "number list", {}, []),
    ],
)  # fmt: skip
def test_knows_what_a_first_row_means(head, dialect, fields, extras):
    layout = layout_of(head, TG_AVATAR)
    assert (layout.dialect, dict(layout.fields), [extra.key for extra in layout.extras]) == (
        dialect,
        fields,
        extras,
    )
    assert layout.has_header == (not head[0].strip("+").isdigit())


@pytest.mark.parametrize("head", [(), ("",), ("telegram", "age"), ("hello, world",), ("yes", "+41798284651")])
def test_a_first_row_without_number_is_no_table(head):
    assert layout_of(head, TG_AVATAR) is None


@pytest.mark.parametrize(
    ("head", "verdict", "answers"),
    [
        (DOCUMENTED, None, True),
        (("number", "age"), None, False),
        (("number", "age"), True, True),
        (("+41798284651",), False, True),
    ],
)
def test_a_table_answers_by_a_column_or_by_its_name(head, verdict, answers):
    assert layout_of(head, TG_AVATAR, verdict).answers(TG_AVATAR) is answers
    assert not layout_of(("number",), task_type("tg_active"), verdict).answers(task_type("tg_active"))


# --- numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("+41798284651", 41798284651),
        ("41798284651", 41798284651),
        ("0041798284651", 41798284651),
        ("+0041798284651", 41798284651),
        (" +41 79 828-46-51 ", 41798284651),
        ("+41 (79) 8284651", 41798284651),
        ("\u202a+41798284651\u202c", 41798284651),
        ("'41798284651", 41798284651),
        ('="41798284651"', 41798284651),
        ("41798284651.0", 41798284651),
        ("4.1798284651E10", 41798284651),
        ("4.1798284651e+10", 41798284651),
        ("4,1798284651E+10", 41798284651),
        ("4.179828465E+10", 41798284650),
        ("4.17982846500E+10", 41798284650),
        ("998901234567890", 998901234567890),
        ("123456", 123456),
        ("4.17983E+10", None),  # a spreadsheet's display: digits are lost
        ("4.1E+99", None),
        ("4.179828465E+15", None),
        ("1.00018247E+23", None),  # 64 bits overflow into a plausible number
        ("4.17982846512E+10", None),
        ("4.123E+3", None),
        ("12345", None),
        ("1234567890123456", None),
        ("99999999999999999999", None),
        ("0798284651", None),
        ("+0798284651", None),
        ("-41798284651", None),
        ("41798284651.5", None),
        ("4179828465I", None),
        ("٤١٧٩٨٢٨٤٦٥١", None),
        ("+", None),
        ("", None),
        ("number", None),
    ],
)
def test_numbers_are_compared_by_their_digits(text, key):
    assert number_keys(pl.Series("n", [text])).to_list() == [key]
    assert number_keys(pl.Series("n", ["+41798284659", text, "+41798284658"])).to_list() == [
        41798284659,
        key,
        41798284658,
    ]


def test_a_repeated_number_column_helps_out():
    head = ("number", "number", "telegram")
    frame = frame_of(
        head, ("+41798284651", "41798284651", ""), ("", "41798284652", ""), ("+41798284653", "x", "")
    )
    layout = layout_of(head, TG_AVATAR)
    assert row_keys(frame, layout).tolist() == [41798284651, 41798284652, 41798284653]
    rows = normalized(head, *frame.rows()).rows
    assert rows["number"].to_list() == ["+41798284651", "+41798284652", "+41798284653"]
    assert rows["extra"].to_list() == [None, '{"number_2":"41798284652"}', '{"number_2":"x"}']


# --- values ---------------------------------------------------------------------------------------------

NOTHING = ("", "  ", "N/A", "n/a", "unknown", "Unknown", "NULL", "null", "-")


@pytest.mark.parametrize(
    "column", ["telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color"]
)
@pytest.mark.parametrize("text", NOTHING)
def test_not_determined_is_null_and_no_issue(column, text):
    head = ("number", "telegram") if column == "telegram" else ("number", "telegram", column)
    found = normalized(head, ("+41798284651", text, text)[: len(head)])
    read = [into for each in TG_AVATAR.fields if each.name == column for into in each.into]
    assert found.rows.select(read).row(0) == (None,) * len(read)
    assert found.issues.height == 0


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("yes", True), ("Yes", True), (" YES ", True), ("true", True), ("True", True), ("1", True),
        ("no", False), ("No", False), ("FALSE", False), ("0", False),
        ("ban", None), ("Ban", None), ("", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["tg_avatar", "tg"])
def test_verdicts(text, verdict, kind):
    found = normalized(("number", "telegram"), ("+41798284651", text), kind=task_type(kind))
    assert (found.rows["telegram"].to_list(), found.issues.height) == ([verdict], 0)


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("age", "25", {"age_min": 25, "age_max": 25}),
        ("age", "30-35", {"age_min": 30, "age_max": 35}),
        ("age", "25~34", {"age_min": 25, "age_max": 34}),
        ("age", "25 – 34", {"age_min": 25, "age_max": 34}),
        ("age", "25.0", {"age_min": 25, "age_max": 25}),
        ("age", "25,0", {"age_min": 25, "age_max": 25}),
        ("gender", "male", {"gender": "male"}),
        ("gender", "Female", {"gender": "female"}),
        ("category", "Individual_Portrait", {"category": "individual portrait"}),
        ("category", "something  NEW", {"category": "something new"}),
        ("hair_color", "Black", {"hair_color": "black"}),
        ("skin colour", "white", {"skin_color": "white"}),
        ("avatar", "https://example.com/a.jpg?x=1,2", {"avatar": "https://example.com/a.jpg?x=1,2"}),
        ("avatar", " HTTP://example.com ", {"avatar": "HTTP://example.com"}),
    ],
)
def test_values_are_read(column, text, expected):
    row, issues = one(column, text)
    assert {name: row[name] for name in expected} == expected
    assert issues == []


@pytest.mark.parametrize(
    ("column", "text", "nulls", "reason"),
    [
        ("telegram", "maybe", ["telegram"], "not yes or no"),
        ("age", "old", ["age_min", "age_max"], "not an age"),
        ("age", "250", ["age_min", "age_max"], "not an age"),
        ("age", "35-30", ["age_min", "age_max"], "not an age"),
        ("age", "-5", ["age_min", "age_max"], "not an age"),
        ("age", "٢٥", ["age_min", "age_max"], "not an age"),
        ("gender", "3", ["gender"], "not a gender"),
        ("avatar", "javascript:alert(1)", ["avatar"], "not an http or https URL"),
        ("avatar", "https://", ["avatar"], "not an http or https URL"),
        ("avatar", "https://a b", ["avatar"], "not an http or https URL"),
        ("avatar", "ftp://example.com/a.jpg", ["avatar"], "not an http or https URL"),
    ],
)
def test_a_bad_cell_becomes_null_and_is_recorded(column, text, nulls, reason):
    head = DOCUMENTED
    good = ("+41798284651", "yes", "https://example.com/a", "25", "male", "object", "black", "white")
    bad = ["+41798284652", *good[1:]]
    bad[head.index(column)] = text
    found = normalized(head, good, bad, ["+41798284653", *good[1:]])
    first, second, third = found.rows.rows(named=True)
    assert first == third | {"number": "+41798284651"}
    assert second == first | {"number": "+41798284652"} | dict.fromkeys(nulls)
    (issue,) = found.issues.rows(named=True)
    assert json.loads(issue.pop("raw")) == dict(zip([name.lower() for name in head], bad, strict=True))
    assert issue == {"line": 3, "reason": reason, "column": column}


def test_cells_that_break_different_rules_of_a_column_are_all_recorded():
    rows = [(f"+4179828465{at}", "yes", text) for at, text in enumerate(["25", "121", "35-30", "20-121"])]
    found = normalized(("number", "telegram", "age"), *rows)
    assert found.rows["age_min"].to_list() == [25, None, None, None]
    assert found.rows["age_max"].to_list() == [25, None, None, None]
    assert found.issues["line"].to_list() == [3, 4, 5]


def test_two_bad_cells_of_a_row_are_two_issues():
    found = normalized(("number", "telegram", "age", "avatar"), ("+41798284651", "maybe", "old", "x"))
    assert sorted(found.issues["column"]) == ["age", "avatar", "telegram"]


@pytest.mark.parametrize(
    ("text", "days"), [("1", 1), ("7", 7), ("30", 30), ("30.0", 30), ("0", 0), ("N/A", None), ("ban", None)]
)
def test_days_of_tg_active(text, days):
    found = normalized(("Number", "telegram_days"), ("41798284651", text), kind=task_type("tg_active"))
    assert (found.rows["telegram_days"].to_list(), found.issues.height) == ([days], 0)


@pytest.mark.parametrize("text", ["never", "-1", "99999", "1.5"])
def test_days_that_are_none(text):
    found = normalized(("Number", "telegram_days"), ("41798284651", text), kind=task_type("tg_active"))
    assert found.rows["telegram_days"].to_list() == [None]
    assert found.issues["reason"].to_list() == ["not a number of days"]


def test_what_the_contract_does_not_know_is_kept_as_json():
    row = (
        "41798284651",
        "true",
        "77",
        'An"na, B.',
        "Änna",
        "",
        " ",
        "7",
        "N/A",
        "https://e.com/a",
        "Male",
        "25",
        "",
    )
    found = normalized(PROFILE, row, ("41798284652", "false", *[""] * 11))
    assert json.loads(found.rows["extra"][0]) == {
        "uid": "77", "username": 'An"na, B.', "first_name": "Änna", "active_days": "7", "is_member": "N/A",
    }  # fmt: skip
    assert found.rows["extra"][1] is None


def test_rows_carry_their_calling_code_and_where_they_come_from():
    row, _ = one("age", "25")
    assert (row["calling_code"], row["batch_id"], row["task_id"]) == (41, "batch-1", "d4g24nep2jvh04o9uoh0")
    assert row["checked_at"] == STAMP.checked_at


def test_checked_at_is_made_utc():
    stamp = Stamp(datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), "b", "t")
    found = normalized(
        ("number", "telegram"), ("+41798284651", "yes"), normalizer=Normalizer(TG_AVATAR, stamp)
    )
    assert found.rows["checked_at"].to_list() == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]


def test_no_rows_give_no_rows_of_the_same_types():
    found = normalized(DOCUMENTED)
    assert (found.rows.height, plain(found.rows).schema) == (0, TG_AVATAR.row_types)


def test_a_column_of_many_values_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(lexicon, "MAX_REMEMBERED", 5)
    monkeypatch.setattr(values, "MANY_ROWS", 0)
    normalizer = Normalizer(TG_AVATAR, STAMP)
    for block in range(4):
        words = [f"{'abcdefghij'[at]}{'klmn'[block]}" for at in range(10)]
        rows = [(f"+4179828{at:04}", "yes", word) for at, word in enumerate(words)]
        found = normalized(("number", "telegram", "category"), *rows, normalizer=normalizer)
        assert found.rows["category"].to_list() == words
        assert len(normalizer._reader._readers["category"]._lexicon._place_of) <= 11


CELLS = st.sampled_from(
    ["", " ", "yes", "No", "ban", "25", "30-35", "35-30", "121", "Male", "x", "pet_avatar", "N/A",
     "https://example.com/a", "HTTP://e", "javascript:x", "Ünïcode", "null", "-", "1.0", "_", "Unknown_"]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(*[CELLS] * 7), max_size=20), cut=st.integers(0, 20))
def test_every_row_keeps_the_contract_however_it_was_read(rows, cut):
    rows = [(f"+4179828465{at}", *cells) for at, cells in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "MANY_ROWS", 0)
        coded = normalized(DOCUMENTED, *rows)
    TG_AVATAR.schema.validate(plain(coded.rows))
    layout, lines = layout_of(DOCUMENTED, TG_AVATAR), np.arange(2, 2 + len(rows))
    frame, normalizer = frame_of(DOCUMENTED, *rows), Normalizer(TG_AVATAR, STAMP)
    parts = [
        normalizer.read(frame[part], lines[part], row_keys(frame[part], layout), layout)
        for part in (slice(0, cut), slice(cut, None))
    ]
    assert plain(pl.concat([part.rows for part in parts])).equals(plain(coded.rows))
    found = pl.concat([part.issues for part in parts]).sort("line", "column")
    assert found.equals(coded.issues.sort("line", "column"))


def written_back(kind, rows):
    """Typed rows as the provider would write them in a CSV."""
    file = StringIO(newline="")
    writer = csv.writer(file)
    for row in rows.iter_rows(named=True):
        cells = [[row[column] for column in each.into] for each in kind.fields]
        texts = ["" if None in values else "-".join(map(as_text, values)) for values in cells]
        writer.writerow([row["number"], *texts, json.loads(row["extra"] or '{"uid": ""}')["uid"]])
    return file.getvalue()


def as_text(value):
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", known_task_types())
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_normalizing_twice_changes_nothing(name, data):
    kind = task_type(name)
    head = ("Number", *(each.name for each in kind.fields), "uid")
    cells = [st.integers(10**5, 10**15 - 1).map(str), *[CELLS | st.text(max_size=5)] * (len(head) - 1)]
    once = plain(normalized(head, *data.draw(st.lists(st.tuples(*cells), max_size=10)), kind=kind).rows)
    again = csv.reader(StringIO(written_back(kind, once), newline=""))
    twice = normalized(head, *map(tuple, again), kind=kind)
    assert plain(twice.rows).equals(once)
    assert twice.issues.is_empty()


@settings(deadline=None)
@given(st.lists(st.integers(100_000, 999_999_999_999_999), min_size=1))
def test_numbers_made_of_keys_keep_the_contract(keys):
    numbers = [str(key) for key in keys]
    for texts in (numbers, [f"+{number}" for number in numbers], [f"00{number}" for number in numbers]):
        found = normalized(("number", "telegram"), *[(text, "") for text in texts])
        assert found.rows["number"].to_list() == [f"+{number}" for number in numbers]
        assert found.rows["number"].str.contains(r"^\+[1-9][0-9]{5,14}$").all()


# --- drift ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "sentences"),
    [
        (DOCUMENTED, []),
        (
            (*DOCUMENTED[:-1], "mood"),
            ["Column skin_color is absent.", "Column mood is not in the contract; it is kept in extra."],
        ),
        (
            ("number", *DOCUMENTED),
            ["Column number_2 stands for the same as another; where it differs, it is kept in extra."],
        ),
        (
            ("+41798284651", "yes", *[""] * 6),
            ["There is no header: the columns were taken in the documented order."],
        ),
        (("Number",), ["Only lists of bare numbers were read: nothing but the verdict is known."]),
    ],
)  # fmt: skip
def test_absent_and_unknown_columns_are_reported(head, sentences):
    assert list(layout_drift([layout_of(head, TG_AVATAR)], TG_AVATAR)) == sentences


def test_what_only_some_tables_lack_is_said_of_so_many():
    layouts = [layout_of(head, TG_AVATAR) for head in (DOCUMENTED, DOCUMENTED[:-1], ("Number",))]
    assert list(layout_drift(layouts, TG_AVATAR)) == ["Column skin_color is absent from 1 of 2 tables."]


def test_new_words_are_named_and_anything_else_is_only_counted():
    normalizer = Normalizer(TG_AVATAR, STAMP)
    words = ["pet avatar", "landscape", "Anna 41798284651", "x" * 41, "a@example.com", "unknown"]
    rows = [(f"+4179828465{at}", "yes", word, "old") for at, word in enumerate(words)]
    normalized(("number", "telegram", "category", "age"), *rows, normalizer=normalizer)
    assert list(value_drift(normalizer)) == [
        "Column category has new values: landscape and 3 more.",
        "Column age has 6 cells that are not an age.",
    ]
