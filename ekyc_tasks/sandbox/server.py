"""Two servers with real sockets on a thread of their own: the API, and the storage host beside it."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
import time
from asyncio import BaseTransport, Transport
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ekyc_tasks.sandbox.answers import NumberAnswer, Oracle
from ekyc_tasks.sandbox.api import Api
from ekyc_tasks.sandbox.backend import Backend, Call, Charge, SandboxTask
from ekyc_tasks.sandbox.chaos import Script, parse_script
from ekyc_tasks.sandbox.links import Links
from ekyc_tasks.sandbox.options import SandboxOptions
from ekyc_tasks.sandbox.recorder import CallLog, Recorder
from ekyc_tasks.sandbox.storage import ResultFiles, Storage

_START_SECONDS = 30


class Connection:
    """A handle on the transport, for trouble that HTTP has no words for."""

    def __init__(self, transport: BaseTransport) -> None:
        self._transport = cast(Transport, transport)

    def reset(self) -> None:
        """Drop the connection with a TCP reset: SO_LINGER of 0 seconds makes close() send one."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def hang_up(self) -> None:
        """Close the connection in order, once all that was written is out."""
        self._transport.close()


class _Protocol(H11Protocol):
    """uvicorn's HTTP, which hands the connection to the app as ``scope["state"]["connection"]``."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does it for sockets that it made itself; else each answer waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "connection": Connection(transport)}
        self.access_log = False  # it would hold the result links


class _Listener:
    """One ASGI app on one socket, within the running loop.

    uvicorn's own server is left out for its signal handlers, its logging and the 0.2 s of its stop.
    """

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        self._config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self._config.load()
        self._state = ServerState()
        self._sock = sock

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self._sock)

    async def stop(self) -> None:
        """Drop every connection, let the handlers notice, and leave nothing open."""
        self._server.close()
        for protocol in list(self._state.connections):
            cast(_Protocol, protocol).transport.abort()
        await asyncio.gather(*self._state.tasks)
        await self._server.wait_closed()

    def _protocol(self) -> _Protocol:
        return _Protocol(self._config, self._state, {})


class Sandbox:
    """A running stand-in for the provider; use it in a ``with``.

    Everything it returns is a snapshot, safe to read from any thread. ``clock`` gives seconds since
    1970, so that tests can move the time instead of waiting for it.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        storage_port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.options = options or SandboxOptions()
        self.base_url = ""
        self.storage_url = ""
        self._host, self._port, self._storage_port = host, port, storage_port
        self._backend = Backend(self.options, clock)
        self._oracle = Oracle(self.options)
        self._log = CallLog()
        self._thread: threading.Thread | None = None

    @property
    def api_key(self) -> str:
        return self.options.api_key

    @property
    def charges(self) -> list[Charge]:
        """What each accepted upload would have cost, in order."""
        return list(self._backend.charges)

    @property
    def total_charged(self) -> Decimal:
        return self._backend.total_charged

    @property
    def tasks(self) -> list[SandboxTask]:
        """The accepted uploads, in order, each with the numbers it was sent."""
        return list(self._backend.tasks.values())

    @property
    def calls(self) -> list[Call]:
        """Every request at either server (``api``, ``storage``), in order of arrival."""
        return self._log.snapshot()

    @property
    def leaks(self) -> list[Call]:
        """Requests that brought a credential to the storage host; there must be none."""
        return [call for call in self.calls if call.server == "storage" and call.credentials]

    def answers(self, number: str) -> NumberAnswer:
        """What this sandbox says, or would say, about a number (with or without its +)."""
        return self._oracle.answer(int(number))

    def start(self) -> Self:
        """Open both ports; raises OSError when one of them is taken."""
        api = socket.create_server((self._host, self._port))
        try:
            storage = socket.create_server((self._host, self._storage_port))
        except OSError:
            api.close()
            raise
        self.base_url, self.storage_url = self._url(api), self._url(storage)
        started = threading.Event()
        serving = self._serve(api, storage, started)
        self._thread = threading.Thread(target=asyncio.run, args=(serving,), name="ekyc-sandbox", daemon=True)
        self._thread.start()
        if not started.wait(_START_SECONDS):
            raise RuntimeError("the sandbox did not start")
        return self

    def stop(self) -> None:
        """Close both ports and end the thread; stalled and running requests are dropped."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _url(self, sock: socket.socket) -> str:
        return f"http://{self._host}:{sock.getsockname()[1]}"

    async def _serve(self, api: socket.socket, storage: socket.socket, started: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        with TemporaryDirectory(prefix="ekyc-sandbox-") as folder:
            api_app, storage_app = self._apps(Path(folder))
            listeners = _Listener(api_app, api), _Listener(storage_app, storage)
            for listener in listeners:
                await listener.start()
            started.set()
            await self._stopping.wait()
            for listener in listeners:
                await listener.stop()

    def _apps(self, folder: Path) -> tuple[ASGIApp, ASGIApp]:
        script = Script(parse_script(self.options.chaos))
        links = Links(self.options.api_key, self.options.link_seconds, self._backend.clock)
        shelf = ResultFiles(self._backend, folder)
        api = Api(self._backend, script, links, self.storage_url).app()
        storage = Storage(self._backend, script, links, shelf, self.base_url).app()
        return Recorder(api, "api", self._log), Recorder(storage, "storage", self._log)


def serve(
    options: SandboxOptions,
    *,
    host: str = "127.0.0.1",
    port: int,
    storage_port: int,
    announce: Callable[[Sandbox], None],
) -> None:
    """Run a sandbox until Ctrl-C or SIGTERM; ``announce`` is called once it answers. Main thread only."""
    ends = {signal.SIGINT, signal.SIGTERM}
    # Blocked before the threads start, which inherit it: the signal waits for sigwait, and is not lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with Sandbox(options, host=host, port=port, storage_port=storage_port) as sandbox:
            announce(sandbox)
            signal.sigwait(ends)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
