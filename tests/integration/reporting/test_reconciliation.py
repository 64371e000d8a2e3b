"""Money by day and month: what was spent, held and saved, beside the provider's own amounts."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from support.fake_clock import START, FakeClock
from support.installed import made
from typer.testing import CliRunner

from ekyc_tasks.cli import app
from ekyc_tasks.ledger import LandedFile, NewBatch, open_ledger
from ekyc_tasks.models import BatchState, LineCounts, Outcome, TaskStatus, UploadResult
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.reporting.reconciliation import accounts

pytestmark = pytest.mark.integration


class Books:
    """A ledger in which uploads are noted by hand."""

    def __init__(self, path):
        self.clock = FakeClock(START.replace(month=10, day=31))
        made(path / "data", "https://api.ekycpro.com")
        self.ledger = open_ledger(f"sqlite:///{path}/data/ledger.db", self.clock.now)
        self.ledger.runs.opened("run", host="here", lease=timedelta(days=365))

    def upload(self, batch_id, price, outcome, actual=None):
        new = NewBatch(batch_id, 100, "0" * 64)
        self.ledger.plans.planned(landed=[], new_batches=[new], links=[], task_type="tg", run_id="run")
        amount = None if price is None else Decimal(price)
        attempt = self.ledger.uploads.intended(
            uuid4().hex,
            batch_id,
            run_id="run",
            deadline=timedelta(minutes=1),
            price=amount,
            budget=NO_BUDGET,
            balance=None,
        )
        task_id = f"task of {batch_id}" if outcome is Outcome.ACCEPTED else None
        result = UploadResult(outcome, "", task_id=task_id)
        if task_id:
            self.ledger.uploads.accepted(attempt.attempt_id, result, run_id="run")
            status = TaskStatus(task_id, "exported", actual_amount=actual)
            self.ledger.progress.answered(batch_id, status, run_id="run")
        else:
            to = BatchState.HELD if outcome is Outcome.UNKNOWN else BatchState.PLANNED
            self.ledger.uploads.answered(attempt, result, to=to, why="")

    def land(self, file_id, **counts):
        file = LandedFile(
            *(file_id, "a.txt", "0" * 64, 1, "a.txt", file_id, "tg", self.clock.now(), "run", 0),
            counts=LineCounts(**counts),
        )
        self.ledger.plans.planned(landed=[file], new_batches=[], links=[], task_type="tg", run_id="run")


@pytest.fixture
def books(tmp_path):
    books = Books(tmp_path)
    books.upload("a", "1.50", Outcome.ACCEPTED, actual="1.40")
    books.upload("b", "2.00", Outcome.UNKNOWN)
    books.upload("c", "9.00", Outcome.THROTTLED)  # free
    books.land("x", lines=100, blank=2, rejected=10, duplicate=5, known=20, waiting=3, batched=60)
    books.clock.advance(86400)
    books.upload("d", "0.25", Outcome.ACCEPTED)
    books.upload("e", None, Outcome.ACCEPTED, actual="0.5")
    yield books
    books.ledger.close()


def test_days_and_months_add_up(books):
    told = accounts(books.ledger, Decimal(100))

    october = {
        "period": "2026-10",
        "batches": 2,
        "spent": "1.50",
        "held": "2.00",
        "actual": "1.40",
        "actual_batches": 1,
        "saved_numbers": 35,
        "saved": "0.35",
    }
    november = {
        "period": "2026-11",
        "batches": 2,
        "spent": "0.25",
        "held": "0.00",
        "actual": "0.50",
        "actual_batches": 1,
        "saved_numbers": 0,
        "saved": "0.00",
    }
    assert told["months"] == [november, october]
    assert told["days"] == [november | {"period": "2026-11-01"}, october | {"period": "2026-10-31"}]
    assert sum(Decimal(month["spent"]) + Decimal(month["held"]) for month in told["months"]) == (
        books.ledger.uploads.spent()
    )


def test_without_a_price_saved_is_a_count(books):
    assert [month["saved"] for month in accounts(books.ledger, None)["months"]] == [None, None]


def test_status_shows_money(books, tmp_path, monkeypatch):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    monkeypatch.setenv("EKYC_PRICE_PER_10K", "100")

    shown = CliRunner().invoke(app, ["status"]).stdout
    document = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)

    assert document["money"] == accounts(books.ledger, Decimal(100))
    assert ["Money by month" in shown, "1.40 for 1" in shown, "2026-10-31" in shown] == [True] * 3
