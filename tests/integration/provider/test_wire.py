"""The wire: what was not sent, what is sent and nothing else, certificates and connections."""

from __future__ import annotations

import socket
import ssl
import time
from subprocess import run as run_tool

import httpx
import pytest
from support.provider_calls import KEY, NUMBERS, TASK, TASK_ID, ask, balance, everything, task, upload
from support.raw_server import RawServer, as_json, form_parts, http, read_request, unused_port

from ekyc_tasks.errors import ConfigurationError, ProviderTrouble
from ekyc_tasks.models import Outcome
from ekyc_tasks.provider import Provider
from ekyc_tasks.provider.wire import load_certificates

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


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


# ---------------------------------------------------------------- nothing secret comes out


def test_clients_share_what_was_read_of_the_certificates(certificate, monkeypatch):
    """Reading them takes longer than a call."""
    first = load_certificates(trust_env=True)

    assert load_certificates(trust_env=True) is first
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert load_certificates(trust_env=True) is not first
    assert load_certificates(trust_env=False) is not load_certificates(trust_env=True)
