"""What both clients share: patience, and what httpx raises when."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from functools import cache

import httpx

# Raised before a byte of the request has left: name, connection, TLS, proxy tunnel.
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
# httpx lets the TLS library's own errors through once a connection stands.
TROUBLE = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of silence that end a call: connecting, reading, writing, waiting for a connection."""

    connect: float = 10.0
    read: float = 60.0
    write: float = 60.0
    pool: float = 10.0

    @property
    def whole(self) -> float:
        """The longest that a free question may take: an answer that drips is none."""
        return self.connect + 2 * self.read

    def as_httpx(self) -> httpx.Timeout:
        return httpx.Timeout(connect=self.connect, read=self.read, write=self.write, pool=self.pool)


def load_certificates(*, trust_env: bool) -> ssl.SSLContext:
    """Whom a client trusts; reading the certificates takes 40 ms, so all clients share what was read."""
    own = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")] if trust_env else []
    return _read(trust_env, *own)


@cache
def _read(trust_env: bool, *_: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=trust_env)


def kind(error: Exception) -> str:
    """The class name in words: httpx puts addresses into its texts."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
