"""Answers that go wrong on the wire. Each is a Starlette response, so a handler just returns it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from ekyc_tasks.sandbox.chaos import Trouble

_CHUNK_BYTES = 256 * 1024
_SLOW_STEPS = 8
_TURNED_OVER = bytes(byte ^ 0xFF for byte in range(256))

# What the API says, as JSON, and what a proxy before it says, as a web page.
_API_WORDS = {
    400: ("invalid_request", "bad parameters or file format"),
    401: ("unauthorized", "invalid API key"),
    402: ("insufficient_balance", "the balance does not cover this task"),
    403: ("forbidden", "this key may not do that"),
    404: ("not_found", "task not found"),
    422: ("unprocessable", "the file cannot be processed"),
    429: ("too_many_requests", "too many requests"),
    500: ("internal_error", "internal error, try again later"),
}
_PROXY_WORDS = {
    405: "Not Allowed",
    408: "Request Time-out",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
_STORAGE_WORDS = {403: "AccessDenied", 404: "NoSuchKey", 429: "TooManyRequests", 503: "SlowDown"}


class Reset(Response):
    """The TCP connection is reset, not one byte of an answer; ``takes_in`` the rest of the request first."""

    def __init__(self, *, takes_in: bool) -> None:
        super().__init__()
        self._takes_in = takes_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while self._takes_in and (await receive()).get("more_body"):
            pass
        scope["state"]["connection"].reset()
        await _wait_until_gone(receive)


class Stall(Response):
    """No answer: until the client leaves, or the sandbox stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _wait_until_gone(receive)


class Slow(Response):
    """The right answer, late."""

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__()
        self._response = response
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await _leaves_within(receive, self._seconds):
            await self._response(scope, receive, send)


class FileBody(Response):
    """A file as S3 sends it: whole, torn off half-way, damaged, or in drops over ``slow_seconds``."""

    def __init__(self, path: Path, media_type: str) -> None:
        super().__init__(media_type=media_type)
        self.path = path
        self.size = path.stat().st_size
        self.is_torn = False
        self.is_damaged = False
        self.slow_seconds = 0.0
        self.headers["content-length"] = str(self.size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if not await self._send_body(receive, send):
            return
        if self.is_torn:
            scope["state"]["connection"].hang_up()
            await _wait_until_gone(receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_body(self, receive: Receive, send: Send) -> bool:
        """Whether the client was still there at the end."""
        left = self.size // 2 if self.is_torn else self.size
        step = max(1, self.size // _SLOW_STEPS) if self.slow_seconds else _CHUNK_BYTES
        with self.path.open("rb") as file:
            while chunk := file.read(min(step, left)):
                left -= len(chunk)
                body = self._damage(chunk, file.tell() - len(chunk)) if self.is_damaged else chunk
                await send({"type": "http.response.body", "body": body, "more_body": True})
                if self.slow_seconds and await _leaves_within(receive, self.slow_seconds / _SLOW_STEPS):
                    return False
        return True

    def _damage(self, chunk: bytes, offset: int) -> bytes:
        """Turned over behind the first header and up to the half: it still looks like an archive."""
        begin = max(min(100, self.size // 4) - offset, 0)
        end = max(self.size // 2 + 1 - offset, begin)
        return chunk[:begin] + chunk[begin:end].translate(_TURNED_OVER) + chunk[end:]


def api_error(kind: str, retry_after: int) -> Response:
    """The error answers of the API: JSON of its own, or the page of a proxy before it."""
    code = int(kind.removesuffix("_bare"))
    headers = {"Retry-After": str(retry_after)} if kind == "429" else {}
    if code in _PROXY_WORDS:
        title = f"{code} {_PROXY_WORDS[code]}"
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        return HTMLResponse(page, status_code=code)
    error, message = _API_WORDS[code]
    return JSONResponse({"error": error, "message": message}, status_code=code, headers=headers)


def storage_error(status: int, message: str, *, retry_after: int | None = None) -> Response:
    """S3's error document."""
    code = _STORAGE_WORDS.get(status, "InternalError")
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return Response(content, status_code=status, media_type="application/xml", headers=headers)


def on_the_wire(trouble: Trouble, elsewhere: str) -> Response | None:
    """The trouble that API and storage have in common, or None when it is of another sort."""
    makers: dict[str, Callable[[], Response]] = {
        "cut": lambda: Reset(takes_in=False),
        "reset": lambda: Reset(takes_in=trouble.is_before),
        "stall": Stall,
        "html": lambda: HTMLResponse("<html><body><h1>Maintenance</h1></body></html>"),
        "empty": lambda: Response(b""),
        "redirect": lambda: RedirectResponse(elsewhere, status_code=307),
    }
    return makers[trouble.kind]() if trouble.kind in makers else None


async def _wait_until_gone(receive: Receive) -> None:
    """Take in whatever still comes, and return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _leaves_within(receive: Receive, seconds: float) -> bool:
    """Wait so long, or until the client leaves: a plain sleep would hold up the sandbox's stop."""
    try:
        await asyncio.wait_for(_wait_until_gone(receive), seconds)
    except TimeoutError:
        return False
    return True
