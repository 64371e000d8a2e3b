"""A gate before Prefect's server: what it is told to turn away gets a 500, all else goes through."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_NO = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_PIECE = 1 << 16


class Gate:
    """``turned_away`` matches the first line of a request, as `POST /api/artifacts/ HTTP/1.1`.

    The first ``spared`` of those go through.
    """

    def __init__(self, port: int, turned_away: str, spared: int = 0) -> None:
        self._behind = ("127.0.0.1", port)
        self._turned_away = re.compile(turned_away.encode())
        self._spared = spared
        self.refused: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/api"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        _in_a_thread(self._welcome)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would not wake whoever accepts
        self._listener.close()

    def _welcome(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                server = socket.create_connection(self._behind)
                _in_a_thread(lambda caller=caller, server=server: self._ask(caller, server))
                _in_a_thread(lambda caller=caller, server=server: _pass_on(server, caller))

    def _ask(self, caller: socket.socket, server: socket.socket) -> None:
        """A client sends the head of a request in one piece."""
        with suppress(OSError), caller, server:
            while piece := caller.recv(_PIECE):
                if self._turned_away.match(piece) and not self._is_spared():
                    self.refused.append(piece.partition(b"\r\n")[0].decode())
                    caller.sendall(_NO)
                    return
                server.sendall(piece)

    def _is_spared(self) -> bool:
        self._spared -= 1
        return self._spared >= 0


def _pass_on(server: socket.socket, caller: socket.socket) -> None:
    with suppress(OSError), caller, server:
        while piece := server.recv(_PIECE):
            caller.sendall(piece)


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
