"""Planning on real files with a real ledger: every line has one fate, every file is planned once."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from support import START, FakeClock

from ekyc_tasks import disk
from ekyc_tasks.disk import locked
from ekyc_tasks.errors import ConfigurationError, InputError, LeaseLost
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Attempt, Ledger, open_ledger
from ekyc_tasks.models import BatchState, Decision, Outcome, Reconciliation, UploadResult
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.steps.arrivals import settled_arrivals
from ekyc_tasks.steps.plan import Plan, PlanPolicy, plan, preview
from ekyc_tasks.steps.resolve import Verdict, resolve

pytestmark = pytest.mark.integration

A, B, C, D = "+41798284651", "+41798284652", "+41798284653", "+41798284654"
POLICY = PlanPolicy(task_type="tg_avatar", batch_size=1000)


@dataclass
class Office:
    """A data folder and a ledger with one run that plans."""

    folder: DataFolder
    ledger: Ledger
    clock: FakeClock
    run_id: str = "run"

    def drop(self, name: str, *lines: str) -> Path:
        path = self.folder.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def plan(self, policy: PlanPolicy = POLICY, *named: Path) -> Plan:
        self.clock.advance(1)
        return asyncio.run(self._plan(policy, named))

    async def _plan(self, policy: PlanPolicy, named: tuple[Path, ...]) -> Plan:
        found = await settled_arrivals(self.folder.landing, named, settle=timedelta(0), clock=self.clock)
        return await plan(
            found.settled,
            run_id=self.run_id,
            ledger=self.ledger,
            folder=self.folder,
            policy=policy,
            clock=self.clock,
        )

    def preview(self, policy: PlanPolicy = POLICY) -> Plan:
        return asyncio.run(self._preview(policy))

    async def _preview(self, policy: PlanPolicy) -> Plan:
        found = await settled_arrivals(self.folder.landing, (), settle=timedelta(0), clock=self.clock)
        return await preview(
            found.settled, ledger=self.ledger, folder=self.folder, policy=policy, clock=self.clock
        )

    def sent(self, batch_id: str) -> list[str]:
        return self.folder.batch_file(batch_id).read_text().splitlines()

    def attempt(self, batch_id: str) -> Attempt:
        return self.ledger.uploads.intended(
            batch_id,
            run_id=self.run_id,
            deadline=timedelta(0),
            price=None,
            budget=NO_BUDGET,
            balance=None,
        )

    def load(self, batch_id: str) -> None:
        """Push a planned batch to LOADED, as if the provider had answered everything."""
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.ACCEPTED, "", 200, task_id=f"task-of-{batch_id}")
        self.ledger.uploads.accepted(attempt.attempt_id, result, run_id=self.run_id)
        self.ledger.progress.fetched(
            batch_id, sha256="", size=0, checked_at=self.clock.now(), run_id=self.run_id
        )
        count = len(self.sent(batch_id))
        self.ledger.progress.loaded(
            batch_id, Reconciliation(count, count, count, 0, 0, 0, 0), run_id=self.run_id
        )

    def hold(self, batch_id: str) -> None:
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.UNKNOWN, "no answer")
        self.ledger.uploads.answered(attempt, result, to=BatchState.HELD, why="no answer")

    def refuse(self, batch_id: str, *, status: int = 400, minimum: int | None = None) -> None:
        attempt = self.attempt(batch_id)
        result = UploadResult(Outcome.REFUSED, "not like this", status, minimum=minimum)
        self.ledger.uploads.answered(attempt, result, to=BatchState.REFUSED, why=result.words)

    def state(self, batch_id: str) -> BatchState:
        return self.ledger.history.batch(batch_id).state

    def decide(self, batch_id: str, decision: Decision, **more: bool) -> None:
        verdict = Verdict(decision, "tester", **more)
        asyncio.run(resolve(batch_id, verdict, ledger=self.ledger, provider=None))


@pytest.fixture
def office(tmp_path):
    folder = DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse")
    folder.landing.mkdir()
    clock = FakeClock()
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock.now) as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(days=365))
        yield Office(folder, ledger, clock)


def fates(file) -> dict[str, int]:
    names = (
        "blank",
        "header",
        "rejected",
        "duplicate",
        "do_not_send",
        "known",
        "in_flight",
        "waiting",
        "batched",
    )
    return {name: getattr(file, name) for name in names if getattr(file, name)}


def test_every_line_has_exactly_one_fate(office):
    office.folder.do_not_send.write_text(f"{D}\n")
    office.drop("a.csv", "phone,name", f"{A},x", "", f"{B},y", f"{A},x", "junk,z", f"{D},x", "123,x")

    [file] = office.plan().files

    assert fates(file) == {
        "header": 1,
        "batched": 2,
        "blank": 1,
        "duplicate": 1,
        "rejected": 2,
        "do_not_send": 1,
    }
    assert sum(fates(file).values()) == file.lines == 8


def test_a_planner_that_is_asleep_does_not_stop_the_others_for_ever(office, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.steps.turns._LONGEST", 0.15)
    path = office.drop("a.txt", A)

    with locked(office.folder.planning_lock), pytest.raises(LeaseLost, match="the next run plans"):
        office.plan()
    assert path.exists()
    assert len(office.plan().files) == 1


def test_a_file_becomes_a_batch_and_leaves_the_landing_folder(office):
    path = office.drop("a.txt", A, B)
    content = path.read_bytes()

    done = office.plan()

    [file], [batch_id] = done.files, done.new_batches
    batch = office.ledger.history.batch(batch_id)
    kept = office.folder.input_file(file.sha256)
    assert not path.exists()
    assert (kept.read_bytes(), stat.S_IMODE(kept.stat().st_mode)) == (content, 0o400)
    assert (batch.state, batch.numbers, office.sent(batch_id)) == (BatchState.PLANNED, 2, [A, B])
    assert batch.sha256 == disk.sha256_of(office.folder.batch_file(batch_id))
    assert list(office.folder.staging.iterdir()) == []


def test_rejected_lines_are_kept_with_line_and_reason(office):
    office.drop("a.txt", A, "junk", "12")

    [file] = office.plan().files

    kept = pl.read_parquet(office.folder.quarantine / "landing" / f"{file.sha256}.parquet")
    assert kept.select("line", "raw").rows() == [(2, "junk"), (3, "12")]
    assert kept["reason"].null_count() == 0


def test_a_number_of_two_files_is_bought_once(office):
    office.drop("a.txt", A, B)
    office.drop("b.txt", B, C)

    done = office.plan()

    [batch_id] = done.new_batches
    assert office.sent(batch_id) == [A, B, C]
    assert [fates(file) for file in done.files] == [{"batched": 2}, {"in_flight": 1, "batched": 1}]


@pytest.mark.parametrize(
    ("push", "expected"),
    [
        (lambda office, batch: None, {"in_flight": 2}),
        (Office.hold, {"in_flight": 2}),
        (Office.load, {"known": 2}),
    ],
    ids=["planned", "held", "loaded"],
)
def test_the_same_bytes_landed_again_are_another_file_and_buy_nothing(office, push, expected):
    office.drop("a.txt", A, B)
    [batch_id] = office.plan().new_batches
    push(office, batch_id)

    office.drop("a.txt", A, B)
    again = office.plan()

    assert (again.new_batches, [fates(file) for file in again.files]) == ((), [expected])
    assert len(office.ledger.history.files()) == 2


@pytest.mark.parametrize(("fresh_for", "asked_again"), [(30, False), (10, True), (0, True)])
def test_answers_are_known_for_as_long_as_they_are_fresh(office, fresh_for, asked_again):
    office.drop("a.txt", A)
    [batch_id] = office.plan().new_batches
    office.load(batch_id)
    office.clock.advance(timedelta(days=20).total_seconds())

    office.drop("b.txt", A)
    again = office.plan(replace(POLICY, fresh_for=timedelta(days=fresh_for)))

    assert bool(again.new_batches) is asked_again


def test_another_task_type_asks_for_itself(office):
    office.drop("a.txt", A)
    office.plan()
    office.drop("b.txt", A)

    assert len(office.plan(replace(POLICY, task_type="tg")).new_batches) == 1


def test_a_named_file_stays_where_it_is_and_is_bought_once(office, tmp_path):
    path = tmp_path / "elsewhere.txt"
    path.write_text(f"{A}\n")

    first, second = office.plan(POLICY, path), office.plan(POLICY, path)

    assert path.exists()
    assert (len(first.new_batches), second.new_batches) == (1, ())


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [("*.csv", ["b.csv", "crm/c.csv"]), ("crm/*", ["crm/c.csv"]), ("a.txt", ["a.txt"]), ("d.txt", [])],
)
def test_a_relative_name_is_a_pattern_in_the_landing_folder(office, pattern, taken):
    (office.folder.landing / "crm").mkdir()
    for index, name in enumerate(("a.txt", "b.csv", "crm/c.csv")):
        office.drop(name, f"+4179828600{index}")

    found = asyncio.run(
        settled_arrivals(office.folder.landing, [Path(pattern)], settle=timedelta(0), clock=office.clock)
    )

    assert sorted(each.name for each in found.settled) == taken
    assert len(found.unreadable) == (not taken)


def test_killed_before_the_commit_nothing_is_planned_and_the_file_is_still_there(office, monkeypatch):
    path = office.drop("a.txt", A)
    monkeypatch.setattr(office.ledger.plans, "planned", killed)
    with pytest.raises(KeyboardInterrupt):
        office.plan()
    monkeypatch.undo()
    assert path.exists()
    assert len(list(office.folder.batches.iterdir())) == 1

    done = office.plan()

    assert [each.stem for each in office.folder.batches.iterdir()] == list(done.new_batches)
    assert fates(done.files[0]) == {"batched": 1}


def test_killed_after_the_commit_the_file_is_not_planned_again(office, monkeypatch):
    path = office.drop("a.txt", A)
    monkeypatch.setattr("ekyc_tasks.steps.plan.Planner._remove", killed)
    with pytest.raises(KeyboardInterrupt):
        office.plan()
    monkeypatch.undo()
    assert path.exists()

    done = office.plan()

    assert (done.files, path.exists()) == ((), False)
    assert len(office.ledger.history.files()) == 1


def killed(*_, **__):
    raise KeyboardInterrupt


def test_what_arrives_under_the_name_meanwhile_is_a_new_arrival(office, monkeypatch):
    path = office.drop("a.txt", A)
    commit = office.ledger.plans.planned

    def commit_while_somebody_writes(**what):
        path.unlink()
        office.drop("a.txt", B)
        commit(**what)

    monkeypatch.setattr(office.ledger.plans, "planned", commit_while_somebody_writes)
    office.plan()
    monkeypatch.undo()

    assert path.read_text() == f"{B}\n"
    assert office.sent(office.plan().new_batches[0]) == [B]


def test_too_few_numbers_wait_for_company(office):
    policy = replace(POLICY, min_batch=3, max_hold_back=timedelta(hours=1))
    office.drop("a.txt", A, B)
    lonely = office.plan(policy)
    office.drop("b.txt", C)
    company = office.plan(policy)

    assert ([fates(file) for file in lonely.files], lonely.new_batches) == ([{"waiting": 2}], ())
    assert [office.sent(batch) for batch in company.new_batches] == [[A, B, C]]
    assert [fates(file) for file in office.ledger.history.files()] == [{"batched": 2}, {"batched": 1}]


def test_they_do_not_wait_for_ever(office):
    policy = replace(POLICY, min_batch=3, max_hold_back=timedelta(hours=1))
    office.drop("a.txt", A)
    office.plan(policy)
    office.clock.advance(3600)

    assert [office.sent(batch) for batch in office.plan(policy).new_batches] == [[A]]


def test_a_limit_cuts_the_first_batch_also_out_of_one_that_was_planned_before(office):
    office.drop("a.txt", A, B, C, D)
    [whole] = office.plan().new_batches

    cut = office.plan(replace(POLICY, first=1)).new_batches

    assert office.ledger.history.batch(whole).state is BatchState.ABANDONED
    assert [office.sent(batch) for batch in cut] == [[A], [B, C, D]]
    assert [fates(file) for file in office.ledger.history.files()] == [{"batched": 4}]


def test_what_a_file_has_bought_it_does_not_buy_again_when_the_rest_of_it_is_planned_again(office):
    """Not even with answers that are never fresh: that is for files which land anew."""
    policy = replace(POLICY, first=1, fresh_for=timedelta(0))
    office.drop("a.txt", A, B, C)
    first, _ = office.plan(policy).new_batches
    office.drop("b.txt", A, D)  # A is in flight
    office.plan(replace(policy, first=None))
    office.load(first)

    again = office.plan(policy).new_batches

    assert [office.sent(batch) for batch in again] == [[B], [C]]
    assert [fates(file) for file in office.ledger.history.files()] == [
        {"batched": 3},
        {"in_flight": 1, "batched": 1},
    ]
    office.drop("c.txt", A)
    assert [office.sent(batch) for batch in office.plan(policy).new_batches] == [[A]]


def test_abandoned_numbers_are_planned_again_for_every_file_that_waited_for_them(office):
    office.drop("a.txt", A, B)
    [held] = office.plan().new_batches
    office.hold(held)
    office.drop("b.txt", B, C)
    office.plan()
    office.decide(held, Decision.ABANDON)

    again = office.plan().new_batches

    assert [office.sent(batch) for batch in again] == [[A, B]]
    assert [fates(file) for file in office.ledger.history.files()] == [
        {"batched": 2},
        {"in_flight": 1, "batched": 1},
    ]


def test_dropped_numbers_are_not_planned_again(office):
    office.drop("a.txt", A)
    [held] = office.plan().new_batches
    office.hold(held)
    office.decide(held, Decision.ABANDON, drop=True)

    assert office.plan().new_batches == ()


def test_a_file_that_cannot_be_read_stays_and_the_others_go_on(office):
    office.drop("good.txt", A)
    bad = office.drop("bad.doc", B)

    done = office.plan()

    assert bad.exists()
    assert len(done.new_batches) == 1
    assert ["bad.doc" in sentence for sentence in done.unreadable] == [True]


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda file: os.truncate(file, 0), lambda file: os.truncate(file, 13)],
    ids=["lost", "empty", "cut"],
)
def test_a_damaged_batch_file_stops_planning_for_numbers_might_be_bought_twice(office, damage):
    office.drop("a.txt", A, C)
    [batch_id] = office.plan().new_batches
    damage(office.folder.batch_file(batch_id))
    office.folder.keys_file(batch_id).unlink()
    path = office.drop("b.txt", B)

    with pytest.raises(InputError, match=batch_id):
        office.plan()
    assert path.exists()


def test_a_landing_folder_that_is_not_there_is_said_so(office):
    office.folder.landing.rmdir()

    with pytest.raises(ConfigurationError, match="landing"):
        office.plan()


def test_files_are_taken_when_they_have_stood_still(office, monkeypatch):
    """The file's clock is far from ours: only looking on tells, and a growing file is left."""
    still, growing = office.drop("still.txt", A), office.drop("growing.txt", A)
    nap = office.clock.sleep

    async def sleep_while_somebody_writes(seconds):
        growing.write_text(growing.read_text() + f"{B}\n")
        await nap(seconds)

    monkeypatch.setattr(office.clock, "sleep", sleep_while_somebody_writes)
    office.clock.time = START.replace(year=2000)
    found = asyncio.run(
        settled_arrivals(office.folder.landing, (), settle=timedelta(seconds=2), clock=office.clock)
    )

    assert [each.name for each in found.settled] == [still.name]
    assert ["growing.txt" in sentence for sentence in found.unsettled] == [True]
    assert 2 <= sum(office.clock.naps) <= 30


def test_a_do_not_send_line_that_is_no_number_stops_planning_rather_than_let_somebody_through(office):
    office.folder.do_not_send.write_text(f"# asked us to stop\n{A}\n079 828 46 51\n")
    path = office.drop("a.txt", A, B)

    with pytest.raises(InputError, match="line 3"):
        office.plan()
    assert path.exists()

    office.folder.do_not_send.write_text(f"# asked us to stop\n{A}\n")
    assert [office.sent(batch) for batch in office.plan().new_batches] == [[B]]


def test_recheck_asks_again_what_is_fresh_but_not_what_is_on_its_way_or_not_to_be_sent(office):
    recheck = replace(POLICY, recheck=True)
    office.drop("a.txt", A, B)
    [loaded] = office.plan().new_batches
    office.load(loaded)
    office.drop("b.txt", C)
    office.plan()
    office.folder.do_not_send.write_text(f"{B}\n")
    office.drop("c.txt", A, B, C)

    done = office.plan(recheck)

    assert [office.sent(batch) for batch in done.new_batches] == [[A]]
    assert [fates(file) for file in done.files] == [{"batched": 1, "do_not_send": 1, "in_flight": 1}]


def test_recheck_is_for_what_lands_not_for_what_has_waited(office):
    patient = replace(POLICY, min_batch=2)
    office.drop("a.txt", A, B)
    [loaded] = office.plan(patient).new_batches
    office.load(loaded)
    office.drop("b.txt", A, C)
    assert [fates(file) for file in office.plan(patient).files] == [{"known": 1, "waiting": 1}]
    office.drop("c.txt", D)

    done = office.plan(replace(patient, recheck=True))

    assert [office.sent(batch) for batch in done.new_batches] == [[C, D]]


def test_what_was_known_when_a_file_landed_stays_known_when_it_is_planned_again(office):
    policy = replace(POLICY, min_batch=2, max_hold_back=timedelta(days=60))
    office.drop("a.txt", A, B)
    [loaded] = office.plan(policy).new_batches
    office.load(loaded)
    office.clock.advance(timedelta(days=29).total_seconds())
    office.drop("b.txt", A, C)
    office.plan(policy)
    office.clock.advance(timedelta(days=5).total_seconds())
    office.drop("c.txt", D)

    done = office.plan(policy)

    assert [office.sent(batch) for batch in done.new_batches] == [[C, D]]
    assert [fates(file) for file in done.files] == [{"known": 1, "batched": 1}, {"batched": 1}]


def test_too_few_numbers_are_reported_when_they_are_not_to_be_sent(office):
    policy = replace(POLICY, min_batch=3, send_rest=False)
    office.drop("a.txt", A)
    early = office.plan(policy)
    office.clock.advance(3600)
    late = office.plan(policy)

    assert (early.notes, late.new_batches) == ((), ())
    assert ["a.txt" in sentence and "EKYC_SMALL_REST" in sentence for sentence in late.notes] == [True]
    assert [office.sent(batch) for batch in office.plan(replace(policy, send_rest=True)).new_batches] == [[A]]


def test_a_preview_says_what_a_plan_does_and_writes_nothing(office):
    office.drop("a.txt", A, B)
    [loaded] = office.plan().new_batches
    office.load(loaded)
    office.drop("b.csv", "phone", A, C, C, "junk", D)
    office.drop("bad.doc", B)
    before = everything(office)

    seen = office.preview()

    assert everything(office) == before
    done = office.plan()
    assert [counted(file) for file in seen.files] == [counted(file) for file in done.files]
    assert [numbers for _, numbers in seen.batches] == [numbers for _, numbers in done.batches] == [2]
    assert (list(seen.rejected.values()), seen.unreadable) == ([{"no digits": 1}], done.unreadable)


def everything(office):
    """All files with their bytes, and all that the ledger says."""
    files = {
        path: path.read_bytes()
        for path in office.folder.root.rglob("*")
        if path.is_file() and path.suffix != ".db-shm"  # marks of readers
    }
    history = office.ledger.history
    return files, history.files(), history.batches()


def counted(file):
    return replace(file, file_id="", sha256="", run_id="", planned_at=START)


# ---------------------------------------------------------------- refusals


def some(count: int, *, start: int = 0) -> list[str]:
    return [f"+4179828{index:04}" for index in range(start, start + count)]


def test_a_minimum_that_a_refusal_names_is_respected_from_then_on(office):
    office.drop("a.txt", *some(30))
    [small] = office.plan().new_batches
    office.refuse(small, minimum=50)

    office.drop("b.txt", *some(40, start=100))
    done = office.plan()

    [batch_id] = done.new_batches
    assert sorted(office.sent(batch_id)) == sorted([*some(30), *some(40, start=100)])
    assert office.state(small) is BatchState.ABANDONED
    [sentence] = done.healed
    assert small in sentence
    assert "minimum is 50" in sentence


def test_too_few_for_the_provider_wait_however_long(office):
    office.drop("a.txt", *some(30))
    [small] = office.plan().new_batches
    office.refuse(small, minimum=50)
    office.clock.advance(30 * 24 * 3600)
    done = office.plan()
    assert done.new_batches == ()
    [file] = done.files
    assert fates(file) == {"waiting": 30}
    assert "takes no fewer than 50" in done.overdue[0]


def test_what_was_planned_before_the_minimum_was_known_is_packed_again(office):
    office.drop("a.txt", *some(30))
    [first] = office.plan().new_batches
    office.drop("b.txt", *some(30, start=100))
    [second] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [batch_id] = office.plan().new_batches
    assert len(office.sent(batch_id)) == 60
    assert office.state(second) is BatchState.ABANDONED


def test_a_refusal_is_healed_once(office):
    """The provider counts after its own de-duplication: what is large enough may be refused again."""
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [second] = office.plan().new_batches
    assert office.sent(second) == office.sent(first)
    office.refuse(second, minimum=50)
    assert office.plan().files == ()
    assert office.state(second) is BatchState.REFUSED


def test_every_file_that_waited_for_a_refused_batch_is_planned_again_and_marked(office):
    office.drop("a.txt", *some(30))
    [first] = office.plan().new_batches
    office.drop("b.txt", *some(25))
    office.plan()
    office.refuse(first, minimum=50)
    office.drop("c.txt", *some(40, start=100))
    done = office.plan()
    [batch_id] = done.new_batches
    assert {file.name: fates(file) for file in done.files} == {
        "a.txt": {"batched": 30},
        "b.txt": {"in_flight": 25},
        "c.txt": {"batched": 40},
    }
    office.refuse(batch_id, minimum=100)
    assert office.plan().files == ()


def test_what_is_too_large_is_halved_once(office):
    office.drop("a.txt", *some(101))
    [large] = office.plan().new_batches
    office.refuse(large, status=413)
    halves = office.plan().new_batches
    assert [len(office.sent(batch_id)) for batch_id in halves] == [51, 50]
    office.refuse(halves[0], status=413)
    assert office.plan().files == ()
    assert [office.state(batch_id) for batch_id in halves] == [BatchState.REFUSED, BatchState.PLANNED]


def test_what_cannot_be_halved_waits_for_a_person(office):
    office.drop("a.txt", A)
    [single] = office.plan().new_batches
    office.refuse(single, status=413)
    assert office.plan().files == ()
    assert office.state(single) is BatchState.REFUSED


def test_halves_below_the_minimum_are_not_made(office):
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    office.drop("b.txt", *some(60, start=100))
    office.clock.advance(1)
    [joined] = office.plan().new_batches
    assert len(office.sent(joined)) == 120
    office.drop("c.txt", *some(70, start=300))
    [other] = office.plan().new_batches
    office.refuse(other, status=413)
    assert office.plan().files == ()
    assert office.state(other) is BatchState.REFUSED


@pytest.mark.parametrize("status", [400, 422])
def test_another_refusal_waits_for_a_person(office, status):
    office.drop("a.txt", *some(60))
    [batch_id] = office.plan().new_batches
    office.refuse(batch_id, status=status)
    assert office.plan().files == ()
    assert office.state(batch_id) is BatchState.REFUSED


def test_what_a_person_resubmits_goes_as_it_is(office):
    office.drop("a.txt", *some(60))
    [first] = office.plan().new_batches
    office.refuse(first, minimum=50)
    [second] = office.plan().new_batches
    office.refuse(second, minimum=100)
    office.decide(second, Decision.RESUBMIT)
    assert office.plan().files == ()
    assert office.state(second) is BatchState.PLANNED


# ---------------------------------------------------------------- let go meanwhile, dropped


def test_what_is_abandoned_while_a_plan_is_made_is_planned_by_the_next(office, monkeypatch):
    office.drop("a.txt", *some(30))
    [held] = office.plan().new_batches
    office.hold(held)
    office.drop("b.txt", *some(30), A)
    planned = office.ledger.plans.planned

    def meanwhile(**plan):
        office.decide(held, Decision.ABANDON)
        planned(**plan)

    with monkeypatch.context() as patch:
        patch.setattr(office.ledger.plans, "planned", meanwhile)
        done = office.plan()
    assert fates(done.files[-1]) == {"in_flight": 30, "batched": 1}
    done = office.plan()
    [batch_id] = done.new_batches
    assert sorted(office.sent(batch_id)) == sorted(some(30))
    assert {file.name: file.in_flight + file.batched for file in done.files} == {"a.txt": 30, "b.txt": 31}


def test_dropped_numbers_are_not_bought_when_the_rest_of_their_file_is_planned_again(office):
    patient = replace(POLICY, batch_size=30, min_batch=30)
    office.drop("a.txt", *some(45))
    done = office.plan(patient)
    [batch_id] = done.new_batches
    office.hold(batch_id)
    office.decide(batch_id, Decision.ABANDON, drop=True)
    office.clock.advance(24 * 3600)
    [rest] = office.plan(patient).new_batches
    assert sorted(office.sent(rest)) == sorted(set(some(45)) - set(office.sent(batch_id)))
