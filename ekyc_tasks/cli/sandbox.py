"""`ekyc sandbox`: the stand-in provider in the foreground."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.sandbox import Sandbox, SandboxOptions, serve
from ekyc_tasks.settings import data_root


def serve_sandbox(out: Console, *, port: int, storage_port: int, **options: Any) -> None:
    """``options`` are those of `SandboxOptions`; ConfigurationError for a word or port that cannot be."""
    try:
        chosen = SandboxOptions(**options)
    except ValueError as error:
        raise ConfigurationError(f"The sandbox cannot start: {error}") from None
    try:
        serve(
            chosen,
            host="127.0.0.1",
            port=port,
            storage_port=storage_port,
            announce=lambda box: _say(out, box),
        )
    except OSError as error:
        raise ConfigurationError(
            f"The sandbox cannot listen on port {port} ({error.strerror}). Choose another port with --port."
        ) from None


def _say(out: Console, sandbox: Sandbox) -> None:
    """Word for word what to type: a home of its own, so that no real data and no real ledger is touched."""
    home = data_root() / "try"
    for line in (
        f"The sandbox listens on {sandbox.base_url} until Ctrl-C. Its results are at {sandbox.storage_url}.",
        f"In another terminal, with a separate ledger in {home}:",
        f"  export EKYC_HOME={home} EKYC_BASE_URL={sandbox.base_url} EKYC_API_KEY={sandbox.api_key}",
        "  ekyc init --no-budget --account new",
        "  ekyc run FILE",
        f"What the sandbox charged: {sandbox.base_url}/_sandbox/charges",
    ):
        out.print(line, markup=False, highlight=False)
