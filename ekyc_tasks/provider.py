"""The provider's API over HTTP; the only httpx.

Two clients that share nothing: `Provider` sends the key to the base URL's host and follows no
redirect; `download` is bare (no headers, no cookies, no environment proxies) and opens result links
on allowed hosts only. No error here holds a number, the key or a link.

Facts marked *documented* are the provider's own pages; *seen* is what its paying users met.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx

from ekyc_tasks.errors import (
    AccessDenied,
    ConfigurationError,
    DownloadIncomplete,
    LinkExpired,
    ProviderTrouble,
    ResultHostRefused,
    TaskUnknown,
)
from ekyc_tasks.models import Outcome, TaskStatus, UploadResult
from ekyc_tasks.money import Balance
from ekyc_tasks.scrub import scrub
from ekyc_tasks.settings import is_loopback

_BODY_LIMIT = 1 << 20  # an answer of the API is far below; an endless one must not fill the memory
_HEADER_SAFE = re.compile(r"[!-~]+")
_TASK_ID = re.compile(r"[0-9A-Za-z_-]{1,200}")
_HOST = re.compile(r"[0-9a-z._:-]+")
_MINIMUM = re.compile(r"\bminimum\D{0,20}?(\d{1,3}(?:[,' ]\d{3})+|\d{1,8})\b", re.IGNORECASE)
_LARGEST_TASK = 10_000_000  # documented: the most numbers that one task takes
_LONGEST_WAIT = 1_000_000.0  # seconds; a date far ahead must not leave the calendar
_LONGEST_AMOUNT = 50
_LONGEST_WORDS = 4096  # more than is ever shown; hostile megabytes are not worth reading
# Raised before a byte of the request has left: name, connection, TLS, proxy tunnel.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
# httpx lets the TLS library's own errors through once a connection stands.
_TROUBLE = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError)
_OUTCOMES: dict[int, Outcome] = {
    HTTPStatus.BAD_REQUEST: Outcome.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Outcome.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Outcome.REFUSED,
    HTTPStatus.UNAUTHORIZED: Outcome.ACCESS_DENIED,
    HTTPStatus.FORBIDDEN: Outcome.ACCESS_DENIED,
    HTTPStatus.NOT_FOUND: Outcome.ACCESS_DENIED,
    HTTPStatus.METHOD_NOT_ALLOWED: Outcome.ACCESS_DENIED,
    HTTPStatus.PAYMENT_REQUIRED: Outcome.NO_MONEY,
    HTTPStatus.TOO_MANY_REQUESTS: Outcome.THROTTLED,
    HTTPStatus.INTERNAL_SERVER_ERROR: Outcome.SERVER_ERROR,
}


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


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of the API, at most `_BODY_LIMIT` bytes of it, whole unless the connection broke."""

    status: int
    body: bytes
    retry_after: float | None
    is_whole: bool

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body, or an empty one."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return parsed if isinstance(parsed, dict) else {}

    def words(self, *secrets: str) -> str:
        """What the provider said, fit to be shown; seen: JSON with `error` and `message`, HTML, nothing."""
        parts = [self.document.get(name) for name in ("error", "message")]
        said = ": ".join(part for part in parts if isinstance(part, str) and part)
        text = scrub(_beginning(said or self._text()), *secrets)
        return f"HTTP {self.status}" + (f", {text}" if text else "")

    def _text(self) -> str:
        """JSON is written anew, for its escapes may hide a link or a number."""
        try:
            return json.dumps(json.loads(self.body), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


class Provider:
    """The three documented calls; use as an async context manager."""

    def __init__(self, base_url: str, api_key: str, *, timeouts: Timeouts | None = None) -> None:
        self._key = api_key
        self._host = urlsplit(base_url).netloc
        self._timeouts = timeouts or Timeouts()
        if not _HEADER_SAFE.fullmatch(api_key):
            raise ConfigurationError("EKYC_API_KEY holds characters that no key has; paste it again.")
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"X-API-Key": api_key, "Accept": "application/json"},
            timeout=self._timeouts.as_httpx(),
            follow_redirects=False,
            trust_env=not is_loopback(urlsplit(base_url).hostname),
            # A kept connection may be dead already: then the first write fails with bytes on the way,
            # and a free "could not connect" would turn into an unknown outcome.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Provider:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def upload(self, numbers: BinaryIO, *, name: str, task_type: str, deadline: float) -> UploadResult:
        """`POST /v1/tasks` (documented: multipart, `file` and `task_type`), within ``deadline`` seconds.

        Never raises for what the provider or the network does: the outcome says what it means for money.
        """
        try:
            async with asyncio.timeout(deadline):
                answer = await self._call(
                    "POST",
                    "/v1/tasks",
                    files={"file": (name, numbers, "text/plain")},
                    data={"task_type": task_type},
                )
        except _NOT_SENT as error:
            return UploadResult(
                Outcome.NOT_SENT, f"{self._host} could not be reached ({_kind(error)}); check EKYC_BASE_URL"
            )
        except TimeoutError:
            return UploadResult(Outcome.UNKNOWN, f"no answer within {deadline:g} s")
        except _TROUBLE as error:
            return UploadResult(Outcome.UNKNOWN, f"the connection ended without an answer ({_kind(error)})")
        return self._sorted(answer)

    async def task(self, task_id: str) -> TaskStatus:
        """`POST /v1/gettasks` (documented). Raises AccessDenied, TaskUnknown, ProviderTrouble."""
        answer = await self._asked("POST", "/v1/gettasks", files={"task_id": (None, task_id)})
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
            raise TaskUnknown(f"the provider does not know the task ({answer.words(self._key)})")
        self._require_success(answer)
        return _task_status(answer.document, task_id)

    async def balance(self) -> Balance | None:
        """`GET /v1/balance`, or None where it is not offered or says nothing useful (not everywhere)."""
        try:
            answer = await self._asked("GET", "/v1/balance")
        except ProviderTrouble:
            return None
        amount = _decimal(answer.document.get("balance"))
        if answer.status != HTTPStatus.OK or amount is None:
            return None
        return Balance(
            amount, _decimal(answer.document.get("used_today")), _decimal(answer.document.get("credit"))
        )

    async def _asked(self, method: str, path: str, **content: Any) -> _Answer:
        """A free call: network trouble is `ProviderTrouble`, for it may be asked again."""
        try:
            async with asyncio.timeout(self._timeouts.whole):
                answer = await self._call(method, path, **content)
        except TimeoutError:
            raise ProviderTrouble(f"{self._host} gave no whole answer in time") from None
        except _TROUBLE as error:
            raise ProviderTrouble(f"{self._host} gave no answer ({_kind(error)})") from None
        if not answer.is_whole:
            raise ProviderTrouble(f"{self._host} gave half an answer (HTTP {answer.status})")
        return answer

    async def _call(self, method: str, path: str, **content: Any) -> _Answer:
        async with self._client.stream(method, path, **content) as response:
            body, is_whole = await _body(response)
            return _Answer(response.status_code, body, _retry_after(response.headers), is_whole)

    def _sorted(self, answer: _Answer) -> UploadResult:
        words = answer.words(self._key)
        is_success = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
        task_id = answer.document.get("task_id")
        if is_success and isinstance(task_id, str) and _TASK_ID.fullmatch(task_id):
            return UploadResult(Outcome.ACCEPTED, words, answer.status, task_id=task_id)
        if not answer.is_whole:
            return UploadResult(Outcome.UNKNOWN, f"{words} (the answer broke off)", answer.status)
        if is_success:
            return UploadResult(Outcome.UNKNOWN, f"{words} (no task id in it)", answer.status)
        outcome = _OUTCOMES.get(answer.status, Outcome.UNKNOWN)
        minimum = _minimum(words) if outcome is Outcome.REFUSED else None
        return UploadResult(outcome, words, answer.status, retry_after=answer.retry_after, minimum=minimum)

    def _require_success(self, answer: _Answer) -> None:
        words = answer.words(self._key)
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED}:
            raise AccessDenied(
                f"{self._host} turned the key or the URL down ({words}): "
                "correct EKYC_API_KEY or EKYC_BASE_URL"
            )
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise ProviderTrouble(f"{self._host} has trouble ({words})", retry_after=answer.retry_after)
        if _text(answer.document.get("status")) is None:
            raise ProviderTrouble(f"{self._host} answered without a task status ({words})")


@dataclass(frozen=True, slots=True)
class ResultHosts:
    """Where a result may lie: ``patterns`` as in `*.amazonaws.com`; loopback while the API is local."""

    patterns: Sequence[str]
    is_local: bool

    def check(self, link: str) -> None:
        """Raises ResultHostRefused, naming the host and never the link."""
        url = _parsed(link)
        host = url.raw_host.decode()
        if self.is_local and is_loopback(host) and url.scheme in {"http", "https"}:
            return
        if url.scheme != "https":
            raise ResultHostRefused(
                f"the result on {host} is offered over {url.scheme or 'nothing'}, not https"
            )
        if not any(fnmatchcase(host, pattern.lower()) for pattern in self.patterns):
            raise ResultHostRefused(
                f"the result lies on {host}, which is not allowed; if it is right, set EKYC_RESULT_HOSTS"
            )


def _parsed(link: str) -> httpx.URL:
    """With the parser that will open it: two parsers may see two hosts."""
    try:
        url = httpx.URL(link)
    except httpx.InvalidURL:
        raise ResultHostRefused("the result link cannot be read as a URL") from None
    if not _HOST.fullmatch(url.raw_host.decode()):
        raise ResultHostRefused("the result link names no host that could be read")
    return url


async def download(link: str, into: Path, *, hosts: ResultHosts, timeouts: Timeouts | None = None) -> int:
    """Stream a result link into the new file ``into`` (0600), fsynced; its size in bytes.

    Raises LinkExpired (403, 404, 410), DownloadIncomplete, ProviderTrouble, ResultHostRefused.
    """
    hosts.check(link)
    async with _bare_client(timeouts) as client, _opened(client, link) as response:
        if response.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise LinkExpired(f"the result link no longer opens (HTTP {response.status_code})")
        if response.status_code != HTTPStatus.OK:
            raise ProviderTrouble(f"the storage host answers HTTP {response.status_code}")
        return await _stored(response, into)


def _bare_client(timeouts: Timeouts | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=(timeouts or Timeouts()).as_httpx(),
        follow_redirects=False,
        trust_env=False,
        # The bytes as they are stored: a transfer encoding would hide the announced length.
        headers={"Accept-Encoding": "identity"},
    )


@asynccontextmanager
async def _opened(client: httpx.AsyncClient, link: str) -> AsyncIterator[httpx.Response]:
    url = _parsed(link)
    # httpx logs addresses (at INFO) and keeps them in its errors: it is told the host alone.
    host = httpx.URL(scheme=url.scheme, host=url.host, port=url.port)
    try:
        async with client.stream("GET", host, extensions={"target": url.raw_path}) as response:
            yield response
    except httpx.RemoteProtocolError as error:
        raise DownloadIncomplete(f"the download broke off ({_kind(error)})") from None
    except _TROUBLE as error:
        raise ProviderTrouble(f"the storage host gave no whole answer ({_kind(error)})") from None


def _minimum(words: str) -> int | None:
    """Seen: "only 450 compliant numbers remain for ws, which is less than the minimum 500"."""
    named = _MINIMUM.search(words)
    minimum = int(re.sub(r"\D", "", named[1])) if named else 0
    return minimum if 1 < minimum <= _LARGEST_TASK else None


def _beginning(text: str) -> str:
    """Cut between words: half a key or a link would not be known for one."""
    return text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS].rpartition(" ")[0]


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """What arrived, and whether that was all: a task id that came before the connection broke counts."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _BODY_LIMIT:
                break
    except _TROUBLE:
        return bytes(body), False
    return bytes(body), True


async def _stored(response: httpx.Response, into: Path) -> int:
    announced = response.headers.get("Content-Length", "")
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in response.aiter_raw():
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        size = file.tell()
    if announced.isdigit() and int(announced) != size:
        raise DownloadIncomplete(f"{size:,} of {int(announced):,} bytes arrived")
    return size


def _task_status(document: dict[str, Any], task_id: str) -> TaskStatus:
    """Seen: everything but `task_id` and `status` may be missing, and counts may be anything."""
    if (document.get("task_id") or task_id) != task_id:
        raise ProviderTrouble("the provider answered about another task")
    return TaskStatus(
        task_id=task_id,
        status=document["status"],
        total=_count(document.get("total")),
        success=_count(document.get("success")),
        failure=_count(document.get("failure")),
        created_at=parse_time(document.get("created_at")),
        updated_at=parse_time(document.get("updated_at")),
        user_id=_text(document.get("user_id")),
        actual_amount=_amount(document.get("actual_amount")),
        result_url=_text(document.get("result_url")),
    )


def parse_time(value: object) -> datetime | None:
    """RFC 3339 with any number of fractional digits (seen: 0, 3, 8 and 9), or None."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        return None


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds, from either form of the header; None when absent or senseless."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return float(value)
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def _text(value: object) -> str | None:
    """No control characters or half ones: not every database takes them."""
    return value if isinstance(value, str) and value and value.isprintable() else None


def _amount(value: object) -> str | None:
    """Seen: `{"amount": "1.23", "currency": "USD"}`."""
    amount = _decimal(value.get("amount")) if isinstance(value, dict) else None
    return None if amount is None or len(str(amount)) > _LONGEST_AMOUNT else str(amount)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _kind(error: Exception) -> str:
    """The class name in words: httpx puts addresses into its texts."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
