"""Nothing secret comes out, whatever the far side says."""

from __future__ import annotations

import logging
import socket

import pytest
from support.provider_calls import (
    ARCHIVE,
    KEY,
    S3,
    SIGNED,
    ask,
    balance,
    dropped,
    everything,
    fetched,
    patience_with,
    stalled,
    task,
    upload,
)
from support.raw_server import RawServer, as_json, http, unused_port

from ekyc_tasks.errors import EkycError
from ekyc_tasks.models import Outcome
from ekyc_tasks.support.redact import scrub

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


NUMBER = "+41791234567"
LINK = "https://wapic.s3.amazonaws.com/x.zip?X-Amz-Signature=SIGNATURE-CANARY"
CANARIES = (KEY, "CANARY", "amazonaws.com/x", "1234567", "123 45 67")


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
            fetched(link, tmp_path / "result", timeouts=patience_with(answer))
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
