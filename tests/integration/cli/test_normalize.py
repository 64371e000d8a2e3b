"""`ekyc normalize`: one file in, a data folder out; sentences and exit codes, whatever the file holds."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.archive_files import DOCUMENTED, HEADER, NUMBERS, workbook_bytes, zip_bytes
from support.examples import at_most

from ekyc_tasks.cli import main
from ekyc_tasks.cli.arguments import moment as moment_said
from ekyc_tasks.cli.arguments import moment_of
from ekyc_tasks.errors import ConfigurationError

pytestmark = pytest.mark.integration

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DIRTY = DOCUMENTED + "+41798284652,no,,,,,,\nrubbish,no,,,,,,\n+41798284654,yes,,old,,,,\n"


@pytest.fixture
def ekyc(monkeypatch, tmp_path, capsys):
    """The command line in this process: exit code, what went to stdout, what went to stderr."""
    monkeypatch.setenv("EKYC_HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("EKYC_") and name != "EKYC_HOME"]:
        monkeypatch.delenv(name)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["ekyc", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "result.zip"
    path.write_bytes(zip_bytes({"t/all.csv": DIRTY, "t/activated.txt": "\n".join(NUMBERS)}))
    os.utime(path, (1_767_323_045, 1_767_323_045))  # 2026-01-02 03:04:05 UTC
    return path


def test_the_folder_has_the_layout_of_the_data_folder(ekyc, archive, tmp_path):
    code, said, _ = ekyc("normalize", archive, "--out", tmp_path / "o", "--json")
    document = json.loads(said)
    batch_id = sha256(archive.read_bytes()).hexdigest()[:16]
    dataset = tmp_path / "o" / "warehouse" / "tg_avatar" / "checked_date=2026-01-02" / f"{batch_id}.parquet"
    quarantine = tmp_path / "o" / "quarantine" / "tg_avatar" / f"{batch_id}.parquet"
    assert code == 0
    assert sorted((tmp_path / "o").rglob("*.parquet")) == sorted([dataset, quarantine])
    assert (document["dataset"], document["quarantine"]) == (str(dataset), str(quarantine))
    assert document["counts"] == {
        "submitted": 4, "returned": 6, "accepted": 4, "unreadable": 1, "unexpected": 0, "duplicate": 1,
        "missing": 0, "cell_issues": 1, "quarantined": 2,
    }  # fmt: skip
    assert document["members_read"] == ["t/all.csv"]
    assert document["members_left_aside"] == [{"name": "t/activated.txt", "why": "adds no new answers"}]
    assert (document["batch_id"], document["dialect"]) == (batch_id, "documented")
    assert document["drift"] == ["Column age has 1 cell that is not an age."]
    rows = pl.read_parquet(dataset, hive_partitioning=False)
    assert set(rows["batch_id"]) == {batch_id}
    assert str(rows["checked_at"][0]) == "2026-01-02 03:04:05+00:00"


def test_the_same_as_tables(ekyc, archive, tmp_path):
    code, said, _ = ekyc("normalize", archive, "--out", tmp_path / "o")
    assert code == 0
    assert "dialect documented" in said
    assert "skipped: adds no new answers" in said
    assert "Column age has 1 cell " in said
    assert "checked_date=2026-01-02" in said
    assert NUMBERS[0] not in said


def test_what_was_sent_when_and_as_what_can_be_said(ekyc, archive, tmp_path):
    sent = tmp_path / "sent.txt"
    sent.write_text("+41798284651\n+41798284659\n")
    words = ["--numbers", sent, "--task-type", "tg", "--checked-at", "2026-03-01", "--task-id", "d4g"]
    code, said, _ = ekyc("normalize", archive, "--out", tmp_path / "o", "--json", *words)
    document = json.loads(said)
    assert code == 0
    assert (document["counts"]["submitted"], document["counts"]["missing"]) == (2, 1)
    rows = pl.read_parquet(document["dataset"], hive_partitioning=False)
    assert rows.columns[:3] == ["number", "calling_code", "telegram"]
    assert rows["task_id"].to_list() == ["d4g"]
    assert "checked_date=2026-03-01" in document["dataset"]


LIST = "\n".join((*NUMBERS, NUMBERS[0]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("plain.txt", LIST.encode()),
        ("no_ending", LIST.replace("+", "").encode()),
        ("bom.txt", b"\xef\xbb\xbf" + LIST.encode()),
        ("utf16.txt", LIST.encode("utf-16")),
        ("cr.txt", LIST.replace("\n", "\r").encode()),
        ("crlf.txt", LIST.replace("\n", "\r\n").encode()),
        ("header.txt", b"number\n" + LIST.encode()),
        ("bare.txt", LIST.replace("+", "").encode()),
        ("other.csv", "\n".join(["name;phone", *(f"Ann;{number}" for number in NUMBERS)]).encode()),
        ("book.xlsx", workbook_bytes([["name", "phone"], *(["Ann", number] for number in NUMBERS)])),
        ("packed.zip", zip_bytes({"list.txt": LIST})),
    ],
)
def test_what_was_sent_may_be_any_file_that_may_land(ekyc, archive, tmp_path, name, data):
    sent = tmp_path / name
    sent.write_bytes(data)
    code, said, _ = ekyc("normalize", archive, "--out", tmp_path / "o", "--numbers", sent, "--json")
    document = json.loads(said)
    assert (code, document["counts"]["submitted"], document["counts"]["accepted"]) == (0, 3, 3)
    assert document["numbers_left_aside"] == {}
    assert list((tmp_path / "o" / ".staging").iterdir()) == []


def test_national_numbers_are_those_of_the_default_region(ekyc, archive, tmp_path, monkeypatch):
    sent = tmp_path / "sent.txt"
    sent.write_text(LIST.replace("+41", "0"))
    words = ["normalize", archive, "--out", tmp_path / "o", "--numbers", sent, "--json"]
    code, _, complaint = ekyc(*words)
    assert (code, "EKYC_DEFAULT_REGION" in complaint) == (5, True)
    monkeypatch.setenv("EKYC_DEFAULT_REGION", "CH")
    code, said, _ = ekyc(*words)
    assert (code, json.loads(said)["counts"]["accepted"]) == (0, 3)


def test_lines_of_the_list_that_are_no_numbers_are_told(ekyc, archive, tmp_path):
    sent = tmp_path / "sent.txt"
    sent.write_text(f"{LIST}\n\nSECRET\n+41\nSECRET too\n")
    words = ["normalize", archive, "--out", tmp_path / "o", "--numbers", sent]
    _, said, _ = ekyc(*words, "--json")
    document = json.loads(said)
    assert document["counts"]["submitted"] == 3
    assert sum(document["numbers_left_aside"].values()) == 3
    code, said, _ = ekyc(*words)
    assert (code, "1 line of --numbers skipped: " in said, "SECRET" in said) == (0, True, False)


def test_what_was_sent_as_it_is_counts_even_where_nobody_would_plan_it(ekyc, tmp_path):
    odd = "+41798284"  # too short for Switzerland
    answers, sent = tmp_path / "all.csv", tmp_path / "sent.txt"
    answers.write_text(f"Number,telegram\n{odd},yes\n")
    sent.write_text(f"{odd}\n")
    code, said, _ = ekyc("normalize", answers, "--out", tmp_path / "o", "--numbers", sent, "--json")
    assert (code, json.loads(said)["counts"]["accepted"]) == (0, 1)


@pytest.mark.parametrize(("text", "words"), [("", "0 lines"), ("\n\n", "2 lines"), ("x", "1 line")])
def test_a_list_without_numbers_is_refused(ekyc, archive, tmp_path, text, words):
    sent = tmp_path / "sent.txt"
    sent.write_text(text)
    code, _, complaint = ekyc("normalize", archive, "--out", tmp_path / "o", "--numbers", sent)
    assert (code, f"sent.txt has no readable number in {words}" in complaint) == (
        5,
        True,
    )
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_second_time_changes_no_byte(ekyc, archive, tmp_path):
    def files():
        return {path: path.read_bytes() for path in (tmp_path / "o").rglob("*.parquet")}

    ekyc("normalize", archive, "--out", tmp_path / "o")
    before = files()
    assert ekyc("normalize", archive, "--out", tmp_path / "o")[0] == 0
    assert files() == before
    assert len(before) == 2


@pytest.fixture
def desk(ekyc, archive, tmp_path, monkeypatch):
    monkeypatch.chdir(archive.parent)
    return ekyc, tmp_path


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["normalize", "nowhere.zip", "--out", "o"], 5, "nowhere.zip is not a file"),
        (["normalize", ".", "--out", "o"], 5, "is not a file"),
        (["normalize", "/dev/zero", "--out", "o"], 5, "is not a file"),
        (["normalize", "result.zip", "--out", "o", "--numbers", "nowhere"], 5, "nowhere is not a file"),
        (["normalize", "result.zip", "--out", "o", "--numbers", "result.zip"], 5, "contains 2 lists"),
        (["normalize", "result.zip", "--out", "result.zip"], 2, "--out"),
        (["normalize", "result.zip", "--out", "o", "--task-type", "x"], 2, "Use one of"),
        (["normalize", "result.zip", "--out", "o", "--checked-at", "noon"], 2, "--checked-at is not a time"),
        (["normalize", "result.zip", "--out", "o", "--checked-at", ""], 2, "--checked-at is not a time"),
        (
            ["normalize", "result.zip", "--out", "o", "--checked-at", "9999-12-31T23:00-09:00"],
            2,
            "not a time",
        ),
        (["normalize", "result.zip", "--out", "o", "--task-id", "\udcff"], 2, "--task-id"),
        (["normalize", "result.zip", "--out", "o", "--task-type", "tg_active"], 3, "no column telegram_days"),
        (["normalize", "result.zip"], 2, "--out"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_a_code(desk, words, code, sentence):
    ekyc, tmp_path = desk
    found, said, complaint = ekyc(*words)
    assert (found, said) == (code, "")
    assert sentence in complaint
    assert "Traceback" not in complaint
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_time_that_cannot_be_asks_for_another(archive):
    class Odd(type(archive)):
        def stat(self, **_):
            return os.stat_result([0] * 8 + [1 << 60] * 2)

    with pytest.raises(ConfigurationError, match="--checked-at"):
        moment_of(Odd(archive), now=NOW)


@pytest.mark.parametrize(
    ("moment", "words"),
    [("2026-06-01T12:06:00", "is in the future"), ("1980-01-01T00:00:00", "is before 2009")],
)
def test_no_answer_was_made_then(archive, moment, words):
    written_at = datetime.fromisoformat(f"{moment}Z")
    os.utime(archive, (written_at.timestamp(), written_at.timestamp()))
    with pytest.raises(
        ConfigurationError, match=f"result.zip has a time that {words}\\. Give .* --checked-at"
    ):
        moment_of(archive, now=NOW)
    with pytest.raises(ConfigurationError, match=f"--checked-at {words}"):
        moment_said(moment, now=NOW)


def test_clocks_may_differ_by_minutes():
    assert moment_said("2026-06-01T12:04:00", now=NOW) > NOW


def test_a_name_that_is_no_text_is_shown_all_the_same(ekyc, tmp_path):
    path = tmp_path / "a\udcff\x1b.csv"
    path.write_text(DOCUMENTED)
    code, said, _ = ekyc("normalize", path, "--out", tmp_path / "o\udcff", "--json")
    assert (code, json.loads(said)["members_read"]) == (0, ["a??.csv"])


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, iso):
    assert moment_said(text, now=NOW).isoformat() == iso


PIECES = st.sampled_from([
    zip_bytes({"all.csv": DOCUMENTED}), workbook_bytes([HEADER.split(",")]), HEADER.encode(), b"+41798284651",
    b"PK\x03\x04", b"\x1f\x8b\x08\0", b",", b"\n", b'"', b"\xff\xfe", b"\0", "é".encode("utf-16"),
])  # fmt: skip


@settings(
    max_examples=at_most(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    data=st.one_of(st.binary(max_size=200), st.lists(st.one_of(PIECES, st.binary(max_size=9))).map(b"".join))
)
def test_any_bytes_at_all_end_well_or_as_a_sentence(ekyc, tmp_path, data):
    archive = tmp_path / "any"
    archive.write_bytes(data)
    code, _, complaint = ekyc("normalize", archive, "--out", tmp_path / "o", "--checked-at", "2026-01-02")
    assert code in {0, 3}
    assert bool(code) == complaint.startswith("ekyc: Batch ")
    assert "41798284651" not in complaint
