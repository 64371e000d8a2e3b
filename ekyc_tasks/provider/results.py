"""Result links: opened by a bare client (no headers, no cookies, no environment proxies), on allowed
hosts only, and never shown, logged or kept.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path

import httpx

from ekyc_tasks.errors import DownloadIncomplete, LinkExpired, ProviderTrouble, ResultHostRefused
from ekyc_tasks.provider.wire import TROUBLE, Timeouts, kind, load_certificates
from ekyc_tasks.support.hosts import is_loopback

_HOST = re.compile(r"[0-9a-z._:-]+")


@dataclass(frozen=True, slots=True)
class ResultHosts:
    """Hosts that may have a result: ``patterns`` as in `*.amazonaws.com`; loopback while the API is local."""

    patterns: Sequence[str]
    is_local: bool

    def check(self, link: str) -> None:
        """Raises ResultHostRefused, naming the host and never the link."""
        url = _parse(link)
        host = url.raw_host.decode()
        if self.is_local and is_loopback(host) and url.scheme in {"http", "https"}:
            return
        if url.scheme != "https":
            raise ResultHostRefused(
                f"the result on {host} is not offered over https, but over {url.scheme or 'nothing'}"
            )
        if not any(fnmatchcase(host, pattern.lower()) for pattern in self.patterns):
            raise ResultHostRefused(
                f"the result is on {host}, which is not allowed. If you trust it, add it to EKYC_RESULT_HOSTS"
            )


async def download(link: str, into: Path, *, hosts: ResultHosts, timeouts: Timeouts | None = None) -> int:
    """Stream a result link into the new file ``into`` (0600), fsynced; its size in bytes.

    Raises LinkExpired (403, 404, 410), DownloadIncomplete, ProviderTrouble, ResultHostRefused.
    """
    hosts.check(link)
    async with _bare_client(timeouts) as client, _open(client, link) as response:
        if response.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise LinkExpired(f"the result link no longer opens (HTTP {response.status_code})")
        if response.status_code != HTTPStatus.OK:
            raise ProviderTrouble(f"the storage host answered HTTP {response.status_code}")
        return await _store(response, into)


def _parse(link: str) -> httpx.URL:
    """With the parser that will open it: two parsers may see two hosts."""
    try:
        url = httpx.URL(link)
    except httpx.InvalidURL:
        raise ResultHostRefused("the result link cannot be read as a URL") from None
    if not _HOST.fullmatch(url.raw_host.decode()):
        raise ResultHostRefused("the result link has no readable host")
    return url


def _bare_client(timeouts: Timeouts | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=(timeouts or Timeouts()).as_httpx(),
        follow_redirects=False,
        trust_env=False,
        verify=load_certificates(trust_env=False),
        # The bytes as they are stored: a transfer encoding would hide the announced length.
        headers={"Accept-Encoding": "identity"},
    )


@asynccontextmanager
async def _open(client: httpx.AsyncClient, link: str) -> AsyncIterator[httpx.Response]:
    url = _parse(link)
    # httpx logs addresses (at INFO) and keeps them in its errors: so it gets only the host.
    host = httpx.URL(scheme=url.scheme, host=url.host, port=url.port)
    try:
        async with client.stream("GET", host, extensions={"target": url.raw_path}) as response:
            yield response
    except httpx.RemoteProtocolError as error:
        raise DownloadIncomplete(f"the download broke off ({kind(error)})") from None
    except TROUBLE as error:
        raise ProviderTrouble(f"the storage host did not answer completely ({kind(error)})") from None


async def _store(response: httpx.Response, into: Path) -> int:
    announced = response.headers.get("Content-Length", "")
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in response.aiter_raw():
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        size = file.tell()
    if announced.isdigit() and int(announced) != size:
        raise DownloadIncomplete(f"only {size:,} of {int(announced):,} bytes arrived")
    return size
