"""`ekyc up`: a Prefect server, the work pool, the deployments and workers, until Ctrl-C.

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

import ekyc_tasks
from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.flows.automations import create, zombies
from ekyc_tasks.flows.health import POOL
from ekyc_tasks.flows.processes import Child, noting_signals, stop
from ekyc_tasks.flows.schedule import next_run

CHECK = "check-numbers/check-numbers"

_READY_SECONDS = 180.0  # the first start of a server on a slow disk takes long
_STOP_SECONDS = 10.0  # for a child to end by itself
_SCHEDULE_SECONDS = 15.0  # for the scheduler to make the next run
_GLANCE_SECONDS = 0.25  # between two looks while starting
_LOOK_SECONDS = 5.0  # between two looks while all is well
_BY_HAND = ("resolve", "replay")

Says = Callable[[str], None]


@contextmanager
def running(host: str, port: int, says: Says) -> Iterator[list[Child]]:
    """A server and whatever joins the list; nothing of it is left behind, the newest ends first."""
    check_free(host, port)
    says("starting the Prefect server (the first start takes about 20 s)")
    children: list[Child] = []
    try:
        _start(children, "Prefect server", "server", "start", "--host", host, "--port", str(port))
        yield children
    finally:
        with noting_signals() as hurry:  # a second Ctrl-C leaves nothing behind either
            for child in reversed(children):
                stop(child, patience=_STOP_SECONDS, hurry=hurry)


async def make_ready(children: list[Child], says: Says, workers: int, *, at_once: bool) -> list[str]:
    """Everything deployed and healthy; the lines that say so. ``at_once``: with a first run right now."""
    async with get_client() as client:
        await _until(lambda: _is_healthy(client), children, "the Prefect server is healthy")
        says("creating the deployments of prefect.yaml")
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
            await asyncio.sleep(_LOOK_SECONDS)
            _check_alive(children)
            for run in await _runs_ended_after(client, since):
                since = run.end_time or since
                says(f"{since:%H:%M:%S} UTC  {run.name}: {run.state_name}")


def check_free(host: str, port: int) -> None:
    """ConfigurationError when something listens there already."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigurationError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}). If another `ekyc up` or Prefect "
            "server uses it, stop that one; otherwise choose another port with --port."
        ) from None


def deploy() -> None:
    """Everything in prefect.yaml; its entry points begin at the checkout's root, or at site-packages."""
    root = Path(ekyc_tasks.__file__).resolve().parent.parent
    in_checkout = root / "prefect.yaml"
    file = in_checkout if in_checkout.is_file() else Path(__file__).with_name("prefect.yaml")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"{file} could not be deployed: {(done.stderr or done.stdout)[-1000:]}")


def _start(children: list[Child], name: str, *arguments: str) -> None:
    """A Ctrl-C comes before it or after it has joined the list: in between, nothing would end the child."""
    command = [sys.executable, "-m", "prefect", *arguments]
    with noting_signals() as interrupted:
        children.append(Child(name, command, environment=os.environ, folder=Path.cwd()))
    if interrupted.is_set():
        raise KeyboardInterrupt


async def _until(condition: Callable[[], Awaitable[bool]], children: list[Child], what: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not await condition():
        _check_alive(children)
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"After {_READY_SECONDS:.0f} s it is still not true that {what}. Try again."
            )
        await asyncio.sleep(_GLANCE_SECONDS)


def _check_alive(children: list[Child]) -> None:
    for child in children:
        if not child.is_alive:
            raise ConfigurationError(
                f"The {child.name} stopped unexpectedly. Its last output:\n{child.last_words}"
            )


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
        *(f"  {name:<15} started by hand" for name in _BY_HAND),
    ]


async def _next_run(client: PrefectClient) -> datetime | None:
    """The server schedules some seconds after a deployment."""
    check = await client.read_deployment_by_name(CHECK)
    for _ in range(int(_SCHEDULE_SECONDS / _GLANCE_SECONDS)):
        if (moment := await next_run(client, check.id)) is not None:
            return moment
        await asyncio.sleep(_GLANCE_SECONDS)
    return None


async def _runs_ended_after(client: PrefectClient, since: datetime) -> list[FlowRun]:
    runs = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(end_time=FlowRunFilterEndTime(after_=since)),
        sort=FlowRunSort.END_TIME_DESC,
        limit=50,
    )
    return [run for run in reversed(runs) if run.end_time is not None and run.end_time > since]
