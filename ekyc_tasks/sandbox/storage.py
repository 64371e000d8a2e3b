"""The storage host: serves a result file only to requests with a valid link."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ekyc_tasks.sandbox.answers import Oracle
from ekyc_tasks.sandbox.archives import Result, write_result
from ekyc_tasks.sandbox.backend import Backend, SandboxTask
from ekyc_tasks.sandbox.chaos import Script, Trouble
from ekyc_tasks.sandbox.links import Links
from ekyc_tasks.sandbox.trouble import FileBody, on_the_wire, storage_error

_EXPIRED = "Request has expired"


class ResultFiles:
    """Result files on disk, each written at its first download and kept until the sandbox stops."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self._oracle = Oracle(backend.options)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def path(self, task: SandboxTask) -> Path:
        path = self._folder / task.task_id
        async with self._locks[task.task_id]:
            if not path.exists():
                await asyncio.to_thread(self._write, path, task)
        return path

    def _write(self, path: Path, task: SandboxTask) -> None:
        options = self._backend.options
        result = Result(task.task_id, task.task_type, task.sent, options.foreign_rows, self._oracle)
        write_result(path, result, options.layout)


class Storage:
    """Answers with S3's documents, and never asks for an API key."""

    def __init__(
        self, backend: Backend, script: Script, links: Links, shelf: ResultFiles, api_url: str
    ) -> None:
        self._backend = backend
        self._script = script
        self._links = links
        self._shelf = shelf
        self._api_url = api_url

    def app(self) -> Starlette:
        route = Route("/externalcheck/{task_id}/{name}", self._handle, methods=["GET"])
        return Starlette(routes=[route], exception_handlers={404: self._not_found, 405: self._not_found})

    async def _not_found(self, _: Request, __: Exception) -> Response:
        return storage_error(404, "The specified key does not exist.")

    async def _handle(self, request: Request) -> Response:
        trouble = self._script.next("fetch")
        if trouble is None:
            return await self._answer(request)
        elsewhere = f"{self._api_url}{request.url.path}"
        return on_the_wire(trouble, elsewhere) or await self._make_trouble(trouble, request)

    async def _make_trouble(self, trouble: Trouble, request: Request) -> Response:
        if trouble.kind == "link_expired":
            return storage_error(403, _EXPIRED)
        if trouble.kind[:3].isdigit():
            code = int(trouble.kind.removesuffix("_bare"))
            wait = self._backend.options.retry_after if trouble.kind == "429" else None
            return storage_error(code, "We encountered a problem. Please try again.", retry_after=wait)
        response = await self._answer(request)
        if isinstance(response, FileBody):
            response.is_torn = trouble.kind == "truncate"
            response.is_damaged = trouble.kind == "corrupt"
            response.slow_seconds = self._backend.options.slow_seconds if trouble.kind == "slow" else 0.0
        return response

    async def _answer(self, request: Request) -> Response:
        if objection := self._links.objection(request.url.path, request.query_params):
            return storage_error(403, objection)
        task = self._backend.tasks[request.path_params["task_id"]]
        path = await self._shelf.path(task)
        return FileBody(path, "application/zip")
