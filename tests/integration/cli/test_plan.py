"""`ekyc plan` by its words and figures: what a run would send and cost, and nothing is sent or written."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from support.installed import made, site_of
from support.raw_server import RawServer, as_json, http
from typer.testing import CliRunner

from ekyc_tasks.cli import app
from ekyc_tasks.installation.setup import rebind
from ekyc_tasks.ledger import NewBatch, open_ledger
from ekyc_tasks.money import NO_BUDGET

pytestmark = pytest.mark.integration

NUMBERS = [f"+4179828{index:04}" for index in range(1000)]


# To look at a ledger, SQLite makes its journal beside it for the moment, and the turn to open it is locked.
TOUCHED = {"data", ".ledger.db.lock"}


class Home:
    """A home folder whose settings are those of the environment."""

    def __init__(self, path, monkeypatch):
        self.landing = path / "data" / "landing"
        self._path = path
        self._monkeypatch = monkeypatch
        self.set(HOME=str(path), SETTLE="0", PRICE_PER_10K="4.50")

    def set(self, **settings):
        for name, value in settings.items():
            self._monkeypatch.setenv(f"EKYC_{name}", value)

    def belongs_to(self, base_url):
        """The provider is there, and whoever corrected it has said so."""
        self.set(BASE_URL=base_url, API_KEY="a-key")
        rebind(site_of(self._path / "data", base_url))

    def drop(self, name, *lines):
        (self.landing / name).write_text("".join(f"{line}\n" for line in lines))

    def plan(self, *arguments):
        return CliRunner().invoke(app, ["plan", *map(str, arguments)])

    def document(self, *arguments):
        return json.loads(self.plan("--json", *arguments).stdout)

    def everything(self):
        return {path: path.name in TOUCHED or path.stat().st_mtime_ns for path in self._path.rglob("*")}


@pytest.fixture
def home_without_ledger(tmp_path, monkeypatch):
    return Home(tmp_path, monkeypatch)


@pytest.fixture
def home(home_without_ledger, tmp_path):
    made(tmp_path / "data", "https://api.ekycpro.com")
    return home_without_ledger


def test_a_file_may_be_named_as_seen_from_here(home, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "asked.txt").write_text(f"{NUMBERS[0]}\n")
    monkeypatch.chdir(tmp_path / "here")
    assert home.document("asked.txt")["total"]["to_send"] == 1


def test_files_and_total_add_up_and_nothing_is_written(home):
    home.drop("a.txt", *NUMBERS[:150], NUMBERS[0], "junk", "", "123")
    home.drop("b.csv", "phone", *NUMBERS[100:300])
    before = home.everything()

    document = home.document()

    assert home.everything() == before
    first, second = document["files"]
    names = ("lines", "rejected", "duplicate", "in_flight", "to_send")
    assert [first[name] for name in names] == [154, 2, 1, 0, 150]
    assert [second[name] for name in names] == [201, 0, 0, 50, 150]
    assert document["total"]["rejected_by_reason"] == {"no digits": 1, "too short": 1}
    assert all(document["total"][name] == first[name] + second[name] for name in names)
    assert document["batches"] == [{"numbers": 300, "price": "0.14"}]


def test_without_a_ledger_the_plan_is_shown_and_nothing_is_made(home_without_ledger, tmp_path):
    home = home_without_ledger
    (tmp_path / "asked.txt").write_text("\n".join(NUMBERS[:150]))
    before = home.everything()

    document = home.document(tmp_path / "asked.txt")

    assert home.everything() == before
    assert (document["total"]["to_send"], document["batches"]) == (150, [{"numbers": 150, "price": "0.09"}])
    assert (document["exit_code"], home.plan(tmp_path / "asked.txt").exit_code) == (2, 2)
    [sentence] = document["sentences"]
    assert sentence.startswith("There is no ledger yet, so this plan treats all numbers as new.")
    assert "create a ledger with `ekyc init`" in sentence


def test_without_a_ledger_what_landed_is_shown_and_nothing_is_made(home_without_ledger):
    home = home_without_ledger
    home.landing.mkdir(parents=True)
    home.drop("a.txt", *NUMBERS[:5])
    before = {path: path.stat().st_mtime_ns for path in (home.landing, home.landing.parent)}

    assert (home.document()["total"]["to_send"], home.plan().exit_code) == (5, 2)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_ledger_of_another_provider_is_said(home):
    home.set(BASE_URL="https://api.elsewhere.example")
    home.drop("a.txt", *NUMBERS[:5])

    document = home.document()

    assert (document["exit_code"], document["total"]["to_send"]) == (2, 5)
    assert "belongs to api.ekycpro.com, not to api.elsewhere.example" in document["sentences"][0]


def test_prices_are_shares_of_begun_hundreds_and_saved_is_what_was_not_bought(home):
    home.set(PRICE_PER_10K="10000")
    home.drop("a.txt", *NUMBERS[:30], *NUMBERS[:5])
    home.drop("b.txt", *NUMBERS[:90])

    document = home.document()

    assert [file["price"] for file in document["files"]] == ["33.33", "66.67"]
    assert [file["saved"] for file in document["files"]] == ["5.00", "30.00"]
    assert (document["total"]["price"], document["total"]["saved"]) == ("100.00", "35.00")


def test_without_a_price_there_are_counts_alone(home):
    home.set(PRICE_PER_10K="")
    home.drop("a.txt", *NUMBERS[:5])

    assert home.document()["total"]["price"] is None
    assert "EKYC_PRICE_PER_10K" in home.plan().stdout


@pytest.mark.parametrize("budget", ["RUN", "DAY", "MONTH"])
def test_what_does_not_fit_into_a_budget_is_said(home, budget):
    home.set(**{f"BUDGET_{budget}": "0.10", "BATCH_SIZE": "200"})
    home.drop("a.txt", *NUMBERS[:400])

    done = home.plan()

    assert done.exit_code == 4
    assert f"1 of 2 batches can be sent: the budget of this {budget.lower()}" in done.stdout
    assert home.document()["budgets"] == [
        {"of": budget.lower(), "limit": "0.10", "spent": "0.00", "left": "0.10"}
    ]


@pytest.mark.parametrize(
    ("answer", "shown", "exit_code"),
    [
        ({"balance": 0.05}, "0.05", 4),
        ({"balance": 0.05, "credit": 1}, "0.05", 0),
        ({"balance": 100}, "100", 0),
        (None, None, 0),
    ],
    ids=["too small", "with credit", "enough", "not offered"],
)
def test_the_balance_is_asked_where_there_is_one(home, answer, shown, exit_code):
    home.drop("a.txt", *NUMBERS[:200])
    with RawServer(http(404) if answer is None else http(200, as_json(answer))) as server:
        home.belongs_to(server.url)
        document = home.document()

        assert [request.line for request in server.requests] == ["GET /v1/balance HTTP/1.1"]
    assert (document["balance"], document["exit_code"]) == (shown, exit_code)


def test_a_provider_that_is_not_there_stops_no_plan(home):
    home.belongs_to("http://127.0.0.1:9")
    home.drop("a.txt", *NUMBERS[:5])

    assert (home.plan().exit_code, home.document()["balance"]) == (0, None)


def test_files_that_cannot_be_read_are_named_and_the_others_counted(home):
    home.drop("good.txt", *NUMBERS[:5])
    home.drop("bad.doc", NUMBERS[0])

    done = home.plan()

    assert (done.exit_code, "bad.doc" in done.stdout) == (5, True)
    assert home.document()["total"]["to_send"] == 5


def test_nothing_has_landed(home):
    home.landing.rmdir()
    assert (home.plan().exit_code, "No files in the landing folder" in home.plan().stdout) == (0, True)


def test_only_the_named_files(home, tmp_path):
    home.drop("a.txt", *NUMBERS[:5])
    (tmp_path / "elsewhere.txt").write_text(NUMBERS[7])

    document = home.document(tmp_path / "elsewhere.txt")

    assert [file["name"] for file in document["files"]] == ["elsewhere.txt"]


def test_no_number_is_shown(home):
    home.drop("a.txt", *NUMBERS[:5], "+41 79 junk 123")
    shown = home.plan().stdout + home.plan("--json").stdout
    assert not any(number.lstrip("+") in shown for number in NUMBERS)


def test_what_was_spent_today_counts(home, tmp_path):
    home.set(BUDGET_DAY="0.50")
    home.drop("a.txt", *NUMBERS[:100])
    assert home.plan().exit_code == 0
    spend(tmp_path / "data" / "ledger.db", Decimal("0.48"))

    assert home.document()["budgets"] == [{"of": "day", "limit": "0.50", "spent": "0.48", "left": "0.02"}]
    assert home.plan().exit_code == 4


def spend(ledger_file, amount):
    """A held upload: it may have been charged, so it counts."""
    with open_ledger(f"sqlite:///{ledger_file}") as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(hours=1))
        batch = NewBatch("batch", 1000, "0" * 64)
        ledger.plans.planned(landed=[], new_batches=[batch], links=[], task_type="tg", run_id="run")
        ledger.uploads.intended(
            uuid4().hex,
            "batch",
            run_id="run",
            deadline=timedelta(minutes=1),
            price=amount,
            budget=NO_BUDGET,
            balance=None,
        )


# --- how files are read -----------------------------------------------------------------------------------

TABLE = ("Mobile,Office", f"{NUMBERS[0]},{NUMBERS[1]}", f"{NUMBERS[2]},{NUMBERS[3]}", f"{NUMBERS[4]},")


def write_rules(home, text):
    (home.landing.parent / "landing.toml").write_text(text)


def test_options_say_how_the_named_files_are_read(home):
    home.drop("a.csv", *TABLE)
    home.drop("b.txt", "079 828 46 51")
    assert home.plan().exit_code == 5
    landed = home.landing / "a.csv", home.landing / "b.txt"
    assert home.document("--column", "office", landed[0])["total"]["to_send"] == 2
    assert home.document("--column", "Mobile", landed[0])["total"]["to_send"] == 3
    assert home.document("--region", "ch", landed[1])["total"]["to_send"] == 1


@pytest.mark.parametrize("option", [("--column", "Mobile"), ("--region", "CH"), ("--sheet", "Sheet1")])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_option_for_named_files_needs_a_named_file(home, monkeypatch, command, option):
    monkeypatch.setattr("sys.argv", ["ekyc", command, *option])
    done = CliRunner().invoke(app, [command, *option])
    assert "name the files in this command" in str(done.exception)
    assert done.exception.exit_code == 2


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--region", "XX"), "--region: this region is unknown"),
        (("--region", ""), "--region: this region is unknown"),
        (("--column", ""), "--column: write the header of a column"),
        (("--column", "*", "--column", "Mobile"), "--column: write the header of a column"),
        (("--sheet", " "), "--sheet: write the name of a sheet"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_wrong_option_is_one_sentence(home, command, option, words):
    done = CliRunner().invoke(app, [command, *option, "a.csv"])
    assert words in str(done.exception)
    assert done.exception.exit_code == 2


def test_rules_are_read_from_the_data_folder_and_a_file_without_one_is_told(home):
    home.drop("a.csv", *TABLE)
    home.drop("b.txt", NUMBERS[9])
    write_rules(home, '[[files]]\nmatch = "*.csv"\ncolumns = ["Office"]\n')
    document = home.document()
    assert (document["total"]["to_send"], document["exit_code"]) == (2, 5)
    assert [each["name"] for each in document["files"]] == ["a.csv"]
    assert document["sentences"][0].startswith("b.txt matches no rule in landing.toml")
    assert home.document("--column", "Mobile", home.landing / "a.csv")["total"]["to_send"] == 3


def test_a_named_file_from_elsewhere_needs_no_rule(home, tmp_path):
    write_rules(home, '[[files]]\nmatch = "crm/*"\n')
    (tmp_path / "mine.txt").write_text(f"{NUMBERS[0]}\n")
    assert home.document(tmp_path / "mine.txt")["total"]["to_send"] == 1


def test_with_a_broken_file_of_rules_nothing_is_planned(home):
    home.drop("a.csv", *TABLE)
    write_rules(home, '[[files]]\nmatch = "*"\nregion = "XX"\n')
    done = home.plan()
    assert "landing.toml, rule 1, region: " in str(done.exception)
    assert (done.exception.exit_code, done.stdout) == (2, "")


def test_rules_in_the_landing_folder_change_nothing(home):
    home.drop("a.csv", "phone", NUMBERS[0])
    home.drop("landing.toml", "[[files]]", 'match = "a.csv"', 'columns = ["id"]')
    document = home.document()
    assert (document["total"]["to_send"], document["exit_code"]) == (1, 5)
    assert document["sentences"] == [
        "landing.toml is in the landing folder, where no rules are read. Move it to the data folder."
    ]
