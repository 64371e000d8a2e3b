"""The sandbox answers with the documents that the provider has published, or was seen to send."""

from __future__ import annotations

import re
from base64 import b32hexdecode
from datetime import datetime

import pytest
from support.sandbox_calls import NUMBERS, START, calling, published, shape

pytestmark = pytest.mark.integration


XID = re.compile(r"[0-9a-v]{20}")


def test_create_answers_with_the_published_document(caller):
    answer = caller.create()
    assert answer.status_code == 200
    assert shape(answer.json()) == shape(published("created"))
    assert answer.json()["message"] == published("created")["message"]
    assert answer.json()["total"] == 3


def test_polls_answer_with_the_published_documents():
    with calling(processing_seconds=10, pending_seconds=2) as caller:
        task_id = caller.new_task()
        caller.clock.now += 6
        processing = caller.poll(task_id).json()
        assert shape(processing) == shape(published("processing"))
        assert processing["status"] == "processing"
        caller.clock.now += 4
        exported = caller.poll(task_id).json()
        assert shape(exported) == shape(published("exported"))
        assert (exported["status"], exported["success"], exported["failure"]) == ("exported", 3, 0)


def test_older_style_answers_202_and_zeros_for_a_full_file():
    with calling(style="older", processing_seconds=9) as caller:
        answer = caller.create()
        assert answer.status_code == 202
        counts = {name: answer.json()[name] for name in ("total", "success", "failure")}
        assert counts == {"total": 0, "success": 0, "failure": 0}
        assert shape(answer.json())[:5] == shape(published("processing"))[:5]
        task_id = answer.json()["task_id"]
        assert caller.poll(task_id).json()["estimated_amount"].keys() == published("amount").keys()
        caller.clock.now += 9
        exported = caller.poll(task_id).json()
        assert exported["total"] == 3
        assert exported["actual_amount"] == {"amount": "0.045", "currency": "USD"}


def test_progress_grows_and_then_a_link_appears():
    with calling(processing_seconds=10, pending_seconds=1) as caller:
        task_id = caller.new_task(NUMBERS)
        seen = []
        for _ in range(12):
            seen.append(caller.poll(task_id).json())
            caller.clock.now += 1
        assert [document["status"] for document in seen] == ["pending"] + ["processing"] * 9 + [
            "exported"
        ] * 2
        successes = [document["success"] for document in seen[:11]]
        assert successes == sorted(successes)
        assert (successes[0], successes[-1]) == (0, len(NUMBERS))
        assert len(set(successes)) > 8
        assert ["result_url" in document for document in seen] == [False] * 10 + [True] * 2
        # The last update of the *status*: it stands still while the count grows.
        assert len({document["updated_at"] for document in seen[1:10]}) == 1


def test_task_ids_are_xids_that_hold_their_second(caller):
    task_ids = [caller.new_task() for _ in range(3)]
    assert len(set(task_ids)) == 3
    for task_id in task_ids:
        assert XID.fullmatch(task_id)
        assert second_of(task_id) == int(caller.clock.now)


def test_published_task_ids_hold_their_second_too():
    created = published("created")
    assert second_of(created["task_id"]) == int(datetime.fromisoformat(created["created_at"]).timestamp())


def second_of(task_id):
    return int.from_bytes(b32hexdecode(task_id.upper() + "====")[:4])


def test_timestamps_have_all_the_lengths_that_were_seen(caller):
    lengths = set()
    for _ in range(4):
        created = caller.create().json()
        polled = caller.poll(created["task_id"]).json()
        assert polled["created_at"] == created["created_at"]
        assert abs(datetime.fromisoformat(created["created_at"]).timestamp() - START) < 1
        lengths.add(len(created["created_at"].rstrip("Z").partition(".")[2]))
    assert lengths == {0, 3, 8, 9}


def test_user_id_belongs_to_the_key():
    ids = set()
    for key in ("first", "first", "second"):
        with calling(api_key=key) as caller:
            ids.add((key, caller.poll(caller.new_task()).json()["user_id"]))
    assert len(ids) == 2
    assert len({user for _, user in ids}) == 2


@pytest.mark.parametrize(("style", "status"), [("documented", 404), ("older", 400)])
def test_unknown_task_is_an_error(style, status):
    with calling(style=style) as caller:
        answer = caller.poll(published("created")["task_id"])
        assert (answer.status_code, answer.json()["error"]) == (status, "task_not_found")
