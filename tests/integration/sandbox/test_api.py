"""The sandbox is as strict as the provider, and counts the money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import httpx
import pytest
from support.sandbox_calls import FILE, NUMBERS, START, TYPE, calling, published

pytestmark = pytest.mark.integration


# ---------------------------------------------------------------- strictness


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([FILE], id="no task_type"),
        pytest.param([TYPE], id="no file"),
        pytest.param([FILE, TYPE, ("callback", (None, "x"))], id="a field too many"),
        pytest.param([FILE, FILE, TYPE], id="two files"),
        pytest.param([FILE, TYPE, TYPE], id="task_type twice"),
        pytest.param([("file", (None, "+41790000001\n")), TYPE], id="file is a field"),
        pytest.param([FILE, ("task_type", ("t.txt", b"tg_avatar"))], id="task_type is a file"),
        pytest.param([("file", ("numbers.txt", b"")), TYPE], id="empty file"),
        pytest.param([("file", ("numbers.txt", b"hello\n12\n+0123456789\n")), TYPE], id="no number in it"),
        pytest.param([FILE, ("task_type", (None, "tg_avatars"))], id="unknown task type"),
    ],
)
def test_upload_that_is_not_as_documented_is_400_and_free(caller, parts):
    answer = caller.http.post("/v1/tasks", files=parts)
    assert answer.status_code == 400
    assert answer.json().keys() == published("error_invalid_batch_size").keys()
    assert caller.sandbox.charges == []


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/gettasks"])
def test_only_multipart_is_taken(caller, path):
    answer = caller.http.post(path, data={"task_id": caller.new_task(), "task_type": "tg_avatar"})
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["message"]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer sandbox-key"}])
def test_wrong_key_is_401_everywhere(caller, headers):
    task_id = caller.new_task()
    with httpx.Client(base_url=caller.sandbox.base_url, headers=headers) as stranger:
        answers = [
            stranger.post("/v1/tasks", files=[FILE, TYPE]),
            stranger.post("/v1/gettasks", files={"task_id": (None, task_id)}),
            stranger.get("/v1/balance"),
        ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert len(caller.sandbox.charges) == 1


def test_minimum_counts_what_remains_after_repeats_and_rubbish():
    with calling(minimum=3) as caller:
        two = [NUMBERS[0], NUMBERS[1], NUMBERS[0][1:], f" {NUMBERS[1]}\r", "hello", "+41"]
        answer = caller.create(two, task_type="ws")
        assert answer.status_code == 400
        expected = published("error_invalid_batch_size")
        expected["message"] = expected["message"].replace(" N ", " 2 ").replace("500", "3")
        assert answer.json() == expected
        assert caller.create([*two, NUMBERS[2]]).json()["total"] == 3
        assert caller.sandbox.tasks[0].numbers == set(NUMBERS[:3])


def test_more_than_the_maximum_is_413():
    with calling(maximum=2) as caller:
        assert caller.create().status_code == 413
        assert caller.sandbox.charges == []


def test_byte_order_mark_costs_the_first_number(caller):
    assert caller.create(["\ufeff" + NUMBERS[0], NUMBERS[1]]).json()["total"] == 1


# ---------------------------------------------------------------- money


def test_charges_are_counted_in_blocks_of_a_hundred(caller):
    for size in (1, 100, 101):
        caller.create(NUMBERS[:size])
    assert [(charge.numbers, charge.amount) for charge in caller.sandbox.charges] == [
        (1, Decimal("0.045")),
        (100, Decimal("0.045")),
        (101, Decimal("0.090")),
    ]
    assert caller.sandbox.total_charged == Decimal("0.18")
    assert caller.http.get("/v1/balance").json()["balance"] == 99.82


def test_charges_are_told_without_phone_numbers(caller):
    task_id = caller.new_task(NUMBERS[:150], task_type="tg")
    with httpx.Client(base_url=caller.sandbox.base_url) as anybody:
        answer = anybody.get("/_sandbox/charges")
    charge = {"task_id": task_id, "task_type": "tg", "numbers": 150, "amount": 0.09}
    told = answer.json()
    assert charge.items() <= told["charges"][0].items()
    assert datetime.fromisoformat(told["charges"][0]["at"]).timestamp() == pytest.approx(START)
    assert (told["total_numbers"], told["total_amount"]) == (150, 0.09)
    assert NUMBERS[0][1:] not in answer.text


def test_upload_beyond_the_balance_is_402_and_creates_nothing():
    with calling(balance=0.05) as caller:
        assert caller.create().status_code == 200
        answer = caller.create()
        assert (answer.status_code, answer.json()["error"]) == (402, "insufficient_balance")
        assert len(caller.sandbox.tasks) == 1


def test_balance_has_the_documented_fields_and_a_new_day(caller):
    caller.create()
    document = caller.http.get("/v1/balance").json()
    assert list(document) == ["status", "balance", "credit", "used_today", "daily_limit", "reset_time"]
    assert (document["status"], document["used_today"]) == ("OK", 0.045)
    assert document["reset_time"] == "2025-11-22T00:00:00Z"
    caller.clock.now += 86_400
    document = caller.http.get("/v1/balance").json()
    assert (document["used_today"], document["balance"]) == (0, 99.955)


def test_older_balance_is_balance_alone():
    with calling(style="older") as caller:
        assert caller.http.get("/v1/balance").json() == {"balance": 100.0}


def test_balance_may_not_be_offered():
    with calling(offers_balance=False) as caller:
        assert caller.http.get("/v1/balance").status_code == 404
