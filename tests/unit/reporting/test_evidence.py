"""What a person reads about an upload of unknown outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ekyc_tasks.ledger.records import Attempt, Batch
from ekyc_tasks.models import BatchState, Outcome
from ekyc_tasks.reporting.evidence import sentences

START = datetime(2026, 11, 21, 8, 27, 9, tzinfo=UTC)
BATCH = Batch(
    **{
        **dict.fromkeys(Batch.__dataclass_fields__),
        "batch_id": "batch-1",
        "state": BatchState.HELD,
        "numbers": 2_049,
    }
)
ATTEMPT = Attempt(
    attempt_id="a1",
    batch_id="batch-1",
    run_id="run-1",
    started_at=START,
    deadline=START + timedelta(minutes=10),
    price=Decimal("0.945"),
    balance_before="100.0",
    used_before=None,
    balance_after="99.055",
    used_after=None,
    looked_at=START + timedelta(seconds=90),
    ended_at=START + timedelta(seconds=61),
    outcome=Outcome.UNKNOWN,
    http_status=None,
    minimum=None,
    words="no answer within 60 s",
    task_id=None,
)


def account(others=0, **changes):
    return sentences(BATCH, replace(ATTEMPT, **changes), others=others)[-1]


def test_it_says_when_how_many_what_it_costs_and_how_it_ended():
    when, how, _ = sentences(BATCH, ATTEMPT, others=0)
    assert when == "Upload of 2,049 numbers at 2026-11-21 08:27:09 UTC, expected price 0.94."
    assert how == "Result: no answer within 60 s."


def test_without_a_price_it_says_so():
    assert "expected price unknown" in sentences(BATCH, replace(ATTEMPT, price=None), others=0)[0]


@pytest.mark.parametrize(
    ("changes", "suggestion"),
    [
        pytest.param({}, "0.945 was charged, exactly the expected price, so", id="paid"),
        pytest.param({"balance_after": "100.0"}, "probably did not take the upload", id="unmoved"),
        pytest.param({"balance_after": "150"}, "probably did not take the upload", id="topped up"),
        pytest.param({"balance_after": "99.9"}, "0.1 was charged, so the provider may have", id="other sum"),
        pytest.param({"price": None}, "0.945 was charged, so the provider may have", id="no price"),
        pytest.param(
            {"balance_after": "149.055", "used_before": "3", "used_after": "3.945"},
            "0.945 was charged, exactly the expected price",
            id="topped up, and the day's use tells",
        ),
        pytest.param(
            {"used_before": "3", "used_after": "0"},
            "0.945 was charged, exactly the expected price",
            id="a new day",
        ),
    ],
)
def test_the_difference_suggests(changes, suggestion):
    text = account(**changes)
    assert suggestion in text
    assert "2026-11-21 08:28:39 UTC" in text


def test_other_uploads_between_the_looks_make_it_worthless():
    assert "Other uploads happened" in account(others=1)


def test_what_was_not_asked_is_not_guessed():
    assert "not known" in account(balance_before=None)
    assert "has not been checked since" in account(balance_after=None, looked_at=None)
