"""The client over real sockets: what every answer means, and what no answer may bring out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import socket
import ssl
import time
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from subprocess import run as run_tool

import httpx
import pytest
from support import (
    RawServer,
    as_json,
    form_parts,
    http,
    read_request,
    unused_port,
    wait_for_the_client_to_leave,
)

from ekyc_tasks.errors import (
    AccessDenied,
    ConfigurationError,
    DownloadIncomplete,
    EkycError,
    LinkExpired,
    ProviderTrouble,
    ResultHostRefused,
    TaskUnknown,
)
from ekyc_tasks.models import Outcome, TaskStatus
from ekyc_tasks.money import Balance
from ekyc_tasks.provider import Provider, ResultHosts, Timeouts, download, parse_time
from ekyc_tasks.provider.wire import trusted
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.scrub import scrub

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]

PUBLISHED = Path(__file__).parent.parent / "fixtures" / "provider"
KEY = "key-CANARY-d41d8cd9"
NUMBERS = b"+41790000001\n+41790000002\n+41790000003\n"
TASK_ID = "d4g24nep2jvh04o9uoh0"
TASK = as_json({"task_id": TASK_ID, "status": "pending"})
PAGE = b"<html><head><title>Oops</title></head><body><h1>Bad Gateway</h1></body></html>"
PATIENCE = Timeouts(connect=2, read=2, write=2, pool=2)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
LOCAL = ResultHosts((), is_local=True)
S3 = ResultHosts(("*.amazonaws.com",), is_local=False)


@pytest.fixture
def no_certificates(monkeypatch):
    """Loading those that the client trusts costs 30 ms a client; without them it trusts nobody."""
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", lambda **_: NO_TLS)


def published(name):
    return (PUBLISHED / f"{name}.json").read_bytes()


def ask(url, question, *, timeouts=PATIENCE):
    """The answer to one question to the provider at ``url``."""

    async def asking():
        async with Provider(url, KEY, timeouts=timeouts) as provider:
            return await question(provider)

    return asyncio.run(asking())


def upload(url, *, content=NUMBERS, deadline=5.0, timeouts=PATIENCE):
    return ask(
        url,
        lambda provider: provider.upload(
            io.BytesIO(content), name="batch-1.txt", task_type="tg_avatar", deadline=deadline
        ),
        timeouts=timeouts,
    )


def task(url, **options):
    return ask(url, lambda provider: provider.task(TASK_ID), **options)


def balance(url, **options):
    return ask(url, lambda provider: provider.balance(), **options)


def fetched(link, into, *, hosts=LOCAL, timeouts=PATIENCE):
    return asyncio.run(download(link, into, hosts=hosts, timeouts=timeouts))


def stalled(connection):
    read_request(connection)
    wait_for_the_client_to_leave(connection)


def dropped(connection):
    """An orderly close, no byte of an answer."""
    read_request(connection)


def trickling(head, drop):
    def answer(connection):
        read_request(connection)
        connection.sendall(head)
        while True:
            time.sleep(0.05)
            connection.sendall(drop)

    return answer


# ---------------------------------------------------------------- uploads, sorted by what they mean

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
        pytest.param(b'{"task_id": 12}', id="a number for an id"),
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
        result = upload(server.url, timeouts=Timeouts(read=0.3))
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, TASK_ID)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_torn_answer_without_a_task_id_is_unknown_and_keeps_its_status(status, encoding):
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: {encoding}\r\nContent-Length: 500\r\n\r\n"
    with RawServer(head.encode() + TASK[:20]) as server:
        result = upload(server.url)
    assert (result.outcome, result.http_status) == (Outcome.UNKNOWN, status)
    assert "broke off" in result.words


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
            sandbox.base_url, content=NUMBERS * 50_000, deadline=0.7 if "stall" in trouble else 20.0
        )
        assert result.outcome is outcome
        assert len(sandbox.charges) == charges
        assert [call.path for call in sandbox.calls] == ["/v1/tasks"]
        assert sandbox.leaks == []


def never_reading(connection):
    time.sleep(1.0)


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
        began = time.monotonic()
        result = upload(server.url, content=NUMBERS * 500_000, deadline=0.4)
        assert time.monotonic() - began < 0.9
    assert result.outcome is Outcome.UNKNOWN
    assert "no answer within 0.4 s" in result.words


def test_early_answer_ends_an_upload_that_was_not_read():
    def answer(connection):
        connection.recv(1000)
        connection.sendall(http(413))
        connection.shutdown(socket.SHUT_WR)
        wait_for_the_client_to_leave(connection)

    with RawServer(answer) as server:
        assert upload(server.url, content=NUMBERS * 200_000).outcome is Outcome.REFUSED


# ---------------------------------------------------------------- nothing sent


def test_nothing_listens():
    result = upload(f"http://127.0.0.1:{unused_port()}")
    assert (result.outcome, result.http_status) == (Outcome.NOT_SENT, None)


def test_name_that_does_not_exist():
    assert upload("https://api.provider.invalid").outcome is Outcome.NOT_SENT


def test_host_that_does_not_speak_tls_has_been_sent_nothing():
    heard = []

    def answer(connection):
        heard.append(connection.recv(1 << 16))
        connection.sendall(http(400))

    with RawServer(answer) as server:
        result = upload(server.url.replace("http:", "https:"))
    assert result.outcome is Outcome.NOT_SENT
    assert KEY.encode() not in heard[0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """For provider.test, signed by nobody but itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=provider.test -addext subjectAltName=DNS:provider.test"
    )
    both = [*command.split(), "-keyout", "-", "-out", "-"]
    path.write_bytes(run_tool(both, check=True, capture_output=True).stdout)
    return path


@pytest.fixture
def provider_test_is_here(monkeypatch):
    """The name provider.test leads to this machine; it is no loopback name to the client."""
    real = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        return real(
            "127.0.0.1" if host in {"provider.test", b"provider.test"} else host, *arguments, **options
        )

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def trust(certificate, monkeypatch):
    """In the way that a company with a certificate of its own does it."""
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", httpx.create_ssl_context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def over_tls(certificate, then):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            read_request(tls)
            then(tls)

    return answer


@pytest.mark.usefixtures("provider_test_is_here")
def test_untrusted_certificate_has_been_sent_nothing(certificate):
    with RawServer(over_tls(certificate, lambda tls: tls.sendall(http(200, TASK)))) as server:
        assert upload(f"https://provider.test:{server.port}").outcome is Outcome.NOT_SENT
    assert server.requests == []


def garbage_after_the_handshake(tls):
    """Bytes that are no TLS record: the library's own error, not one that httpx knows."""
    with socket.socket(fileno=socket.dup(tls.fileno())) as plain:
        plain.sendall(b"HTTP/1.1 200 OK\r\n\r\nthis is no record of TLS at all")
    time.sleep(0.1)


@pytest.mark.usefixtures("provider_test_is_here")
@pytest.mark.parametrize("question", ["upload", "task", "balance"])
def test_broken_tls_is_trouble_and_never_a_defect(question, certificate, monkeypatch):
    trust(certificate, monkeypatch)
    with RawServer(over_tls(certificate, garbage_after_the_handshake)) as server:
        url = f"https://provider.test:{server.port}"
        if question == "upload":
            assert upload(url).outcome is Outcome.UNKNOWN
        elif question == "task":
            with pytest.raises(ProviderTrouble):
                task(url)
        else:
            assert balance(url) is None


@pytest.mark.usefixtures("provider_test_is_here")
def test_trusted_certificate_is_taken(certificate, monkeypatch):
    trust(certificate, monkeypatch)
    with RawServer(over_tls(certificate, lambda tls: tls.sendall(http(200, TASK)))) as server:
        assert upload(f"https://provider.test:{server.port}").outcome is Outcome.ACCEPTED


# ---------------------------------------------------------------- what is sent


def test_upload_is_the_documented_form_and_nothing_else():
    content = NUMBERS * 100_000
    with RawServer(http(200, TASK)) as server:
        upload(server.url, content=content)
    (request,) = server.requests
    assert request.line == "POST /v1/tasks HTTP/1.1"
    assert sorted(form_parts(request)) == [
        (
            'Content-Disposition: form-data; name="file"; filename="batch-1.txt"\r\nContent-Type: text/plain',
            content,
        ),
        ('Content-Disposition: form-data; name="task_type"', b"tg_avatar"),
    ]
    assert request.all("X-API-Key") == [KEY]
    assert request.all("Content-Length") == [str(len(request.body))]


def test_status_call_is_the_documented_form_and_nothing_else():
    with RawServer(http(200, TASK)) as server:
        task(server.url)
    (request,) = server.requests
    assert request.line == "POST /v1/gettasks HTTP/1.1"
    assert form_parts(request) == [('Content-Disposition: form-data; name="task_id"', TASK_ID.encode())]
    assert request.all("X-API-Key") == [KEY]


def test_balance_is_a_bare_get():
    with RawServer(http(200, as_json({"balance": 1}))) as server:
        balance(server.url)
    (request,) = server.requests
    assert (request.line, request.body) == ("GET /v1/balance HTTP/1.1", b"")
    assert request.all("X-API-Key") == [KEY]


def test_base_url_may_have_a_path_and_a_slash():
    with RawServer(http(200, TASK)) as server:
        task(f"{server.url}/bulk/")
    assert server.requests[0].line == "POST /bulk/v1/gettasks HTTP/1.1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_with_the_key(status):
    with RawServer(http(200, TASK)) as elsewhere:
        with RawServer(http(status, Location=f"{elsewhere.url}/v1/tasks")) as server:
            assert upload(server.url).outcome is Outcome.UNKNOWN
            with pytest.raises(ProviderTrouble):
                task(server.url)
            assert balance(server.url) is None
        assert elsewhere.connections == 0


def test_every_call_has_a_connection_of_its_own():
    """A kept connection that died meanwhile would turn "could not connect" into an unknown outcome."""

    async def twice(provider):
        await provider.task(TASK_ID)
        await provider.task(TASK_ID)

    def patient(connection):
        while True:
            read_request(connection)
            connection.sendall(http(200, TASK, Connection="keep-alive"))

    with RawServer(patient) as server:
        ask(server.url, twice)
        assert server.connections == 2


@pytest.mark.parametrize("key", ["", "two words", "line\nfeed", "ключ", "tab\t"])
def test_key_that_no_header_can_carry_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError) as caught:
        Provider("http://127.0.0.1:1", key)
    assert "EKYC_API_KEY" in str(caught.value)
    assert not key or key not in everything(caught.value)


# ---------------------------------------------------------------- what is understood


def test_published_document_of_a_new_task():
    with RawServer(http(200, published("created"))) as server:
        result = upload(server.url)
    assert (result.outcome, result.task_id) == (Outcome.ACCEPTED, "d4g8o46p2jvh04o9uolg")
    assert result.words == "HTTP 200, Task created successfully"


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
    failure=0,
    created_at=datetime(2025, 11, 21, 8, 27, 9, 933000, UTC),
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
            {"total": 7, "success": 7, "failure": 7},
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
        task(server.url, timeouts=Timeouts(connect=0.3, read=0.3))
    assert type(caught.value) is error


def test_nobody_answers_a_status_call():
    with pytest.raises(ProviderTrouble, match="gave no answer"):
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
    assert time.monotonic() - began < 3
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
        assert balance(server.url, timeouts=Timeouts(read=0.3)) == expected


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


# ---------------------------------------------------------------- results

ARCHIVE = b"PK\x05\x06" + bytes(range(256)) * 4000
SIGNED = "/externalcheck/x/x.zip?X-Amz-Signature=SIGNATURE-CANARY&X-Amz-Expires=300%2F1#top"


def test_result_of_the_sandbox_arrives_whole_and_private_without_credentials(tmp_path):
    with Sandbox(SandboxOptions(api_key=KEY, processing_seconds=0)) as sandbox:
        task_id = upload(sandbox.base_url).task_id
        status = ask(sandbox.base_url, lambda provider: provider.task(task_id))
        size = fetched(status.result_url, tmp_path / "result")
        plain = httpx.get(status.result_url).content
        assert (tmp_path / "result").read_bytes() == plain
        assert size == len(plain)
        assert (tmp_path / "result").stat().st_mode & 0o777 == 0o600
        assert sandbox.leaks == []
        assert len([call for call in sandbox.calls if call.server == "storage"]) == 2


def test_download_brings_no_credentials_of_any_kind(tmp_path, monkeypatch):
    with RawServer(http(200, ARCHIVE)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login x password y\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with RawServer(http(200, ARCHIVE)) as server:
            fetched(f"http://user:secret@127.0.0.1:{server.port}{SIGNED}", tmp_path / "result")
        assert proxy.connections == 0
    (request,) = server.requests
    assert request.line == f"GET {SIGNED.removesuffix('#top')} HTTP/1.1"
    names = {name.lower() for name, _ in request.headers}
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert request.all("Accept-Encoding") == ["identity"]
    assert (tmp_path / "result").read_bytes() == ARCHIVE


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        *((http(code), LinkExpired) for code in (403, 404, 410)),
        *((http(code), ProviderTrouble) for code in (201, 204, 206, 400, 401, 429, 500, 502, 503)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + ARCHIVE, DownloadIncomplete),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nPK\x05\x06\r\n",
            DownloadIncomplete,
        ),
        (dropped, DownloadIncomplete),
        (stalled, ProviderTrouble),
    ],
)
def test_download_that_brings_no_result(answer, error, tmp_path):
    with RawServer(answer) as server, pytest.raises(EkycError) as caught:
        fetched(server.url + SIGNED, tmp_path / "result", timeouts=Timeouts(read=0.3))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("truncate", DownloadIncomplete), ("reset", EkycError), ("link_expired", LinkExpired)],
)
def test_storage_trouble_of_the_sandbox(trouble, error, tmp_path):
    options = SandboxOptions(api_key=KEY, processing_seconds=0, chaos=(f"fetch:1={trouble}",))
    with Sandbox(options) as sandbox:
        task_id = upload(sandbox.base_url).task_id
        link = ask(sandbox.base_url, lambda provider: provider.task(task_id)).result_url
        with pytest.raises(error):
            fetched(link, tmp_path / "result")
        assert fetched(link, tmp_path / "result") == (tmp_path / "result").stat().st_size


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirected_download_is_refused(status, tmp_path):
    with RawServer(http(200, ARCHIVE)) as elsewhere:
        with (
            RawServer(http(status, Location=elsewhere.url + SIGNED)) as server,
            pytest.raises(ProviderTrouble),
        ):
            fetched(server.url + SIGNED, tmp_path / "result")
        assert elsewhere.connections == 0
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize(
    ("link", "hosts"),
    [
        ("https://wapic.s3.ap-southeast-1.amazonaws.com/x", S3),
        ("https://WAPIC.S3.AMAZONAWS.COM/x", S3),
        ("HTTPS://x.amazonaws.com:8443/x", S3),
        (
            "https://results.example.com/x",
            ResultHosts(("*.amazonaws.com", "Results.example.com"), is_local=False),
        ),
        ("http://127.0.0.1:9/x", LOCAL),
        ("http://localhost:9/x", LOCAL),
        ("http://[::1]:9/x", LOCAL),
        ("https://x.amazonaws.com/x", ResultHosts(("*.amazonaws.com",), is_local=True)),
    ],
)
def test_hosts_that_are_allowed(link, hosts):
    hosts.check(link)


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("https://evilamazonaws.com/x", "evilamazonaws.com"),
        ("https://amazonaws.com/x", "amazonaws.com"),
        ("https://x.amazonaws.com.evil.example/x", "x.amazonaws.com.evil.example"),
        ("https://x.amazonaws.com@evil.example/x", "evil.example"),
        ("https://evil.example/x.amazonaws.com", "evil.example"),
        ("https://evil.example?x.amazonaws.com", "evil.example"),
        ("https://evil.example#.amazonaws.com", "evil.example"),
        ("https://evil.example\\.amazonaws.com", ""),
        ("https://x.amazonaws.com\n.evil.example/x", ""),
        ("http://x.amazonaws.com/x", "x.amazonaws.com"),
        ("ftp://x.amazonaws.com/x", "x.amazonaws.com"),
        ("file:///etc/passwd", ""),
        ("https:///x", ""),
        ("//x.amazonaws.com/x", "x.amazonaws.com"),
        ("x.amazonaws.com/x", ""),
        ("https://[::1/x", ""),
        ("https://x.amazonaws.com:port/x", ""),
        ("https://127.0.0.1/x", "127.0.0.1"),
        ("http://localhost/x", "localhost"),
        ("https://169.254.169.254/x", "169.254.169.254"),
        ("", ""),
    ],
)
def test_hosts_that_are_refused_by_name_and_never_asked(link, named, tmp_path, monkeypatch):
    monkeypatch.setattr(httpx.AsyncClient, "send", None)  # whoever asks fails
    link = re.sub("/x$", "/x?X-Amz-Signature=SIGNATURE-CANARY", link)
    with pytest.raises(ResultHostRefused) as caught:
        fetched(link, tmp_path / "result", hosts=S3)
    assert named in str(caught.value)
    assert "CANARY" not in everything(caught.value)
    assert not (tmp_path / "result").exists()


def test_plain_http_elsewhere_is_refused_while_the_api_is_local():
    with pytest.raises(ResultHostRefused):
        ResultHosts(("*.amazonaws.com",), is_local=True).check("http://x.amazonaws.com/x")


# ---------------------------------------------------------------- nothing secret comes out

NUMBER = "+41791234567"
LINK = "https://wapic.s3.amazonaws.com/x.zip?X-Amz-Signature=SIGNATURE-CANARY"
CANARIES = (KEY, "CANARY", "amazonaws.com/x", "1234567", "123 45 67")


def everything(error):
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


def telling(status, body):
    return http(
        status, body if isinstance(body, bytes) else body.encode(), Location=LINK, Set_Cookie=f"k={KEY}"
    )


TELLTALES = [
    pytest.param(f'{{"error": "bad", "message": "{KEY} sent {NUMBER}, see {LINK}"}}', id="JSON"),
    pytest.param(f'{{"detail": "{KEY} sent {NUMBER}, see {LINK}"}}', id="JSON of another kind"),
    pytest.param(f'["{KEY}", "{NUMBER}", "{LINK}"]', id="a list"),
    pytest.param(f'{{"link": "{LINK}"}}'.replace("/", "\\/"), id="escaped slashes"),
    pytest.param(f'{{"link": "{LINK}"}}'.replace("/", "\\u002f"), id="escaped characters"),
    pytest.param(f'["{KEY}"]'.replace("-", "\\u002d"), id="an escaped key"),
    pytest.param(f"<p>{KEY}<br>{NUMBER}</p><a href='{LINK}'>{LINK}</a>", id="a page"),
    pytest.param(f"{KEY} {NUMBER} {LINK}", id="text"),
    pytest.param("numbers: 41 79 123 45 67, +41-79-123-45-67, (079) 123 45 67", id="numbers in groups"),
    pytest.param("number 41\u200b79\u200b123\u200b45\u200b67", id="hidden spaces"),
    pytest.param(NUMBER.encode("utf-16"), id="another encoding"),
    pytest.param("x" * 180 + f" {NUMBER} {LINK} {KEY}", id="at the cut"),
]


@pytest.mark.parametrize("body", TELLTALES)
@pytest.mark.parametrize("status", [200, 307, 400, 401, 404, 500, 502])
def test_no_words_hold_a_key_a_link_or_a_number(status, body):
    with RawServer(telling(status, body)) as server:
        result = upload(server.url)
        with pytest.raises(EkycError) as caught:
            task(server.url)
    told = repr(result) + everything(caught.value)
    assert [canary for canary in CANARIES if canary in told] == []
    assert f"HTTP {status}" in told


@pytest.mark.parametrize(
    "answer",
    [
        *(telling(code, f"{KEY} {NUMBER} {LINK}") for code in (206, 307, 403, 404, 410, 500)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + NUMBER.encode(),
        f"{NUMBER} {LINK}\r\n\r\n".encode(),
        dropped,
        stalled,
    ],
)
def test_no_error_of_a_download_holds_the_link(answer, tmp_path):
    with RawServer(answer) as server:
        link = server.url + SIGNED
        with pytest.raises(EkycError) as caught:
            fetched(link, tmp_path / "result", timeouts=Timeouts(read=0.3))
    told = everything(caught.value)
    assert [canary for canary in (*CANARIES, "externalcheck") if canary in told] == []
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def nothing_is_known(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.mark.parametrize(
    "link", [f"https://x.amazonaws.com/{'x' * 70_000}CANARY", "https://x.amazonaws.com:0/CANARY"]
)
def test_links_that_cannot_be_opened_are_not_shown(link, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", nothing_is_known)
    with pytest.raises(EkycError) as caught:
        fetched(link, tmp_path / "result", hosts=S3)
    assert "CANARY" not in everything(caught.value)


@pytest.mark.parametrize("question", [upload, task, balance])
def test_no_error_of_a_broken_connection_holds_the_key(question):
    try:
        told = repr(question(f"http://127.0.0.1:{unused_port()}"))
    except EkycError as error:
        told = everything(error)
    assert "CANARY" not in told


def test_provider_does_not_show_its_key():
    async def shown(provider):
        return f"{provider} {provider!r}"

    assert KEY not in ask("http://127.0.0.1:1", shown)


def test_logs_of_the_http_library_hold_no_key_and_no_link(tmp_path, caplog):
    """httpx logs whole addresses at INFO: one careless root logger would keep every signed link."""
    caplog.set_level(logging.DEBUG)
    with RawServer(http(200, ARCHIVE)) as storage:
        link = storage.url + SIGNED
        document = {"status": "exported", "result_url": link}
        with RawServer(http(200, as_json(document))) as server:
            status = task(server.url)
            fetched(status.result_url, tmp_path / "result")
        assert storage.requests[0].line.startswith("GET /externalcheck/x/x.zip?X-Amz-Signature=")
    told = caplog.text
    assert f"HTTP Request: GET {storage.url}" in told  # the library does log
    assert [canary for canary in (*CANARIES, "externalcheck") if canary in told] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>a</b><br/>b", "a b"),
        ("1 < 2 and <i>3</i>", "1 < 2 and 3"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("total 123456 of 2049", "total 123456 of 2049"),
        ("x" * 500, "x" * 199 + "…"),
    ],
)
def test_words_from_outside_become_one_short_line(text, expected):
    assert scrub(text) == expected


@pytest.mark.parametrize(
    ("words", "minimum"),
    [
        ("only 450 compliant numbers remain for ws, which is less than the minimum 500", 500),
        ("the minimum is 1,000 numbers", 1000),
        ("Minimum: 500", 500),
        ("too few numbers", None),
        ("minimum 1", None),
        ("minimum 99999999", None),
        ("a minimum of care would do; line 7 is no number", None),
    ],
)
def test_minimum_that_a_refusal_names(words, minimum):
    answer = http(400, as_json({"error": "invalid_batch_size", "message": words}))
    with RawServer(answer) as server:
        result = upload(server.url)
    assert (result.outcome, result.minimum) == (Outcome.REFUSED, minimum)


def test_clients_share_what_was_read_of_the_certificates(certificate, monkeypatch):
    """Reading them takes longer than a call."""
    first = trusted(trust_env=True)

    assert trusted(trust_env=True) is first
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert trusted(trust_env=True) is not first
    assert trusted(trust_env=False) is not trusted(trust_env=True)
