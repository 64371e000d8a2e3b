"""The three documented calls. The key goes to the base URL's host, and no redirect is followed."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx

from ekyc_tasks.errors import ConfigurationError, ProviderTrouble
from ekyc_tasks.models import Outcome, TaskStatus, UploadResult
from ekyc_tasks.money import Balance
from ekyc_tasks.provider import answers
from ekyc_tasks.provider.answers import Answer
from ekyc_tasks.provider.wire import NOT_SENT, TROUBLE, Timeouts, kind, load_certificates
from ekyc_tasks.support.hosts import is_loopback

_HEADER_SAFE = re.compile(r"[!-~]+")


class Provider:
    """The three documented calls; use as an async context manager."""

    def __init__(self, base_url: str, api_key: str, *, timeouts: Timeouts | None = None) -> None:
        self._key = api_key
        self._host = urlsplit(base_url).netloc
        self._timeouts = timeouts or Timeouts()
        if not _HEADER_SAFE.fullmatch(api_key):
            raise ConfigurationError("EKYC_API_KEY contains characters that no key has. Paste the key again.")
        trust_env = not is_loopback(urlsplit(base_url).hostname)
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"X-API-Key": api_key, "Accept": "application/json"},
            timeout=self._timeouts.as_httpx(),
            follow_redirects=False,
            trust_env=trust_env,
            verify=load_certificates(trust_env=trust_env),
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
        except NOT_SENT as error:
            return UploadResult(
                Outcome.NOT_SENT, f"{self._host} could not be reached ({kind(error)}); check EKYC_BASE_URL"
            )
        except TimeoutError:
            return UploadResult(Outcome.UNKNOWN, f"no answer within {deadline:g} s")
        except TROUBLE as error:
            return UploadResult(
                Outcome.UNKNOWN, f"connection lost before the provider answered ({kind(error)})"
            )
        return answers.upload_result(answer, self._key)

    async def task(self, task_id: str) -> TaskStatus:
        """`POST /v1/gettasks` (documented). Raises AccessDenied, TaskUnknown, ProviderTrouble."""
        answer = await self._ask("POST", "/v1/gettasks", files={"task_id": (None, task_id)})
        return answers.task_status(answer, task_id, host=self._host, key=self._key)

    async def balance(self) -> Balance | None:
        """`GET /v1/balance`, or None where it is not offered or says nothing useful (not everywhere)."""
        try:
            answer = await self._ask("GET", "/v1/balance")
        except ProviderTrouble:
            return None
        return answers.balance(answer)

    async def _ask(self, method: str, path: str, **content: Any) -> Answer:
        """A free call: network trouble is `ProviderTrouble`, because it may be asked again."""
        try:
            async with asyncio.timeout(self._timeouts.whole):
                answer = await self._call(method, path, **content)
        except TimeoutError:
            raise ProviderTrouble(f"{self._host} did not answer completely in time") from None
        except TROUBLE as error:
            raise ProviderTrouble(f"{self._host} did not answer ({kind(error)})") from None
        if not answer.is_whole:
            raise ProviderTrouble(f"{self._host} sent an incomplete answer (HTTP {answer.status})")
        return answer

    async def _call(self, method: str, path: str, **content: Any) -> Answer:
        async with self._client.stream(method, path, **content) as response:
            return await answers.answer_of(response)
