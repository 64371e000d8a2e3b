"""Uploads, sorted by what their answers mean: sent once, within a deadline, and no task id is lost."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from support.provider_calls import KEY, NUMBERS, PAGE, TASK, TASK_ID, dropped, stalled, trickling, upload
from support.raw_server import RawServer, as_json, http, read_request, wait_for_the_client_to_leave

from ekyc_tasks.models import Outcome
from ekyc_tasks.provider import Timeouts
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


MEANINGS = {
    Outcome.REFUSED: [400, 413, 422],
    Outcome.ACCESS_DENIED: [401, 403, 404, 405],
    Outcome.NO_MONEY: [402],
    Outcome.THROTTLED: [429],
    Outcome.SERVER_ERROR: [500],
    Outcome.UNKNOWN: [
        *(300, 301, 302, 303, 304, 307, 308),
        *(406, 408, 409, 410, 411, 415, 418, 423, 425, 426, 428, 431, 451, 499),
        *(501, 502, 503, 504, 507, 520, 522, 524, 529, 599),
    ],
}


@pytest.mark.parametrize(
    ("status", "outcome"), [(status, outcome) for outcome, codes in MEANINGS.items() for status in codes]
)
def test_status_code_decides_what_an_upload_means_whatever_the_body(status, outcome):
    # A task id in the answer of an error is no acceptance.
    bodies = [as_json({"error": "no", "message": "not now"}), TASK, PAGE] if status != 304 else [b""]
    with RawServer(*(http(status, body, Location="http://127.0.0.1:1/") for body in bodies)) as server:
        for _ in bodies:
            result = upload(server.url)
            assert (result.outcome, result.http_status, result.task_id) == (outcome, status, None)
            assert result.words.startswith(f"HTTP {status}")
        assert server.connections == len(bodies)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_with_a_task_id_is_accepted(status):
    with RawServer(http(status, TASK)) as server:
        result = upload(server.url)
    assert (result.outcome, result.http_status, result.task_id) == (Outcome.ACCEPTED, status, TASK_ID)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PAGE, id="a page"),
        pytest.param(b'{"task_id": "d4g24nep2jv', id="half a document"),
        pytest.param(b'{"status": "pending"}', id="no task_id"),
        pytest.param(b'{"task_id": null}', id="null"),
        pytest.param(b'{"task_id": ""}', id="empty id"),
        pytest.param(b'{"task_id": "d4g24 nep2"}', id="an id with a space"),
        pytest.param(b'{"task_id": "' + b"x" * 201 + b'"}', id="an endless id"),
        pytest.param(b'{"task_id": "https://example.com/"}', id="a link for an id"),
        pytest.param(b'[{"task_id": "d4g24nep2jvh04o9uoh0"}]', id="a list"),
        pytest.param(b'"d4g24nep2jvh04o9uoh0"', id="a bare string"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"a":' * 100_000, id="nested objects without end"),
        pytest.param(b"\xff\xfe\x00\xd8", id="bytes"),
        pytest.param(b'{"n": ' + b"1" * 10_000 + b"}", id="a number without end"),
    ],
)
def test_success_without_a_readable_task_id_is_unknown(body):
    with RawServer(http(200, body)) as server:
        result = upload(server.url)
    assert (result.outcome, result.http_status, result.task_id) == (Outcome.UNKNOWN, 200, None)
    assert "no task id" in result.words


@pytest.mark.parametrize("status", [203, 204, 206])
def test_other_successes_without_a_body_are_unknown(status):
    with RawServer(http(status)) as server:
        assert upload(server.url).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + TASK, id="fewer bytes than announced"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(TASK), TASK),
            id="no last chunk",
        ),
    ],
)
def test_task_id_that_arrived_before_the_connection_broke_is_not_lost(answer):
    with RawServer(answer) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, TASK_ID)


def test_task_id_that_arrived_before_the_answer_stalled_is_not_lost():
    def answer(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + TASK)
        wait_for_the_client_to_leave(connection)

    with RawServer(answer) as server:
        result = upload(server.url, timeouts=Timeouts(read=1))
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, TASK_ID)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_torn_answer_without_a_task_id_is_unknown_and_keeps_its_status(status, encoding):
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: {encoding}\r\nContent-Length: 500\r\n\r\n"
    with RawServer(head.encode() + TASK[:20]) as server:
        result = upload(server.url)
    assert (result.outcome, result.http_status) == (Outcome.UNKNOWN, status)
    assert "the answer was incomplete" in result.words


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(dropped, id="closed without a word"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 200", id="half a status line"),
    ],
)
def test_connection_that_ends_without_an_answer_is_unknown(answer):
    with RawServer(answer) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.UNKNOWN, None)
    assert "connection" in result.words


@pytest.mark.parametrize(
    ("trouble", "outcome", "charges"),
    [
        ("202", Outcome.ACCEPTED, 1),
        ("reset_before", Outcome.UNKNOWN, 0),
        ("reset_after", Outcome.UNKNOWN, 1),
        ("cut", Outcome.UNKNOWN, 0),
        ("stall_before", Outcome.UNKNOWN, 0),
        ("stall_after", Outcome.UNKNOWN, 1),
        ("html", Outcome.UNKNOWN, 1),
        ("empty", Outcome.UNKNOWN, 1),
        ("no_task_id", Outcome.UNKNOWN, 1),
        ("redirect", Outcome.UNKNOWN, 0),
        ("504_after", Outcome.UNKNOWN, 1),
        ("500_after", Outcome.SERVER_ERROR, 1),
    ],
)
def test_upload_is_sent_once_and_never_repeated(trouble, outcome, charges):
    with Sandbox(SandboxOptions(api_key=KEY, chaos=(f"create:1={trouble}",))) as sandbox:
        result = upload(
            sandbox.base_url, content=NUMBERS * 50_000, deadline=3.0 if "stall" in trouble else 30.0
        )
        assert result.outcome is outcome
        assert len(sandbox.charges) == charges
        assert [call.path for call in sandbox.calls] == ["/v1/tasks"]
        assert sandbox.leaks == []


given_up = threading.Event()


def never_reading(connection):
    given_up.wait(60)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(stalled, id="silence"),
        pytest.param(trickling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), id="headers without end"),
        pytest.param(
            trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" "), id="a body in drops"
        ),
        pytest.param(never_reading, id="nobody takes the upload in"),
    ],
)
def test_deadline_bounds_the_whole_upload(answer):
    with RawServer(answer) as server:
        given_up.clear()
        began = time.monotonic()
        result = upload(server.url, content=NUMBERS * 500_000, deadline=1.5)
        assert time.monotonic() - began < 60  # the server would hold it for as long as it likes
        given_up.set()
    assert result.outcome is Outcome.UNKNOWN
    assert "no answer within 1.5 s" in result.words


def test_early_answer_ends_an_upload_that_was_not_read():
    def answer(connection):
        connection.recv(1000)
        connection.sendall(http(413))
        connection.shutdown(socket.SHUT_WR)
        wait_for_the_client_to_leave(connection)

    with RawServer(answer) as server:
        assert upload(server.url, content=NUMBERS * 200_000).outcome is Outcome.REFUSED
