"""What arrived, at which server, and how it was answered."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ekyc_tasks.sandbox.backend import Call

_CREDENTIALS = (b"x-api-key", b"cookie", b"authorization")


class CallLog:
    """Every call in order of arrival; a call counts from its first byte, answered or not."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def note_arrival(self, server: str, scope: Scope) -> int:
        names = {name for name, _ in scope["headers"]}
        credentials = tuple(name.decode() for name in _CREDENTIALS if name in names)
        self._calls.append(Call(server, scope["method"], scope["path"], None, credentials))
        return len(self._calls) - 1

    def note_answer(self, index: int, status: int) -> None:
        self._calls[index] = self._calls[index]._replace(status=status)

    def snapshot(self) -> list[Call]:
        return list(self._calls)


class Recorder:
    """An ASGI layer that notes each request in a `CallLog`; paths without their query."""

    def __init__(self, app: ASGIApp, server: str, log: CallLog) -> None:
        self._app = app
        self._server = server
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        index = self._log.note_arrival(self._server, scope)

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.note_answer(index, message["status"])
            await send(message)

        await self._app(scope, receive, noting_send)
