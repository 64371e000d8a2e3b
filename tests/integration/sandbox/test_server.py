"""The two servers: calls on record, ports, a clean end."""

from __future__ import annotations

import ast
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from support.sandbox_calls import calling, fetched, wait_until

import ekyc_tasks.sandbox
from ekyc_tasks.sandbox import Sandbox

pytestmark = pytest.mark.integration


def test_calls_are_recorded_in_order_without_their_query(caller):
    task_id = caller.new_task()
    caller.fetch(task_id)
    assert [(call.server, call.method, call.path, call.status) for call in caller.sandbox.calls] == [
        ("api", "POST", "/v1/tasks", 200),
        ("api", "POST", "/v1/gettasks", 200),
        ("storage", "GET", f"/externalcheck/{task_id}/{task_id}.zip", 200),
    ]


def test_stop_leaves_no_thread_no_port_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    with calling() as caller:
        sandbox = caller.sandbox
        fetched(caller)
        assert list(tmp_path.iterdir())
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    for url in (sandbox.base_url, sandbox.storage_url):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    sandbox.stop()


def test_client_that_leaves_during_its_upload_costs_nothing(caller):
    url = httpx.URL(caller.sandbox.base_url)
    with socket.create_connection((url.host, url.port)) as sock:
        head = "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: sandbox-key\r\nContent-Length: 9999\r\n"
        sock.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n".encode())
        wait_until(lambda: caller.sandbox.calls)
    assert caller.create().status_code == 200
    assert len(caller.sandbox.charges) == 1


def test_taken_port_is_an_error_and_leaves_nothing_open(caller):
    taken = httpx.URL(caller.sandbox.base_url).port
    for ports in ({"port": taken}, {"storage_port": taken}):
        with pytest.raises(OSError, match="in use"):
            Sandbox(**ports).start()


def test_given_ports_are_used():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with Sandbox(port=port) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}"


SERVE = """
import sys
from ekyc_tasks.sandbox import SandboxOptions, serve
serve(SandboxOptions(), port=0, storage_port=0, announce=lambda box: print(box.base_url, flush=True))
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_told_to_stop(number):
    command = [sys.executable, "-W", "error", "-c", SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        base_url = process.stdout.readline().strip()
        assert httpx.get(f"{base_url}/_sandbox/charges").json()["total_numbers"] == 0
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_sandbox_imports_nothing_of_the_client():
    allowed = {*sys.stdlib_module_names, "starlette", "uvicorn"}
    for module in Path(ekyc_tasks.sandbox.__file__).parent.glob("*.py"):
        for name in imported(module):
            assert name.partition(".")[0] in allowed or name.startswith("ekyc_tasks.sandbox"), module.name


def imported(module):
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
