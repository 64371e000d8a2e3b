"""What is understood of an answer, and what anything else leads to."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.provider_calls import (
    KEY,
    PAGE,
    TASK,
    TASK_ID,
    ask,
    balance,
    dropped,
    patience_with,
    stalled,
    task,
    trickling,
    upload,
)
from support.raw_server import RawServer, as_json, http, read_request, unused_port

from ekyc_tasks.errors import AccessDenied, EkycError, ProviderTrouble, TaskUnknown
from ekyc_tasks.models import Outcome, TaskStatus
from ekyc_tasks.money import Balance
from ekyc_tasks.provider import parse_time
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.support.redact import without_numbers

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


PUBLISHED = Path(__file__).parents[2] / "fixtures" / "provider"


def published(name):
    return (PUBLISHED / f"{name}.json").read_bytes()


# ---------------------------------------------------------------- what is understood


def test_published_document_of_a_new_task():
    with RawServer(http(200, published("created"))) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, "d4g8o46p2jvh04o9uolg")
    assert result.words == "HTTP 200, Task created successfully"


@pytest.mark.parametrize(
    ("value", "task_id"), [(910000000000, "910000000000"), (7, "7"), (10**40, str(10**40)), ("7", "7")]
)
def test_a_whole_number_is_a_task_id(value, task_id):
    with RawServer(http(200, as_json({"task_id": value, "message": "Task created"}))) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, task_id)


@pytest.mark.parametrize("value", [0, -7, 9.1, True, None, [7], {}, "", " ", "+41798284651", "x" * 201])
def test_anything_else_is_no_task_id(value):
    with RawServer(http(200, as_json({"task_id": value}))) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.UNKNOWN, None)
    assert "41798284651" not in result.words


@pytest.mark.parametrize(
    "body",
    [
        b'{"task_id": 910000000000.5}',
        b'{"taskId": 910000000000}',
        b'{"data": {"task_id": "910000000000"}}',
        b'{"message": "Task created", "data": {"id": 910000000000}}',
        b'{"message": "' + b"a long story " * 50 + b'", "TASK-ID": 910000000000}',
        b"created: task_id=910000000000",
    ],
)
def test_words_of_an_undocumented_answer_keep_the_only_copy_of_a_task_id(body):
    with RawServer(http(200, body)) as server:
        result = upload(server.url)
    assert result.outcome is Outcome.UNKNOWN
    assert result.words.endswith("(the answer has no task id as documented; it names task 910000000000)")
    assert without_numbers(result.words).endswith("it names task 910000000000)")


def test_a_task_id_that_was_cut_off_is_shown_as_such():
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"message": "ok", "task_id": 9100000'
    with RawServer(cut) as server:
        result = upload(server.url)
    assert result.outcome is Outcome.UNKNOWN
    assert result.words.endswith("(the answer was incomplete; it names task 9100000…)")


def test_the_status_of_a_task_may_name_it_by_a_whole_number():
    with RawServer(http(200, as_json({"status": "pending", "task_id": 910000000000}))) as server:
        found = ask(server.url, lambda provider: provider.task("910000000000"))
        assert found.task_id == "910000000000"
        with pytest.raises(ProviderTrouble, match="another task"):
            task(server.url)


def test_published_refusal_keeps_the_provider_s_words():
    with RawServer(http(400, published("error_invalid_batch_size"))) as server:
        result = upload(server.url)
    assert result.words == (
        "HTTP 400, invalid_batch_size: only N compliant numbers remain for ws, "
        "which is less than the minimum 500"
    )


STATUS = TaskStatus(
    task_id=TASK_ID,
    status="processing",
    total=2049,
    success=1024,
    updated_at=datetime(2025, 11, 21, 8, 27, 10, 241000, UTC),
    user_id="wfi7wGPS4B4PdtTMox5Y",
)


def test_published_document_of_a_task_in_work():
    with RawServer(http(200, published("processing"))) as server:
        status = task(server.url)
    assert status == STATUS
    assert not status.is_exported


def test_published_document_of_a_finished_task():
    with RawServer(http(200, published("exported"))) as server:
        status = task(server.url)
    assert (status.status, status.success, status.is_exported) == ("exported", 2049, True)
    assert status.result_url == json.loads(published("exported"))["result_url"]
    assert "amazonaws" not in repr(status)


def test_published_amount():
    document = json.loads(published("exported")) | {"actual_amount": json.loads(published("amount"))}
    with RawServer(http(200, as_json(document))) as server:
        assert task(server.url).actual_amount == "1.23"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-21T15:58:08Z", datetime(2025, 11, 21, 15, 58, 8, 0, UTC)),
        ("2025-11-21T15:58:08.916Z", datetime(2025, 11, 21, 15, 58, 8, 916000, UTC)),
        ("2025-11-21T15:58:08.91644659Z", datetime(2025, 11, 21, 15, 58, 8, 916446, UTC)),
        ("2025-11-21T15:58:08.916446594Z", datetime(2025, 11, 21, 15, 58, 8, 916446, UTC)),
        ("2025-11-21T17:58:08+02:00", datetime(2025, 11, 21, 15, 58, 8, 0, UTC)),
        ("2025-11-21T15:58:08", datetime(2025, 11, 21, 15, 58, 8, 0, UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (1763740688, None),
        (None, None),
    ],
)
def test_times_of_any_precision_are_aware_and_utc(text, expected):
    parsed = parse_time(text)
    assert parsed == expected
    assert parsed is None or parsed.tzinfo is UTC
    with RawServer(http(200, as_json({"status": "x", "updated_at": text}))) as server:
        assert task(server.url).updated_at == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"status": "pending"}, {}, id="the least"),
        pytest.param({"status": "pending", "task_id": TASK_ID, "surprise": [1]}, {}, id="a field too many"),
        pytest.param({"status": "pending", "task_id": None}, {}, id="null for an id"),
        pytest.param(
            dict.fromkeys(vars_of := (*TaskStatus.__slots__,)) | {"status": "pending"}, {}, id="nulls"
        ),
        pytest.param(
            {"status": "pending", **dict.fromkeys(set(vars_of) - {"status", "task_id"}, "7")},
            {"user_id": "7", "result_url": "7"},
            id="texts for all",
        ),
        pytest.param(
            {"status": "pending", **dict.fromkeys(set(vars_of) - {"status", "task_id"}, 7)},
            {"total": 7, "success": 7},
            id="numbers for all",
        ),
        pytest.param(
            {"status": "pending", "success": 9, "total": 3}, {"success": 9, "total": 3}, id="9 of 3"
        ),
        pytest.param({"status": "pending", "total": -1, "success": 1.5, "failure": True}, {}, id="no counts"),
        pytest.param({"status": "pending", "total": 1 << 63}, {}, id="a count that no column takes"),
        pytest.param({"status": "archiving"}, {"status": "archiving"}, id="unknown status"),
        pytest.param({"status": "pending", "user_id": "a\x00b"}, {}, id="a text that no database takes"),
        pytest.param({"status": "pending", "user_id": "a\ud800b"}, {}, id="half a character"),
        pytest.param(
            {"status": "pending", "actual_amount": {"amount": 1.23}}, {"actual_amount": "1.23"}, id="$"
        ),
        pytest.param({"status": "pending", "actual_amount": {"amount": "1" * 51}}, {}, id="too much money"),
        pytest.param({"status": "pending", "actual_amount": "1.23"}, {}, id="a bare amount"),
    ],
)
def test_only_the_status_is_relied_on(document, expected):
    with RawServer(http(200, as_json(document))) as server:
        assert task(server.url) == TaskStatus(**{"task_id": TASK_ID, "status": "pending"} | expected)


def test_success_of_another_kind_is_an_answer_too():
    with RawServer(http(202, TASK)) as server:
        assert task(server.url).status == "pending"


@pytest.mark.parametrize("status", ["failed", "completed", "exported", "pending"])
def test_finished_is_not_exported_and_exported_needs_a_link(status):
    with RawServer(http(200, as_json({"status": status}))) as server:
        answer = task(server.url)
    assert (answer.is_exported, answer.has_failed) == (False, status == "failed")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *((http(code, PAGE), AccessDenied) for code in (401, 403, 405)),
        *((http(code, as_json({"error": "task_not_found"})), TaskUnknown) for code in (400, 404)),
        *(
            (http(code, PAGE), ProviderTrouble)
            for code in (301, 307, 402, 408, 409, 413, 429, 500, 502, 503, 504)
        ),
        (http(200, PAGE), ProviderTrouble),
        (http(200), ProviderTrouble),
        (http(200, b"null"), ProviderTrouble),
        (http(200, b"[" * 100_000), ProviderTrouble),
        (http(200, b'{"task_id": "x"}'), ProviderTrouble),
        (http(200, b'{"status": 1}'), ProviderTrouble),
        (http(200, b'{"status": ""}'), ProviderTrouble),
        (http(200, b'{"status": "exported", "task_id": "another"}'), ProviderTrouble),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + TASK, ProviderTrouble),
        (dropped, ProviderTrouble),
        (stalled, ProviderTrouble),
        (trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b" "), ProviderTrouble),
        (b"what?\r\n\r\n", ProviderTrouble),
    ],
)
def test_status_call_that_brings_no_status(answer, error):
    with RawServer(answer) as server, pytest.raises(EkycError) as caught:
        task(server.url, timeouts=patience_with(answer))
    assert type(caught.value) is error


def test_nobody_answers_a_status_call():
    with pytest.raises(ProviderTrouble, match="did not answer"):
        task(f"http://127.0.0.1:{unused_port()}")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 30 ", 30.0),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_in_seconds(header, seconds):
    with RawServer(http(429, Retry_After=header)) as server:
        assert upload(server.url).retry_after == seconds
        with pytest.raises(ProviderTrouble) as caught:
            task(server.url)
        assert caught.value.retry_after == seconds


def test_retry_after_as_a_date():
    date = format_datetime(datetime.fromtimestamp(time.time() + 120, UTC), usegmt=True)
    with RawServer(http(429, Retry_After=date)) as server:
        assert 110 < upload(server.url).retry_after <= 120


def test_retry_after_never_means_for_ever():
    """Added to a time it would otherwise leave the calendar, right after an upload."""
    with RawServer(http(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")) as server:
        assert upload(server.url).retry_after <= 1_000_000


def test_endless_answer_is_not_taken_in():
    sent = []

    def answer(connection):
        read_request(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"status": "pending", "x": "')
        for _ in range(1000):
            connection.sendall(b"x" * 100_000)
            sent.append(100_000)

    with RawServer(answer) as server, pytest.raises(ProviderTrouble):
        task(server.url)
    assert sum(sent) < 20_000_000


@pytest.mark.parametrize("body", [b"<" * 900_000, b"<a " * 300_000, b"9 " * 450_000, b"a:" * 450_000])
def test_hostile_words_are_read_in_no_time(body):
    with RawServer(http(500, body)) as server:
        began = time.monotonic()
        result = upload(server.url)
    assert time.monotonic() - began < 300  # hours, where each opening looks for its end
    assert len(result.words) < 220


# ---------------------------------------------------------------- balance

NEWER = {
    "status": "OK",
    "balance": 12.5,
    "credit": 0,
    "used_today": 3.25,
    "daily_limit": 1000,
    "reset_time": "2026-11-22T00:00:00Z",
}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            http(200, as_json(NEWER)), Balance(Decimal("12.5"), Decimal("3.25"), Decimal(0)), id="newer"
        ),
        pytest.param(http(200, b'{"balance": 12.50}'), Balance(Decimal("12.5")), id="older"),
        pytest.param(http(200, b'{"balance": "12.5"}'), Balance(Decimal("12.5")), id="as a text"),
        pytest.param(http(200, b'{"balance": 0}'), Balance(Decimal(0)), id="nothing left"),
        pytest.param(http(200, b'{"balance": -1}'), Balance(Decimal(-1)), id="in debt"),
        pytest.param(
            http(200, b'{"balance": 1, "used_today": "?"}'), Balance(Decimal(1)), id="used unreadable"
        ),
        pytest.param(http(200, b'{"balance": null}'), None, id="null"),
        pytest.param(http(200, b'{"balance": true}'), None, id="a boolean"),
        pytest.param(http(200, b'{"balance": NaN}'), None, id="not a number"),
        pytest.param(http(200, b'{"balance": 1e999}'), None, id="infinity"),
        pytest.param(http(200, b'{"balance": "much"}'), None, id="a word"),
        pytest.param(http(200, b'{"balance": {"amount": 1}}'), None, id="an object"),
        pytest.param(http(200, b"{}"), None, id="no balance"),
        pytest.param(http(200, PAGE), None, id="a page"),
        pytest.param(http(200), None, id="nothing"),
        *(
            pytest.param(http(code, as_json(NEWER)), None, id=str(code))
            for code in (307, 400, 401, 403, 404, 429, 500, 502)
        ),
        pytest.param(dropped, None, id="dropped"),
        pytest.param(stalled, None, id="stalled"),
    ],
)
def test_balance_is_a_figure_or_nothing(answer, expected):
    with RawServer(answer) as server:
        assert balance(server.url, timeouts=patience_with(answer)) == expected


@pytest.mark.parametrize(
    ("style", "used", "credit"), [("documented", Decimal("0.045"), Decimal(0)), ("older", None, None)]
)
def test_balance_of_the_sandbox(style, used, credit):
    with Sandbox(SandboxOptions(api_key=KEY, style=style, balance=1.0)) as sandbox:
        upload(sandbox.base_url)
        assert balance(sandbox.base_url) == Balance(Decimal("0.955"), used, credit)


def test_balance_where_it_is_not_offered():
    with Sandbox(SandboxOptions(api_key=KEY, offers_balance=False)) as sandbox:
        assert balance(sandbox.base_url) is None
