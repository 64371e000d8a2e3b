"""A server that answers anything, byte for byte, and what makes and reads the bytes."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

Conversation = Callable[[socket.socket], None]


@dataclass(frozen=True)
class HttpRequest:
    """One request as it came over the wire."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class RawServer:
    """A far side for what no HTTP server would say: one answer, byte for byte, for each connection.

    An answer is the bytes to send after the request has arrived, or a function that is handed the
    connection instead. The last one is given again for ever.
    """

    def __init__(self, *answers: bytes | Conversation) -> None:
        self.requests: list[HttpRequest] = []
        self.connections = 0
        self._answers = answers or (http(),)
        self._stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with socket.create_connection(("127.0.0.1", self.port)):
            self._thread.join(60)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if self._stopping.is_set():
                    return
                connection.settimeout(60)
                answer = self._answers[min(self.connections, len(self._answers) - 1)]
                self.connections += 1
                try:
                    self._answer(connection, answer)
                except OSError:  # the client has left
                    continue

    def _answer(self, connection: socket.socket, answer: bytes | Conversation) -> None:
        if callable(answer):
            answer(connection)
            return
        self.requests.append(read_request(connection))
        connection.sendall(answer)


def read_request(connection: socket.socket) -> HttpRequest:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = tuple((name, value) for name, _, value in (text.partition(": ") for text in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    while len(body) < length:
        body += _received(connection)
    return HttpRequest(line, headers, body)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionAbortedError
    return data


def wait_for_the_client_to_leave(connection: socket.socket) -> None:
    """Take in whatever comes and answer nothing."""
    while connection.recv(1 << 16):
        pass


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer with the right length; names of headers with _ for -."""
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def form_parts(request: HttpRequest) -> list[tuple[str, bytes]]:
    """The parts of a multipart body, in order: header lines as sent, and content."""
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", request.all("Content-Type")[0])[1]
    first, *parts, last = (b"\r\n" + request.body).split(f"\r\n--{boundary}".encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        found.append((head.removeprefix(b"\r\n").decode(), content))
    return found


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
