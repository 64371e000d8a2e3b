"""A sandbox in a time of its own, and a caller that speaks to it as the provider's clients do."""

from __future__ import annotations

import io
import json
import ssl
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import httpx

from ekyc_tasks.sandbox import Sandbox, SandboxOptions

PUBLISHED = Path(__file__).parents[1] / "fixtures" / "provider"
NUMBERS = [f"+4179{n:07}" for n in range(1500)]
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates costs 30 ms a client
START = 1_763_713_629.933446594


def published(name):
    return json.loads((PUBLISHED / f"{name}.json").read_text())


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


class Caller:
    """The least a client can be: no retries, no judgement, nothing of the product's."""

    def __init__(self, sandbox, clock):
        self.sandbox = sandbox
        self.clock = clock
        headers = {"X-API-Key": sandbox.api_key}
        self.http = httpx.Client(base_url=sandbox.base_url, headers=headers, timeout=60, verify=NO_TLS)
        self.bare = httpx.Client(timeout=60, verify=NO_TLS)

    def create(self, numbers=NUMBERS[:3], task_type="tg_avatar", **options):
        content = "".join(f"{number}\n" for number in numbers).encode()
        files = {"file": ("numbers.txt", content, "text/plain")}
        return self.http.post("/v1/tasks", files=files, data={"task_type": task_type}, **options)

    def poll(self, task_id):
        return self.http.post("/v1/gettasks", files={"task_id": (None, task_id)})

    def new_task(self, *args, **options):
        return self.create(*args, **options).json()["task_id"]

    def link(self, task_id):
        return self.poll(task_id).json()["result_url"]

    def fetch(self, task_id):
        return self.bare.get(self.link(task_id))


@contextmanager
def calling(**options):
    clock = Clock()
    with Sandbox(SandboxOptions(**{"processing_seconds": 0, **options}), clock=clock) as sandbox:
        caller = Caller(sandbox, clock)
        with caller.http, caller.bare:
            yield caller


def shape(document):
    return [(name, type(value)) for name, value in document.items()]


FILE = ("file", ("numbers.txt", b"+41790000001\n", "text/plain"))
TYPE = ("task_type", (None, "tg_avatar"))


def fetched(caller, numbers=NUMBERS, task_type="tg_avatar"):
    task_id = caller.new_task(numbers, task_type)
    answer = caller.fetch(task_id)
    assert answer.status_code == 200
    return task_id, answer.content


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(damaged)
        return {name: archive.read(name) for name in archive.namelist()}


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
