"""`ekyc up`: Prefect's server, the deployments and a worker on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from ekyc_tasks.cli.demo import stage
from ekyc_tasks.cli.prefect_env import serve_prefect
from ekyc_tasks.cli.terminal import ProgressLine
from ekyc_tasks.errors import ConfigurationError, PersonNeeded
from ekyc_tasks.installation import open_one, open_questions
from ekyc_tasks.runs.session import prepare_folder
from ekyc_tasks.settings import data_root, load_settings
from ekyc_tasks.support.atomic_files import private_dir, try_lock
from ekyc_tasks.task_types import task_type

_HOME, _LOCK, _ADDRESS = ".prefect", "up.lock", "address"


@dataclass(frozen=True, slots=True)
class Wanted:
    port: int
    workers: int
    is_demo: bool


def serve(wanted: Wanted, out: Console, err: Console) -> None:
    """Until Ctrl-C or SIGTERM; ConfigurationError when it cannot start, or a part of it ends by itself."""
    signal.signal(signal.SIGTERM, _say_interrupted)
    try:
        with ExitStack() as stack:
            _serve(wanted, out, err, stack)
    except KeyboardInterrupt:
        err.print("Everything is stopped. `ekyc up` continues from here.", highlight=False)


def address_of_another() -> str | None:
    """Where the server of an `ekyc up` for this data folder answers; None where none is running."""
    home = data_root() / _HOME
    if not (home / _LOCK).exists():
        return None
    if lock := try_lock(home / _LOCK):
        lock.close()
        return None
    with suppress(OSError):
        return (home / _ADDRESS).read_text()
    return None


def _serve(wanted: Wanted, out: Console, err: Console, stack: ExitStack) -> None:
    root = data_root()
    if not wanted.is_demo:
        _check_settings()
    home = private_dir(root / (".demo/server" if wanted.is_demo else _HOME))
    with ProgressLine(err, "getting ready").show_progress() as progress:
        stack.enter_context(_alone(home))
        if wanted.is_demo:
            stack.enter_context(stage(root))
        serve_prefect(home, wanted.port)
        (home / _ADDRESS).write_text(os.environ["PREFECT_API_URL"])
        from ekyc_tasks.flows.server import make_ready, running

        # Leaving the stack stops what was started, also when the rest fails.
        children = stack.enter_context(running("127.0.0.1", wanted.port, progress.says))
        plan = asyncio.run(make_ready(children, progress.says, wanted.workers, at_once=wanted.is_demo))
    for line in (*plan, f"Drop files into {load_settings().folder.landing}. Ctrl-C stops everything."):
        out.print(line, markup=False, highlight=False)
    from ekyc_tasks.flows.server import watch

    asyncio.run(watch(children, lambda line: out.print(line, markup=False, highlight=False)))


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    lock = try_lock(home / _LOCK)
    if lock is None:
        raise ConfigurationError(
            f"`ekyc up` is already running for {home.parent}: use it, or stop it with Ctrl-C."
        )
    with lock:
        yield


def _check_settings() -> None:
    """A problem that would stop a run is shown now, not in five minutes."""
    settings = load_settings()
    task_type(settings.task_type)
    with open_one(settings.site) as ledger:
        settings.require_key()
        for question in open_questions(ledger, settings.site):
            raise PersonNeeded(question.text)
    prepare_folder(settings.folder, with_landing=settings.landing_dir is None)


def _say_interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
