"""One real Prefect server for the whole session, and a desk of its own for each test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest
from support.workstation import BIN, Desk, Server, is_healthy, plain_environment, wait_until

from ekyc_tasks.sandbox import Sandbox, SandboxOptions


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/api", home)
    log = (home / "server.log").open("wb")
    command = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command,
        env={**plain_environment(), **server.environment},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        wait_until(lambda: is_healthy(server, process), seconds=120, what="the Prefect server")
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        log.close()


@pytest.fixture
def options() -> SandboxOptions:
    return SandboxOptions(processing_seconds=1.0, pending_seconds=0.2)


@pytest.fixture
def desk(tmp_path, options, server) -> Iterator[Desk]:
    with Sandbox(options) as sandbox:
        yield Desk(tmp_path, sandbox, server)
