"""Result links: from hosts that are allowed, without credentials, whole or not at all."""

from __future__ import annotations

import re

import httpx
import pytest
from support.provider_calls import (
    ARCHIVE,
    KEY,
    LOCAL,
    S3,
    SIGNED,
    ask,
    dropped,
    everything,
    fetched,
    patience_with,
    stalled,
    upload,
)
from support.raw_server import RawServer, http

from ekyc_tasks.errors import DownloadIncomplete, EkycError, LinkExpired, ProviderTrouble, ResultHostRefused
from ekyc_tasks.provider import ResultHosts
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


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
        fetched(server.url + SIGNED, tmp_path / "result", timeouts=patience_with(answer))
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
