"""What the rules of today find in files that were planned before, and what was bought without a line now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from support.fake_clock import FakeClock
from support.installed import made
from support.planning_office import POLICY, A, B, C, D, Office
from typer.testing import CliRunner

from ekyc_tasks.cli import app
from ekyc_tasks.intake.rules import NO_RULES, LandingRule, ReadingPolicy, ReadingRules
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.reporting.inputs import review_inputs
from ekyc_tasks.storage.paths import DataFolder

pytestmark = pytest.mark.integration

MOBILE, OFFICE = ReadingRules(columns=("Mobile",)), ReadingRules(columns=("Office",))
TABLE = ("Mobile,Office", f"{A},{B}", f"{C},{D}")
PRICE = Decimal("4.50")


@pytest.fixture
def office(tmp_path):
    folder = DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse")
    folder.landing.mkdir()
    clock = FakeClock()
    with make_ledger(f"sqlite:///{tmp_path}/ledger.db", clock.now) as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(days=365))
        yield Office(folder, ledger, clock)


def by(reading, *rules):
    landing = tuple(LandingRule(match, each) for match, each in rules) if rules else None
    return replace(POLICY, reading=ReadingPolicy(reading, landing))


def buy(office, policy):
    batches = office.plan(policy).new_batches
    for batch_id in batches:
        office.load(batch_id)
    return batches


def reviewed(office, policy, *, since=None):
    return review_inputs(office.context, policy, since=since, per_10k=PRICE)


def test_where_the_rules_are_as_they_were_there_is_nothing_to_say(office):
    office.drop("a.csv", *TABLE)
    buy(office, by(MOBILE))
    before = sorted(office.folder.root.rglob("*"))
    review = reviewed(office, by(MOBILE))
    assert (review.total["new"], review.total["unsupported"], review.sentences) == (0, 0, ())
    assert [(file["name"], file["numbers"], file["new"]) for file in review.files] == [("a.csv", 2, 0)]
    assert sorted(office.folder.root.rglob("*")) == before


def test_another_column_is_new_numbers_with_their_price_and_strangers_that_were_bought(office):
    office.drop("a.csv", *TABLE)
    [batch] = buy(office, by(MOBILE))
    review = reviewed(office, by(NO_RULES, ("*.csv", OFFICE)))
    assert review.total == {"files": 1, "new": 2, "price": "0.04", "unsupported": 2}
    assert review.batches == ({"batch_id": batch, "numbers": 2},)
    [sentence] = review.sentences
    assert sentence.startswith("2 numbers of 1 batch, bought before, would not be read from any line now.")
    assert "828" not in json.dumps(review.as_data())


def test_a_number_that_another_file_has_is_nobodys_stranger_and_not_new(office):
    office.drop("a.csv", *TABLE)
    [batch] = buy(office, by(MOBILE))
    office.drop("b.txt", A, B)
    buy(office, by(NO_RULES))
    review = reviewed(office, by(NO_RULES, ("*.csv", OFFICE), ("*", NO_RULES)))
    assert review.batches == ({"batch_id": batch, "numbers": 1},)
    assert (review.total["new"], [file["new"] for file in review.files]) == (1, [1, 0])


def test_older_files_are_not_shown_and_still_support_their_numbers(office):
    office.drop("old.txt", A)
    buy(office, by(NO_RULES))
    office.clock.advance(60 * 86400)
    since = office.clock.now() - timedelta(days=30)
    office.drop("new.csv", *TABLE)
    [batch] = buy(office, by(MOBILE))
    policy = by(NO_RULES, ("*.csv", OFFICE), ("*", NO_RULES))
    review = reviewed(office, policy, since=since)
    assert [file["name"] for file in review.files] == ["new.csv"]
    assert office.sent(batch) == [A, C]
    assert review.batches == ({"batch_id": batch, "numbers": 1},)


def test_numbers_that_were_never_sent_are_no_strangers(office):
    office.drop("a.csv", *TABLE)
    office.plan(by(MOBILE))
    assert reviewed(office, by(OFFICE)).batches == ()


def test_do_not_send_is_not_new(office):
    office.drop("a.csv", *TABLE)
    buy(office, by(MOBILE))
    office.folder.do_not_send.write_text(f"{B}\n")
    assert reviewed(office, by(OFFICE)).total["new"] == 1


def test_of_a_file_that_cannot_be_read_today_nothing_is_said_but_that(office):
    office.drop("a.csv", *TABLE)
    buy(office, by(MOBILE))
    review = reviewed(office, by(NO_RULES, ("*.txt", NO_RULES)))
    assert [(file["numbers"], file["new"]) for file in review.files] == [(None, None)]
    assert review.batches == ()
    assert [sentence.split(",")[0] for sentence in review.sentences] == [
        "a.csv matches no rule in landing.toml"
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    monkeypatch.setenv("EKYC_PRICE_PER_10K", "4.50")
    made(tmp_path / "data", "https://api.ekycpro.com")
    return tmp_path / "data"


def ekyc_plan(*arguments):
    return CliRunner().invoke(app, ["plan", *arguments])


def test_the_command_shows_it_as_a_table_and_as_data(home):
    with make_ledger(f"sqlite:///{home}/ledger.db") as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(days=365))
        folder = DataFolder(home, home / "landing", home / "warehouse")
        office = Office(folder, ledger, FakeClock())
        office.drop("a.csv", *TABLE)
        buy(office, by(MOBILE))
    (home / "landing.toml").write_text('[[files]]\nmatch = "*"\ncolumns = ["Office"]\n')

    shown, data = ekyc_plan("--inputs"), ekyc_plan("--inputs", "--json")

    assert (shown.exit_code, data.exit_code) == (0, 0)
    assert "find 2 numbers that no batch has, for 0.04." in shown.stdout
    assert json.loads(data.stdout)["total"] == {"files": 1, "new": 2, "price": "0.04", "unsupported": 2}
    assert json.loads(ekyc_plan("--inputs", "--since", "1s", "--json").stdout)["files"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--inputs", "a.csv"), "Leave out the files"),
        (("--inputs", "--limit", "5"), "Leave out the files"),
        (("--since", "30d"), "--since belongs to --inputs"),
        (("--inputs", "--since", "soon"), "--since: write a duration"),
        (("--inputs", "--since", "999999999d"), "--since: write a duration"),
    ],
)
def test_a_wrong_option_is_one_sentence(home, arguments, words):
    done = ekyc_plan(*arguments)
    assert words in str(done.exception)
    assert done.exception.exit_code == 2
