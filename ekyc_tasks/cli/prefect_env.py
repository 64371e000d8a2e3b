"""Logging and Prefect's own settings at the terminal; they must stand before Prefect is imported."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from rich.console import Console

_CONSOLES = ("CONSOLE", "CONSOLE_FLOW_RUNS", "CONSOLE_TASK_RUNS")


class _Sentences(logging.Handler):
    """Our warnings as sentences between the progress line and the tables; tracebacks are for `--debug`."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False, highlight=False)


def prepare_logging(console: Console, *, debug: bool) -> None:
    if debug:
        logging.basicConfig(level=logging.INFO)
        logging.getLogger("ekyc_defects").setLevel(logging.DEBUG)
    else:
        logging.getLogger("ekyc_tasks").addHandler(_Sentences(console))


def prepare_prefect(*, debug: bool) -> None:
    """No telemetry, no log lines between ours (`--debug` shows them), and patience with a cold start.

    Without PREFECT_API_URL (or a profile that names a server) Prefect starts a temporary server.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
    # The default of 20 s is shorter than a cold start on a busy machine.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    if not debug:
        for handler in _CONSOLES:
            os.environ[f"PREFECT_LOGGING_HANDLERS_{handler}_LEVEL"] = "CRITICAL"


def serve_prefect(home: Path, port: int) -> None:
    """For a server of our own: where it is, and nothing that leaves this machine or leads to another."""
    for name in ("PREFECT_PROFILE", "PREFECT_API_KEY"):
        os.environ.pop(name, None)
    address = f"http://127.0.0.1:{port}/api"
    os.environ |= {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": address,
        "PREFECT_UI_API_URL": address,
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # the other interface asks an outside host
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds; the automation for zombies counts on them
    }
