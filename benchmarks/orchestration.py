"""What Prefect costs: the flow beside a plain script of the same library calls, and how late rows are.

    python -m benchmarks.orchestration             # 1, 10 and 100 batches, three rounds, then the delay
    python -m benchmarks.orchestration --rounds 1 --only cost

One Prefect server serves all; each measurement is a process of its own against a sandbox without delay,
plain and flow taking turns. Time is that of the run after imports and one warm-up, CPU time and peak memory
are those of its process: the server's are not in them, and other work on the machine is in the time.
The delay is measured with a fixed poll interval and processing times spread over it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cores import keep_to_two_cores
from benchmarks.memory import peak_mib
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

SIZES = (1, 10, 100)
FIGURES = {"seconds": 2, "cpu": 2, "mib": 0}  # and how many digits after the point
NUMBERS = 10  # in a batch: the library's own work is small beside the orchestration
INTERVAL = 4.0  # seconds between two polls, for the delay
PORT = 4291
OWN = {"SETTLE": "0", "POLL_MIN": "0.05s", "POLL_MAX": "0.5s", "BATCH_SIZE": str(NUMBERS), "MAX_WAIT": "5m"}


# --- one measurement, in a process of its own


def measure(how: str, batches: int, home: Path) -> dict[str, float]:
    """Seconds and CPU seconds of one run, and the peak of this process in MiB."""
    run = _flow if how == "flow" else _plain
    _drop(home, 1, start=0)
    asyncio.run(run())
    _drop(home, batches, start=1)
    began, cpu_began = time.perf_counter(), time.process_time()
    asyncio.run(run())
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return {"seconds": seconds, "cpu": cpu, "mib": peak_mib()}


def _drop(home: Path, batches: int, *, start: int) -> None:
    numbers = range(79_820_0000 + start * NUMBERS, 79_820_0000 + (start + batches) * NUMBERS)
    landing = home / "landing"
    landing.mkdir(exist_ok=True)
    (landing / f"{start}.txt").write_text("".join(f"+41{number}\n" for number in numbers))


async def _flow() -> None:
    from ekyc_tasks.flows.check_numbers import check_numbers

    state: Any = await check_numbers(return_state=True)
    assert state.name == "Completed", state


async def _plain() -> None:
    """The same calls in the same order, without Prefect."""
    from ekyc_tasks import tasks
    from ekyc_tasks.runs.policies import PlanWishes
    from ekyc_tasks.runs.session import start_run
    from ekyc_tasks.settings import load_settings

    with start_run(load_settings()) as run:
        planned = tasks.plan_files.fn(run.run_id, [], task_type=run.task_type, wishes=PlanWishes())
        await planned

        async def follow(batch_id: str) -> None:
            await tasks.poll_batch.fn(batch_id, run.run_id, run.until)
            await tasks.fetch_batch.fn(batch_id, run.run_id)
            await tasks.load_batch.fn(batch_id, run.run_id)

        async with asyncio.TaskGroup() as following:
            for batch_id in run.to_submit():
                await tasks.submit_batch.fn(batch_id, run.run_id, run.until, None)
                following.create_task(follow(batch_id))


# --- the delay


def delays(home: Path) -> list[float]:
    """Seconds from *exported* at the provider, by its own clock, to rows in the dataset."""
    from ekyc_tasks.ledger import make_ledger
    from ekyc_tasks.models import BatchState
    from ekyc_tasks.settings import load_settings

    asyncio.run(_flow())
    with make_ledger(load_settings().ledger_address) as ledger:
        loaded = ledger.history.batches(states=[BatchState.LOADED])
    return [(batch.loaded_at - batch.checked_at).total_seconds() for batch in loaded]


# --- all of them


def main() -> None:
    keep_to_two_cores()
    arguments = _arguments()
    if arguments.child:
        home = Path(os.environ["EKYC_HOME"])
        how, batches = arguments.child[0], int(arguments.child[1])
        result = delays(home) if how == "delay" else measure(how, batches, home)
        print(json.dumps(result))  # noqa: T201 - for the parent
        return
    console = Console()
    with TemporaryDirectory() as folder, _server(Path(folder)) as environment:
        if arguments.only != "delay":
            _show_cost(console, arguments.rounds, environment)
        if arguments.only != "cost":
            _show_delay(console, environment)


def _show_cost(console: Console, rounds: int, environment: dict[str, str]) -> None:
    medians: dict[tuple[str, int], dict[str, float]] = {}
    for batches in SIZES:
        runs: dict[str, list[dict[str, float]]] = {"plain": [], "flow": []}
        for _ in range(rounds):
            for how, found in runs.items():
                found.append(_child(how, batches, environment, processing_seconds=0.0))
        for how, found in runs.items():
            medians[how, batches] = {name: statistics.median(run[name] for run in found) for name in found[0]}
    table = Table("batches", title="One run", box=None)
    for name in FIGURES:
        for how in ("plain", "flow"):
            table.add_column(f"{how} {name}", justify="right")
    for batches in SIZES:
        figures = [
            f"{medians[how, batches][name]:.{digits}f}"
            for name, digits in FIGURES.items()
            for how in ("plain", "flow")
        ]
        table.add_row(f"{batches}", *figures)
    console.print(table)
    wall, cpu = (_slope(medians, name) * 1000 for name in ("seconds", "cpu"))
    console.print(
        f"Overhead of the flow: {wall:.0f} ms a batch, {cpu:.0f} ms of them CPU time of its process "
        "(the slope from 10 to 100 batches)"
    )


def _slope(medians: dict[tuple[str, int], dict[str, float]], name: str) -> float:
    over = {n: medians["flow", n][name] - medians["plain", n][name] for n in SIZES}
    return (over[100] - over[10]) / 90


def _show_delay(console: Console, environment: dict[str, str]) -> None:
    late: list[float] = []
    for step in range(8):
        slow = {**environment, "EKYC_POLL_MIN": f"{INTERVAL}s", "EKYC_POLL_MAX": f"{INTERVAL}s"}
        late += _child("delay", 3, slow, processing_seconds=INTERVAL * (1 + step / 8))
    console.print(
        f"From exported to rows, polling every {INTERVAL:.0f} s: median {statistics.median(late):.1f} s "
        f"(to stay under {INTERVAL / 2 + 1:.1f} s), longest {max(late):.1f} s, {len(late)} batches"
    )


def _child(how: str, batches: int, environment: dict[str, str], *, processing_seconds: float) -> Any:
    options = SandboxOptions(
        pending_seconds=0.0, processing_seconds=processing_seconds, missing_rate=0.0, balance=1e6
    )
    with TemporaryDirectory() as folder, Sandbox(options) as sandbox:
        home = Path(folder)
        if how == "delay":
            _drop(home, batches, start=0)
        settings = {
            "HOME": folder,
            "DATA_DIR": folder,
            "BASE_URL": sandbox.base_url,
            "API_KEY": "sandbox-key",
        }
        own = {f"EKYC_{name}": value for name, value in (OWN | settings).items()}
        command = [sys.executable, "-m", "benchmarks.orchestration", "--child", how, str(batches)]
        done = subprocess.run(command, env=own | environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _server(folder: Path) -> Iterator[dict[str, str]]:
    """A Prefect server; the environment that leads to it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("EKYC_", "PREFECT_"))}
    environment = plain | {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(PORT), "--no-ui"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(f"http://127.0.0.1:{PORT}/api/health")
            yield environment
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server on loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("the Prefect server did not start")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["cost", "delay"])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
