"""Prefect's own settings for a run at the terminal; they must stand before Prefect is imported."""

from __future__ import annotations

import os

_CONSOLES = ("CONSOLE", "CONSOLE_FLOW_RUNS", "CONSOLE_TASK_RUNS")


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
