"""One row for each number of a landed file, whichever batch answered it, and no formula in a spreadsheet."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import fastexcel
import polars as pl
import pytest
from support.fake_clock import START, FakeClock
from support.installed import made
from typer.testing import CliRunner

from ekyc_tasks.cli import app
from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake.files import arrivals
from ekyc_tasks.intake.rules import LandingRule, ReadingPolicy, ReadingRules
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.planning.plan import Planner, PlanPolicy
from ekyc_tasks.reporting import export as room
from ekyc_tasks.reporting.export import export
from ekyc_tasks.reporting.writers import write_csv
from ekyc_tasks.storage.dataset import ParquetFile, dataset_path
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import private_dir
from ekyc_tasks.task_types import task_type

pytestmark = pytest.mark.integration

A, B, C, D, E, F = (f"+4179828465{digit}" for digit in range(6))
POLICY = PlanPolicy(task_type="tg_avatar", batch_size=1000)
SCHEMA = task_type("tg_avatar").row_types


class Office:
    """A data folder in which files are planned, and batches loaded by hand."""

    def __init__(self, home):
        root = home / "data"
        self.folder = DataFolder(root, root / "landing", root / "warehouse")
        private_dir(self.folder.landing)
        self.clock = FakeClock()
        self.ledger = make_ledger(f"sqlite:///{root}/ledger.db", self.clock.now)
        self.ledger.runs.opened("run", host="here", lease=timedelta(days=365))

    def plan(self, name, *lines, policy=POLICY):
        """The id of the batch that a file makes."""
        (self.folder.landing / name).write_text("".join(f"{line}\n" for line in lines))
        self.clock.advance(60)
        planner = Planner(StepContext("run", self.ledger, self.folder, self.clock), policy)
        return (*planner.run(arrivals(self.folder.landing)).new_batches, None)[0]

    def load(self, batch_id, verdicts, **columns):
        """Loaded, with these numbers and verdicts."""
        checked_at = self.clock.now()
        rows = pl.DataFrame({"number": list(verdicts), "telegram": list(verdicts.values())}).with_columns(
            checked_at=pl.lit(checked_at),
            batch_id=pl.lit(batch_id),
            task_id=pl.lit("task"),
            **{name: pl.lit(value) for name, value in columns.items()},
        )
        missing = [
            pl.lit(None).cast(kind).alias(name) for name, kind in SCHEMA.items() if name not in rows.columns
        ]
        path = dataset_path(self.folder.warehouse, "tg_avatar", checked_at, batch_id)
        private_dir(path.parent)
        with ParquetFile(path, SCHEMA, ()) as file:
            file.add(
                rows.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
            )
        self.set(batch_id, BatchState.LOADED, checked_at=checked_at, submitted_at=checked_at)

    def set(self, batch_id, state, **values):
        store = self.ledger.plans._store
        with store.writing() as connection:
            sources = list(BatchState)
            store.move(connection, batch_id, sources=sources, to=state, why="", run_id="run", **values)

    def export(self, what, kind="parquet", out=None):
        return export(
            what, ledger=self.ledger, folder=self.folder, reading=POLICY.reading, kind=kind, out=out
        )

    def states(self, what):
        """line, number, state, verdict, batch of each row."""
        frame = pl.read_parquet(self.export(what).path)
        return frame.select("line", "number", "state", "telegram", "batch_id").rows()


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path)
    yield office
    office.ledger.close()


def test_a_row_a_number_in_the_order_of_the_file(office):
    batch = office.plan("a.csv", "phone", C, A, "junk", A, B)
    office.load(batch, {A: True, B: False, C: None})

    assert office.states("a.csv") == [
        (2, C, "undetermined", None, batch),
        (3, A, "answered", True, batch),
        (6, B, "answered", False, batch),
    ]


def test_the_column_that_a_number_stands_in_first_is_named(office):
    everything = replace(POLICY, reading=ReadingPolicy(ReadingRules(columns=("*",))))
    office.plan(
        "a.csv",
        "Office phone,Name,Mobile",
        f"{A},Ann,{B}",
        f"{B},Ben,{A};{C}",
        f",Cy,{D},{E}",
        policy=everything,
    )
    office.plan("b.txt", F)

    frame = pl.read_parquet(office.export("a.csv").path)
    assert frame.select("number", "column").rows() == [
        (A, "Office phone"), (B, "Mobile"), (C, "Mobile"), (D, "Mobile"), (E, None),
    ]  # fmt: skip
    assert pl.read_parquet(office.export("b.txt").path)["column"].to_list() == [None]


def test_a_file_is_exported_as_it_was_read_and_not_as_it_would_be_read_today(office, monkeypatch):
    mobile = ReadingRules(columns=("Mobile",))
    policy = replace(POLICY, reading=ReadingPolicy(landing=(LandingRule("*", mobile),)))
    batch = office.plan("a.csv", "Office,Mobile", f"{A},{B}", f"{C},{D}", policy=policy)
    office.load(batch, {B: True, D: False})
    today = replace(POLICY, reading=ReadingPolicy(ReadingRules(columns=("Office",))))
    monkeypatch.setattr(f"{__name__}.POLICY", today)

    assert office.states("a.csv") == [(2, B, "answered", True, batch), (3, D, "answered", False, batch)]


def test_more_rows_than_are_sorted_come_batch_by_batch(office, monkeypatch):
    batch = office.plan("a.csv", "phone", C, A, B)
    office.load(batch, {A: True, B: False})
    in_order = office.states("a.csv")
    monkeypatch.setattr(room, "IN_ORDER", 1)
    monkeypatch.setattr(room, "_CHUNK_ROWS", 1)

    assert sorted(office.states("a.csv")) == in_order


def test_earlier_batches_answer_too_and_each_other_number_has_its_state(office):
    earlier = office.plan("a.txt", A, B)
    office.load(earlier, {A: True})
    office.folder.do_not_send.write_text(f"{E}\n")
    policy = PlanPolicy(task_type="tg_avatar", batch_size=1000, first=1)
    office.plan("b.txt", A, B, C, D, E, policy=policy)
    sent, planned = sorted(
        batch.batch_id for batch in office.ledger.history.batches() if batch.batch_id != earlier
    )
    office.set(sent, BatchState.HELD)

    assert office.states("b.txt") == [
        (1, A, "answered", True, earlier),
        (2, B, "missing", None, earlier),
        (3, C, "held", None, sent),
        (4, D, "planned", None, planned),
        (5, E, "do_not_send", None, None),
    ]


def test_the_newest_answer_that_says_something(office):
    first = office.plan("a.txt", A, B)
    office.load(first, {A: True, B: None})
    again = PlanPolicy(task_type="tg_avatar", batch_size=1000, recheck=True)
    second = office.plan("b.txt", A, B, policy=again)
    office.load(second, {A: False, B: None})
    third = office.plan("c.txt", A, policy=again)
    office.load(third, {A: None})

    assert office.states("a.txt") == [
        (1, A, "answered", False, second),
        (2, B, "undetermined", None, second),
    ]


def test_numbers_that_wait_and_numbers_that_were_let_go(office):
    office.plan("a.txt", A, policy=PlanPolicy(task_type="tg_avatar", batch_size=1000, min_batch=5))
    assert office.states("a.txt") == [(1, A, "waiting", None, None)]
    batch = office.plan("b.txt", B)
    office.set(batch, BatchState.ABANDONED)
    assert office.states("b.txt") == [(1, B, "not_asked", None, None)]


def test_the_same_by_name_path_digest_and_id_and_a_batch_by_its_own(office, tmp_path):
    batch = office.plan("a.txt", B, A)
    [file] = office.ledger.history.files()
    copy = tmp_path / "copy of a.txt"
    copy.write_text(f"{B}\n{A}\n")

    names = (file.name, file.file_id, file.sha256, file.sha256.upper(), str(copy))
    assert [office.states(name) for name in names] == [office.states("a.txt")] * 5
    assert [row[1] for row in office.states(batch)] == [A, B]


@pytest.mark.parametrize(("what", "kind"), [("nothing.txt", "csv"), ("a.txt", "pdf")])
def test_what_there_is_not(office, what, kind):
    office.plan("a.txt", A)
    with pytest.raises(ConfigurationError, match=r"nothing\.txt|pdf"):
        office.export(what, kind)
    assert not office.folder.exports.exists()


def test_a_dataset_that_was_moved_away_leaves_the_numbers_missing(office):
    batch = office.plan("a.txt", A)
    office.load(batch, {A: True})
    for path in office.folder.warehouse.rglob("*.parquet"):
        path.unlink()
    assert office.states("a.txt") == [(1, A, "missing", None, batch)]


EVIL = "=cmd|' /C calc'!A0"


def test_csv_is_safe_to_open(office):
    batch = office.plan("a.txt", A)
    office.load(batch, {A: True}, category=EVIL, hair_color=" +1", extra="a;@b\n-c")
    path = office.export("a.txt", "csv").path
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, row = csv.reader(file)
    cells = dict(zip(header, row, strict=True))
    assert (cells["number"], cells["telegram"], cells["category"]) == (f"'{A}", "true", f"'{EVIL}")
    assert (cells["hair_color"], cells["extra"]) == ("' +1", "a;'@b\n'-c")
    assert cells["checked_at"].startswith("2026-11-21")


def test_no_cell_of_any_text_begins_a_formula(tmp_path):
    texts = [f"{before}{sign}x" for before in ("", " ", "a;", "a\t", "a\n ") for sign in "=+-@＝＋－＠"]
    frame = pl.DataFrame({"text": texts})
    write_csv(tmp_path / "x.csv", [frame], frame.schema)
    with (tmp_path / "x.csv").open(encoding="utf-8-sig", newline="") as file:
        for (cell,) in list(csv.reader(file))[1:]:
            assert not any(
                part.strip()[:1] in "=+-@＝＋－＠"
                for part in cell.replace("\t", ";").replace("\n", ";").split(";")
            )


def test_a_workbook_keeps_numbers_and_formulas_as_text(office):
    batch = office.plan("a.txt", A, B)
    office.load(batch, {A: True}, category=EVIL, age_min=25)
    path = office.export("a.txt", "xlsx").path
    first, second = fastexcel.read_excel(path).load_sheet(0).to_polars().rows(named=True)
    assert (first["number"], first["telegram"], first["category"], first["age_min"]) == (A, True, EVIL, 25)
    assert first["checked_at"].isoformat() == START.replace(tzinfo=None, minute=28).isoformat()
    assert (second["number"], second["state"], second["telegram"]) == (B, "missing", None)


def test_a_sheet_has_an_end(office, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.reporting.writers.SHEET_ROWS", 2)
    office.plan("a.txt", A, B)
    with pytest.raises(ConfigurationError, match="csv or parquet"):
        office.export("a.txt", "xlsx")
    assert list(office.folder.exports.iterdir()) == []


def test_the_command(office, tmp_path, monkeypatch):
    office.plan("a.txt", A, B)
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    to = tmp_path / "out.csv"

    done = CliRunner().invoke(app, ["export", "a.txt", "--out", str(to), "--json"])
    shown = CliRunner().invoke(app, ["export", "a.txt"]).stdout

    assert json.loads(done.stdout) == {"path": str(to), "name": "a.txt", "states": {"planned": 2}}
    assert ("a.txt.tg_avatar.csv" in shown, A[1:] in shown) == (True, False)
    assert len(to.read_text().splitlines()) == 3


@pytest.mark.parametrize("where", ["a folder", "a file/out.csv"])
def test_a_place_that_cannot_be_written_is_a_sentence(office, tmp_path, monkeypatch, where):
    office.plan("a.txt", A, B)
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file").touch()

    done = CliRunner().invoke(app, ["export", "a.txt", "--out", str(tmp_path / where)])

    assert isinstance(done.exception, ConfigurationError)
    assert str(tmp_path / where.partition("/")[0]) in str(done.exception)
    assert sorted(path.name for path in (tmp_path).iterdir()) == ["a file", "a folder", "data"]


@pytest.mark.parametrize(
    ("days", "shorter", "asked_again"),
    [(5, None, []), (5, 7, []), (5, 3, [B, C]), (31, 3, [A, B, C])],
)
def test_numbers_without_a_yes_or_no_are_asked_again_sooner(office, days, shorter, asked_again):
    """B came back with neither, C did not come back at all."""
    office.load(office.plan("a.txt", A, B, C), {A: True, B: None})
    office.clock.advance(timedelta(days=days).total_seconds())
    policy = PlanPolicy(
        task_type="tg_avatar",
        batch_size=1000,
        fresh_for_undetermined=None if shorter is None else timedelta(days=shorter),
    )

    batch = office.plan("b.txt", A, B, C, policy=policy)

    assert (office.folder.batch_file(batch).read_text().split() if batch else []) == asked_again


def test_without_the_answers_at_hand_nothing_counts_as_undetermined(office):
    office.load(office.plan("a.txt", A, B), {A: True, B: None})
    for path in office.folder.warehouse.rglob("*.parquet"):
        path.unlink()
    office.clock.advance(timedelta(days=5).total_seconds())
    policy = PlanPolicy(task_type="tg_avatar", batch_size=1000, fresh_for_undetermined=timedelta(days=3))

    assert office.plan("b.txt", A, B, policy=policy) is None


def with_zeros_inside(data):
    """Its footer is whole, its pages are not."""
    return data[:4] + bytes(len(data) // 2) + data[4 + len(data) // 2 :]


@pytest.mark.parametrize("damage", [lambda _: b"junk", lambda data: data[:-9], with_zeros_inside])
def test_a_damaged_file_is_named_with_the_way_on(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    made(tmp_path / "data", "https://api.ekycpro.com")
    answers = tmp_path / "all.csv"
    answers.write_text("Number,telegram\n" + "".join(f"+4179{n:07},yes\n" for n in range(2_000)))
    run = CliRunner().invoke
    done = run(app, ["import", str(answers), "--checked-at", "2026-01-02", "--json"])
    (document,) = json.loads(done.stdout)["imported"]
    batch_id, path = document["batch_id"], Path(document["dataset"])
    path.write_bytes(damage(path.read_bytes()))

    error = run(app, ["export", batch_id]).exception
    assert isinstance(error, InputError)
    assert str(error) == (
        f"The rows of batch {batch_id} cannot be read, because {path} is damaged. "
        f"`ekyc replay {batch_id}` writes it again."
    )
    assert not list((tmp_path / "data" / "exports").iterdir())
    assert run(app, ["replay", batch_id]).exit_code == 0
    assert run(app, ["export", batch_id]).exit_code == 0
