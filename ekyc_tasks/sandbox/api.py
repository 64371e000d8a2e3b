"""The batch API as its page documents it, strict about what it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ekyc_tasks.sandbox import documents
from ekyc_tasks.sandbox.backend import Backend, RefusedError, SandboxTask, parse_numbers
from ekyc_tasks.sandbox.chaos import Script, Trouble
from ekyc_tasks.sandbox.links import Links
from ekyc_tasks.sandbox.trouble import Slow, Stall, api_error, on_the_wire

Answer = Callable[[Request, Trouble | None], Awaitable[Response]]

# Chaos kinds that change what a document says, and leave the wire alone.
_STATUS_WORDS = {"completed": "completed", "unknown_status": "archiving"}


class Api:
    """The three documented endpoints, and one of the sandbox's own that lists the charges."""

    def __init__(self, backend: Backend, script: Script, links: Links, storage_url: str) -> None:
        self._backend = backend
        self._script = script
        self._links = links
        self._storage_url = storage_url

    def app(self) -> Starlette:
        routes = [
            self._route("create", "POST", "/v1/tasks", self._create),
            self._route("poll", "POST", "/v1/gettasks", self._poll),
            Route("/_sandbox/charges", self._charges, methods=["GET"]),
        ]
        if self._backend.options.offers_balance:
            routes.append(self._route("balance", "GET", "/v1/balance", self._balance))
        return Starlette(routes=routes)

    def _route(self, endpoint: str, method: str, path: str, answer: Answer) -> Route:
        async def handle(request: Request) -> Response:
            trouble = self._script.next(endpoint)
            if trouble is not None and trouble.is_before:
                return self._make_trouble(trouble, request)
            response = await self._answer(request, trouble, answer)
            return response if trouble is None else self._make_trouble(trouble, request, response)

        return Route(path, handle, methods=[method])

    async def _answer(self, request: Request, trouble: Trouble | None, answer: Answer) -> Response:
        try:
            self._check_key(request)
            return await answer(request, trouble)
        except RefusedError as refusal:
            body = {"error": refusal.error, "message": refusal.message}
            return JSONResponse(body, status_code=refusal.status)
        except ClientDisconnect:
            return Stall()  # the client is gone

    def _make_trouble(self, trouble: Trouble, request: Request, response: Response | None = None) -> Response:
        elsewhere = f"{self._storage_url}{request.url.path}"
        if wire := on_the_wire(trouble, elsewhere):
            return wire
        if trouble.kind[:3].isdigit() and trouble.kind != "202":
            return api_error(trouble.kind, self._backend.options.retry_after)
        if response is not None and trouble.kind == "slow":
            return Slow(response, self._backend.options.slow_seconds)
        return response or Stall()

    def _check_key(self, request: Request) -> None:
        if request.headers.get("x-api-key") != self._backend.options.api_key:
            raise RefusedError(401, "unauthorized", "invalid API key")

    async def _create(self, request: Request, trouble: Trouble | None) -> Response:
        async with _form(request, {"file", "task_type"}) as form:
            upload, task_type = form["file"], form["task_type"]
            if not isinstance(upload, UploadFile) or not isinstance(task_type, str):
                raise RefusedError(400, "invalid_request", "file must be a file, and task_type a word")
            content = await upload.read()
        task = self._backend.accept(task_type, await asyncio.to_thread(parse_numbers, content))
        return self._creation(task, trouble.kind if trouble else "")

    def _creation(self, task: SandboxTask, twist: str) -> Response:
        task.fails = twist == "failed"
        status, document = documents.creation(self._backend, task)
        if twist == "no_task_id":
            del document["task_id"]
        return JSONResponse(document, status_code=202 if twist == "202" else status)

    async def _poll(self, request: Request, trouble: Trouble | None) -> Response:
        async with _form(request, {"task_id"}) as form:
            task_id = form["task_id"]
            if not isinstance(task_id, str):
                raise RefusedError(400, "invalid_request", "task_id must be a word")
        task = self._backend.find(task_id)
        if trouble is not None or self._backend.progress(task).status != "exported":
            return self._status(task, trouble.kind if trouble else "")
        trouble = self._script.next("exported")
        response = self._status(task, trouble.kind if trouble else "")
        return response if trouble is None else self._make_trouble(trouble, request, response)

    def _status(self, task: SandboxTask, twist: str) -> Response:
        if twist == "failed":
            task.fails = task.is_over = True
        progress = self._backend.progress(task)
        if twist in _STATUS_WORDS:
            progress = progress._replace(status=_STATUS_WORDS[twist], success=task.total)
        if twist == "no_link":
            progress = progress._replace(status="exported", success=task.total)
        link = self._links.sign(self._storage_url, task.task_id)
        document = documents.status(self._backend, task, progress, link)
        if twist == "no_link":
            del document["result_url"]
        return JSONResponse(document, status_code=202 if twist == "202" else 200)

    async def _balance(self, _: Request, __: Trouble | None) -> Response:
        return JSONResponse(documents.balance(self._backend))

    async def _charges(self, _: Request) -> Response:
        return JSONResponse(documents.charges(self._backend))


@asynccontextmanager
async def _form(request: Request, names: set[str]) -> AsyncIterator[FormData]:
    """The form of a request, if it is multipart and has exactly these fields, each once."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RefusedError(400, "invalid_request", "the body must be multipart/form-data")
    try:
        form = await request.form(max_files=1, max_fields=len(names))
    except HTTPException as error:
        raise RefusedError(400, "invalid_request", error.detail) from None
    try:
        if sorted(name for name, _ in form.multi_items()) != sorted(names):
            raise RefusedError(
                400, "invalid_request", f"the form must have {' and '.join(sorted(names))} only"
            )
        yield form
    finally:
        await request.close()
