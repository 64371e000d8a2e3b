"""The vocabulary of values: what is read, what is null, what is recorded."""

from __future__ import annotations

import json

import pytest
from support.provider_rows import DOCUMENTED, TG_AVATAR, normalized, one

from ekyc_tasks.normalize.values import MANY_ROWS
from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import task_type

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


SAID = [(word, True) for word in vocabulary.YES] + [(word, False) for word in vocabulary.NO]
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


@pytest.mark.parametrize("rows", [1, MANY_ROWS], ids=["few rows", "many rows"])
@pytest.mark.parametrize(
    "style",
    [str, str.upper, lambda word: word.translate(WIDE), lambda word: f" {word.replace(' ', '_')} "],
    ids=["as it is", "capitals", "full width", "snake"],
)
def test_each_word_of_each_language_says_its_verdict(style, rows):
    found = normalized(("number", "telegram"), *[("+41798284651", style(word)) for word, _ in SAID] * rows)
    assert found.rows["telegram"].to_list()[: len(SAID)] == [verdict for _, verdict in SAID]
    assert found.issues.height == 0


@pytest.mark.parametrize("word", ["maybe", "active", "inactive", "yes no", "可能", "2", "noo", "registred"])
def test_a_word_that_is_no_verdict_stays_null_and_is_recorded(word):
    found = normalized(("number", "telegram"), ("+41798284651", word))
    assert found.rows["telegram"].to_list() == [None]
    assert found.issues["reason"].to_list() == ["not yes or no"]


@pytest.mark.parametrize("word", vocabulary.UNKNOWN)
def test_an_unknown_verdict_is_null_in_each_language_and_no_issue(word):
    found = normalized(("number", "telegram"), ("+41798284651", word))
    assert (found.rows["telegram"].to_list(), found.issues.height) == ([None], 0)


@pytest.mark.parametrize(
    ("kind", "column", "words"),
    [
        ("tg_avatar", "gender", {"male": vocabulary.MALE, "female": vocabulary.FEMALE}),
        ("active_check", "active_status", {"active": vocabulary.ACTIVE, "inactive": vocabulary.INACTIVE}),
    ],
)
def test_closed_vocabularies_are_one_word_in_each_language(kind, column, words):
    check = task_type(kind)
    head = ("number", *dict.fromkeys((check.verdict.name, column)))
    for meant, others in words.items():
        for word in (meant, *others):
            cells = ("+41798284651", *("" for _ in head[2:]), word)
            found = normalized(head, cells, kind=check)
            assert (found.rows[column].to_list(), found.issues.height) == ([meant], 0), word
