"""Planning on real files with a real ledger: every line has one fate, every file is planned once."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from support.fake_clock import START
from support.planning_office import POLICY, A, B, C, D, Office, fates, some

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.arrivals import find_settled
from ekyc_tasks.intake.rules import (
    NO_COUNTRY_COLUMN,
    NO_RULES,
    LandingRule,
    ReadingPolicy,
    ReadingRules,
    rules_from,
)
from ekyc_tasks.models import BatchState, Decision
from ekyc_tasks.money import SpendingGuard
from ekyc_tasks.planning.approval import Approval
from ekyc_tasks.support import atomic_files

pytestmark = pytest.mark.integration

TAKES_ALL = replace(POLICY, most_rejected=None)


def test_every_line_has_exactly_one_fate(office):
    office.folder.do_not_send.write_text(f"{D}\n")
    office.drop("a.csv", "phone,name", f"{A},x", "", f"{B},y", f"{A},x", "junk,z", f"{D},x", "123,x")

    [file] = office.plan(TAKES_ALL).files

    assert fates(file) == {
        "header": 1,
        "batched": 2,
        "blank": 1,
        "duplicate": 1,
        "rejected": 2,
        "do_not_send": 1,
    }
    assert sum(fates(file).values()) == file.counts.lines == 8


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
    assert batch.sha256 == atomic_files.sha256_of(office.folder.batch_file(batch_id))
    assert list(office.folder.staging.iterdir()) == []


def test_rejected_lines_are_kept_with_line_and_reason(office):
    office.drop("a.txt", A, "junk", "12")

    [file] = office.plan(TAKES_ALL).files

    kept = pl.read_parquet(office.folder.quarantine / "landing" / f"{file.sha256}.parquet")
    assert kept.select("line", "raw").rows() == [(2, "junk"), (3, "12")]
    assert kept["reason"].null_count() == 0


@pytest.mark.parametrize("policy", [POLICY, replace(POLICY, most_rejected=Decimal(1))])
def test_a_file_of_rejected_lines_is_a_question_and_leaves_no_trace(office, policy):
    path = office.drop("a.txt", "junk", "12", "")
    office.drop("b.txt", A)

    done, looked = office.plan(policy), office.preview(policy)

    assert [file.name for file in done.files] == ["b.txt"]
    assert path.exists()
    assert not office.folder.quarantine.exists()
    assert len(list((office.folder.root / "inputs").iterdir())) == 1
    assert list(office.folder.staging.iterdir()) == []
    assert done.unreadable == looked.unreadable
    [sentence] = done.unreadable
    assert sentence.startswith("a.txt was not planned, because 2 of its 2 lines were rejected: ")
    assert "(first: lines 1, 2)" in sentence
    assert "`ekyc run --accept-rejected`" in sentence


def test_a_file_that_was_taken_with_its_rejected_lines_is_never_a_question_again(office):
    office.drop("a.txt", A, "junk", "12")
    waiting = office.plan(replace(TAKES_ALL, min_batch=2))
    assert (waiting.new_batches, [file.counts.waiting for file in waiting.files]) == ((), [1])

    office.drop("b.txt", B)
    done = office.plan(replace(POLICY, min_batch=2))

    assert done.unreadable == ()
    assert [office.sent(batch_id) for batch_id in done.new_batches] == [[A, B]]


def data_files(office):
    return sorted(
        str(path.relative_to(office.folder.root))
        for name in ("inputs", "batches", "quarantine", ".plans", ".staging", "landing")
        for path in (office.folder.root / name).rglob("*")
        if path.is_file()
    )


def test_a_plan_above_what_may_be_sent_without_a_question_leaves_all_as_it_was(office):
    office.drop("a.txt", *some(9), "junk")
    careful = replace(POLICY, ask_above=SpendingGuard(numbers=8))

    asked, looked = office.plan(careful), office.preview(careful)

    assert (asked.files, asked.new_batches) == ((), ())
    assert asked.approval == looked.approval == Approval(9, None, careful.ask_above)
    assert data_files(office) == ["landing/a.txt"]
    assert office.ledger.history.batches() == office.ledger.history.files() == []


def test_an_approved_plan_is_made_unless_it_has_grown(office):
    careful = replace(POLICY, ask_above=SpendingGuard(numbers=2), approved=3)
    office.drop("a.txt", *some(4), "junk")
    assert office.plan(careful).approval.numbers == 4

    done = office.plan(replace(careful, approved=4))

    assert [office.sent(batch_id) for batch_id in done.new_batches] == [some(4)]
    assert data_files(office)[-1].startswith("quarantine/landing/")


def test_what_was_planned_keeps_its_files_when_the_same_bytes_are_a_question(office):
    office.drop("a.txt", *some(2), *some(8, start=100), "junk")
    office.plan()
    before = data_files(office)
    path = office.drop("again.txt", *some(2), *some(8, start=100), "junk")

    asked = office.plan(replace(POLICY, recheck=True, ask_above=SpendingGuard(numbers=1)))
    assert (asked.approval, data_files(office)) == (None, before)  # all of it is in flight

    [batch] = office.ledger.history.batches()
    office.load(batch.batch_id)
    path = office.drop(path.name, *some(2), *some(8, start=100), "junk")
    asked = office.plan(replace(POLICY, recheck=True, ask_above=SpendingGuard(numbers=1)))
    assert asked.approval.numbers == 10
    path.unlink()
    assert data_files(office) == before


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
        find_settled(office.folder.landing, [Path(pattern)], settle=timedelta(0), clock=office.clock)
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
    monkeypatch.setattr("ekyc_tasks.planning.plan.Planner._remove", killed)
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
        find_settled(office.folder.landing, (), settle=timedelta(seconds=2), clock=office.clock)
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


@pytest.mark.parametrize("line", ["+5215512345678", "525512345678", "5215512345678@s.whatsapp.net"])
@pytest.mark.parametrize("landed", ["+5215512345678", "+525512345678"])
def test_a_do_not_send_line_blocks_every_number_that_it_may_mean(office, line, landed):
    office.folder.do_not_send.write_text(f"phone\n{line}  # asked on the phone\n")
    office.drop("a.txt", A, landed)

    assert A in [number for batch in office.plan(TAKES_ALL).new_batches for number in office.sent(batch)]
    assert landed not in office.sent(office.ledger.history.batches()[0].batch_id)


def test_a_list_of_nearly_the_right_name_is_never_ignored(office):
    wrong = office.folder.root / "Do_Not_Send.csv"
    wrong.write_text(f"{A}\n")
    path = office.drop("a.txt", A, B)

    for look in (office.plan, office.preview):
        with pytest.raises(InputError, match=r"Do_Not_Send\.csv is not read, because .* do-not-send\.txt"):
            look()
    assert path.exists()

    office.folder.do_not_send.write_text(f"{A}\n")
    assert any(sentence.startswith(f"{wrong} is not read") for sentence in office.preview().notes)
    done = office.plan()
    assert any(sentence.startswith(f"{wrong} is not read") for sentence in done.notes)
    assert [office.sent(batch) for batch in done.new_batches] == [[B]]


@pytest.mark.parametrize("name", ["do-not-send.txt", "crm/DO NOT SEND.csv"])
def test_a_list_that_lands_among_the_numbers_is_not_bought(office, name):
    path = office.drop(name, A, B)

    done = office.plan()

    assert (done.files, done.new_batches, path.exists()) == ((), (), True)
    [sentence] = done.unreadable
    assert sentence.startswith(f"{name} was not planned, because it has the name of the do-not-send list.")


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
    counts = {file.name: file.counts for file in done.files}
    assert {name: each.in_flight + each.batched for name, each in counts.items()} == {
        "a.txt": 30,
        "b.txt": 31,
    }


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


# --- how files are read -----------------------------------------------------------------------------------

TWO_PHONES = ("Mobile,Office", f"{A},{B}", f"{C},{D}")
MOBILE, OFFICE = ReadingRules(columns=("Mobile",)), ReadingRules(columns=("Office",))


def reading_by(*rules, settings=NO_RULES, asked=NO_RULES, **more):
    landing = tuple(LandingRule(match, reading) for match, reading in rules) if rules else None
    return replace(POLICY, reading=ReadingPolicy(settings, landing, asked), **more)


def bought(office, plan):
    return sorted(number for batch_id in plan.new_batches for number in office.sent(batch_id))


def test_the_first_fitting_rule_says_which_column_is_read_and_the_command_line_before_it(office, tmp_path):
    policy = reading_by(("crm/*", OFFICE), ("*", MOBILE), settings=OFFICE)
    office.drop("a.csv", *TWO_PHONES)
    assert bought(office, office.plan(policy)) == [A, C]
    office.drop("crm/b.csv", *TWO_PHONES)
    assert bought(office, office.plan(policy)) == [B, D]
    path = office.drop("c.csv", "Mobile,Office", f"{some(2)[0]},{some(2)[1]}")
    named = replace(policy, reading=replace(policy.reading, asked=OFFICE))
    assert bought(office, office.plan(named, path)) == [some(2)[1]]


def test_a_rule_without_a_region_leaves_it_to_the_settings(office):
    policy = reading_by(
        ("a*", ReadingRules(region="US")), ("*", NO_RULES), settings=ReadingRules(region="CH")
    )
    office.drop("a.txt", "(202) 555-0123")
    office.drop("b.txt", "079 828 46 51")
    assert bought(office, office.plan(policy)) == ["+12025550123", A]


def test_a_landed_file_without_a_rule_stays_and_is_told_and_the_others_go_on(office):
    policy = reading_by(("*.txt", NO_RULES))
    left, taken = office.drop("a.csv", "phone", A), office.drop("b.txt", B)
    for done in (office.preview(policy), office.plan(policy)):
        assert [file.name for file in done.files] == ["b.txt"]
        assert done.unreadable == (
            "a.csv matches no rule in landing.toml, so it was not read. Add a rule for it, or a last rule "
            'with match = "*".',
        )
    assert (left.exists(), taken.exists()) == (True, False)
    assert list(office.folder.inputs.iterdir()) == [office.folder.input_file(done.files[0].sha256)]
    everything = reading_by(("*.txt", NO_RULES), ("*", NO_RULES))
    assert bought(office, office.plan(everything)) == [A]


def test_the_ledger_has_how_a_file_was_read(office):
    office.drop("a.csv", *TWO_PHONES)
    office.plan(reading_by(("*", MOBILE), settings=ReadingRules(region="CH")))
    [file] = office.ledger.history.files()
    asked = ReadingRules(columns=("Mobile",), region="CH")
    place = TWO_PHONES[0].split(",").index("Mobile")
    decided = replace(asked, delimiter=",", chosen=((place, "Mobile"),), is_abroad=False)
    assert rules_from(file.reading) == decided


def test_what_waits_is_planned_again_as_it_was_read_whatever_the_rules_say_by_then(office):
    office.drop("a.csv", *TWO_PHONES)
    office.plan(reading_by(("*", MOBILE), min_batch=3))
    later = reading_by(("*", OFFICE), settings=OFFICE, min_batch=3, max_hold_back=timedelta(0))
    again = office.plan(later)
    assert bought(office, again) == [A, C]
    [file] = office.ledger.history.files()
    assert rules_from(file.reading).columns == MOBILE.columns


def test_a_file_in_which_more_numbers_are_found_by_then_buys_nothing_and_is_told(office):
    office.drop("a.csv", "Mobile,Office", f"{A},{B}", f"{A},{C}")
    office.plan(reading_by(settings=MOBILE, min_batch=3))
    with office.ledger._store.writing() as connection:
        connection.exec_driver_sql("UPDATE files SET reading = NULL")
    done = office.plan(reading_by(settings=OFFICE, min_batch=3, max_hold_back=timedelta(0)))
    assert done.new_batches == ()
    [sentence] = done.unreadable
    assert sentence.startswith("a.csv has 2 numbers now and had 1 when it was planned")
    assert bought(
        office, office.plan(reading_by(settings=MOBILE, min_batch=3, max_hold_back=timedelta(0)))
    ) == [A]


BESIDE_COUNTRIES = ("phone,country", "079 828 46 51,CH", "0151 23456789,DE", "030 901820,CH")
BY_THE_FIRST_READER = '{"columns": [], "region": "DE", "sheet": null, "delimiter": null, "encoding": null}'


def test_a_row_that_names_its_country_is_read_so_whatever_region_is_set(office):
    office.drop("a.csv", *BESIDE_COUNTRIES)
    policy = reading_by(settings=ReadingRules(region="DE"), most_rejected=None)
    assert bought(office, office.plan(policy)) == [A, "+4915123456789"]


@pytest.mark.parametrize("reading", ["NULL", f"'{BY_THE_FIRST_READER}'"])
def test_a_file_that_was_planned_before_countries_were_read_buys_no_other_numbers(office, reading):
    office.drop("a.csv", *BESIDE_COUNTRIES)
    german = ReadingRules(region="DE", country_column=NO_COUNTRY_COLUMN)
    office.plan(reading_by(settings=german, min_batch=9, most_rejected=None))
    with office.ledger._store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE files SET reading = {reading}")  # noqa: S608
    later = reading_by(settings=ReadingRules(region="DE"), min_batch=9, max_hold_back=timedelta(0))
    assert bought(office, office.plan(later)) == ["+4915123456789", "+4930901820"]


def test_a_file_of_the_version_before_is_planned_again_by_the_settings_and_by_no_rule(office):
    office.drop("a.csv", *TWO_PHONES)
    office.plan(reading_by(settings=MOBILE, min_batch=3))
    with office.ledger._store.writing() as connection:
        connection.exec_driver_sql("UPDATE files SET reading = NULL")
    later = reading_by(("*", MOBILE), settings=OFFICE, min_batch=3, max_hold_back=timedelta(0))
    assert bought(office, office.plan(later)) == [B, D]
    [file] = office.ledger.history.files()
    assert file.reading is None
