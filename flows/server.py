"""`ekyc up`: a Prefect server, the work pool, the deployments and workers, until somebody ends it.

Prefect's own settings (where the server is, no telemetry) stand in the environment before this is imported.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterEndTime
from prefect.client.schemas.objects import FlowRun, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectAlreadyExists

from ekyc_tasks.errors import ConfigurationError
from flows.automations import create, zombies
from flows.processes import Child, noting_signals, stop
from flows.schedule import next_run

POOL = "ekyc"
CHECK = "check-numbers/check-numbers"

_READY = 180.0  # seconds; the first start of a server on a slow disk takes long
_PATIENCE = 10.0
_SCHEDULED = 15.0
_GLANCE = 0.25
_LOOK = 5.0
_BY_HAND = ("resolve", "replay")

Says = Callable[[str], None]


@contextmanager
def running(host: str, port: int, says: Says) -> Iterator[list[Child]]:
    """A server and whatever joins the list; nothing of it is left behind, the newest ends first."""
    check_free(host, port)
    says("starting the Prefect server (the first start takes some 20 s)")
    children: list[Child] = []
    try:
        _start(children, "Prefect server", "server", "start", "--host", host, "--port", str(port))
        yield children
    finally:
        with noting_signals() as hurry:  # a second Ctrl-C leaves nothing behind either
            for child in reversed(children):
                stop(child, patience=_PATIENCE, hurry=hurry)


async def make_ready(children: list[Child], says: Says, workers: int, *, at_once: bool) -> list[str]:
    """Everything deployed and healthy; the lines that say so. ``at_once``: with a first run right now."""
    async with get_client() as client:
        await _until(lambda: _is_healthy(client), children, "the Prefect server is healthy")
        says("deploying what prefect.yaml holds")
        await _make_pool(client)
        await create(client, zombies())
        await asyncio.to_thread(deploy)
        says("starting the worker")
        for number in range(1, workers + 1):
            name = f"worker {number}"
            _start(children, name, "worker", "start", "--pool", POOL, "--name", name)
        await _until(lambda: _has_workers(client, workers), children, "the worker is online")
        if at_once:
            deployment = await client.read_deployment_by_name(CHECK)
            await client.create_flow_run_from_deployment(deployment.id)
        return await _plan(client)


async def watch(children: list[Child], says: Says) -> None:
    """A line for each run that ends; ConfigurationError when a part of it all ends by itself."""
    since = datetime.now(UTC)
    async with get_client() as client:
        while True:
            await asyncio.sleep(_LOOK)
            _check_alive(children)
            for run in await _ended_after(client, since):
                since = run.end_time or since
                says(f"{since:%H:%M:%S} UTC  {run.name}: {run.state_name}")


def check_free(host: str, port: int) -> None:
    """ConfigurationError when something listens there already."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): if that is another `ekyc up` "
            "or Prefect server, use that one or stop it; else choose another with --port."
        ) from None


def deploy() -> None:
    """Everything in prefect.yaml."""
    root = Path(__file__).resolve().parent.parent
    in_checkout = root / "prefect.yaml"
    file = in_checkout if in_checkout.is_file() else Path(__file__).with_name("prefect.yaml")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"{file} could not be deployed: {(done.stderr or done.stdout)[-1000:]}")


def _start(children: list[Child], name: str, *arguments: str) -> None:
    """A Ctrl-C comes before it or after it has joined the list: nobody would end a child in between."""
    command = [sys.executable, "-m", "prefect", *arguments]
    with noting_signals() as interrupted:
        children.append(Child(name, command, environment=os.environ, folder=Path.cwd()))
    if interrupted.is_set():
        raise KeyboardInterrupt


async def _until(condition: Callable[[], Awaitable[bool]], children: list[Child], what: str) -> None:
    deadline = time.monotonic() + _READY
    while not await condition():
        _check_alive(children)
        if time.monotonic() > deadline:
            raise ConfigurationError(f"It took more than {_READY:.0f} s until {what}; try again.")
        await asyncio.sleep(_GLANCE)


def _check_alive(children: list[Child]) -> None:
    for child in children:
        if not child.is_alive:
            raise ConfigurationError(f"The {child.name} has ended by itself. It said:\n{child.last_words}")


async def _is_healthy(client: PrefectClient) -> bool:
    return await client.api_healthcheck() is None


async def _make_pool(client: PrefectClient) -> None:
    try:
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    except ObjectAlreadyExists:  # of an earlier `ekyc up`
        return


async def _has_workers(client: PrefectClient, workers: int) -> bool:
    there = await client.read_workers_for_work_pool(POOL)
    return sum(worker.status is WorkerStatus.ONLINE for worker in there) >= workers


async def _plan(client: PrefectClient) -> list[str]:
    """Where the interface is, and what is scheduled."""
    following = await _next_run(client)
    return [
        f"Prefect's UI: {client.api_url.copy_with(path='')}",
        f"  check-numbers   every 5 minutes{f', next at {following:%H:%M} UTC' if following else ''}",
        *(f"  {name:<15} by hand" for name in _BY_HAND),
    ]


async def _next_run(client: PrefectClient) -> datetime | None:
    """The server schedules some seconds after a deployment."""
    check = await client.read_deployment_by_name(CHECK)
    for _ in range(int(_SCHEDULED / _GLANCE)):
        if (moment := await next_run(client, check.id)) is not None:
            return moment
        await asyncio.sleep(_GLANCE)
    return None


async def _ended_after(client: PrefectClient, since: datetime) -> list[FlowRun]:
    runs = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(end_time=FlowRunFilterEndTime(after_=since)),
        sort=FlowRunSort.END_TIME_DESC,
        limit=50,
    )
    return [run for run in reversed(runs) if run.end_time is not None and run.end_time > since]
