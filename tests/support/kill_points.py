"""The seams of a run: before and after every commit, call and rename; before every fsync and unlink.

They are patched from outside, in a process of the tests; the product knows nothing of them.
"""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import sqlalchemy.engine.default as engines

AtPoint = Callable[[str], None]

_CALLS = {"/v1/tasks": "create", "/v1/gettasks": "poll", "/v1/balance": "balance"}
_ONLY_BEFORE = {"fsync", "unlink"}  # right after them is right before the next point, for anybody who looks
# Set once: whatever was installed last is asked at every point, and nothing by default.
_at_point: AtPoint = lambda _: None  # noqa: E731


class Killer:
    """Counts the points of this process, and kills it at the ``at``-th; the place is written down first."""

    def __init__(self, at: int | None, note: Path | None = None) -> None:
        self.passed: list[str] = []
        self._at = at
        self._note = note
        self._lock = Lock()

    def __call__(self, point: str) -> None:
        with self._lock:
            self.passed.append(point)
            if len(self.passed) == self._at:
                if self._note is not None:
                    self._note.write_text(point)
                os.kill(os.getpid(), signal.SIGKILL)


def install(at_point: AtPoint, *, root: Path) -> None:
    """From now on ``at_point`` is told of every point that touches ``root``, the ledger or the provider."""
    global _at_point  # noqa: PLW0603 - a patch is global by nature
    _at_point = at_point
    if not hasattr(os.replace, "__wrapped__"):
        _install_once(root)


def _install_once(root: Path) -> None:
    inside = f"{root}{os.sep}"
    for name in ("replace", "rename", "link", "unlink"):
        setattr(os, name, _watched(getattr(os, name), name, lambda *paths: _is_inside(paths, inside)))
    os.fsync = _watched(os.fsync, "fsync", lambda *_: True)
    dialect = engines.DefaultDialect
    dialect.do_commit = _watched(dialect.do_commit, "commit", lambda *_: True)
    httpx.AsyncHTTPTransport.handle_async_request = _watched_call(
        httpx.AsyncHTTPTransport.handle_async_request
    )


def _is_inside(paths: tuple[object, ...], inside: str) -> bool:
    with suppress(TypeError):
        return any(os.fspath(path).startswith(inside) for path in paths)
    return False


def _watched(function: Callable[..., Any], name: str, is_ours: Callable[..., bool]) -> Callable[..., Any]:
    @wraps(function)
    def watched(*arguments: Any, **options: Any) -> Any:
        if not is_ours(*arguments):
            return function(*arguments, **options)
        _at_point(f"before {name}")
        result = function(*arguments, **options)
        if name not in _ONLY_BEFORE:
            _at_point(f"after {name}")
        return result

    return watched


def _watched_call(handle: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handle)
    async def watched(transport: Any, request: httpx.Request) -> httpx.Response:
        name = _name(request)
        if name is None:
            return await handle(transport, request)
        _at_point(f"before {name}")
        response = await handle(transport, request)
        _at_point(f"after {name}")
        return response

    return watched


def _name(request: httpx.Request) -> str | None:
    """The provider's call that this is, or None for one to Prefect's own server."""
    target = request.extensions.get("target", request.url.raw_path).partition(b"?")[0].decode()
    return _CALLS.get(target, "fetch" if target.startswith("/externalcheck/") else None)


def use_no_certificates() -> None:
    """Loading those that the client trusts costs 30 ms a client; all far sides here are plain http."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    httpx._transports.default.create_ssl_context = lambda **_: context
