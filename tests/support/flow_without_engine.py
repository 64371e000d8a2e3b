"""The flow as it is, without Prefect's engine: its tasks become their functions, with their retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from prefect import Task

import ekyc_tasks.flows.check_numbers as whole_way
from ekyc_tasks import tasks
from ekyc_tasks.flows import endings
from ekyc_tasks.support.clock import SystemClock

_LONGEST_SLEEP = 0.02


def without_engine() -> None:
    """In this process, from now on: no engine, and no sleep that is worth waiting for."""
    for name, value in vars(whole_way).items():
        if isinstance(value, Task):
            setattr(whole_way, name, _plain(value))
    # These tell Prefect's server, and there is none.
    whole_way.rename = endings.tell = tasks._ProgressBar.__call__ = _nothing
    SystemClock.sleep = _nap


def run_once() -> dict[str, Any]:
    """One run: its exit code and the sentences for a person."""
    state = asyncio.run(whole_way.check_numbers.fn())
    return {"exit_code": state.data["exit_code"], "sentences": state.data["sentences"]}


def _plain(task: Task[..., Any]) -> Callable[..., Any]:
    async def call(*arguments: Any, **options: Any) -> Any:
        for _ in range(task.retries):
            try:
                return await task.fn(*arguments, **options)
            except Exception as error:
                if not _is_worth_it(task, error):
                    raise
        return await task.fn(*arguments, **options)

    return call


def _is_worth_it(task: Task[..., Any], error: Exception) -> bool:
    condition = task.retry_condition_fn
    return condition is None or bool(condition(task, None, SimpleNamespace(data=error)))


async def _nothing(*_: object) -> None:
    pass


async def _nap(_: SystemClock, seconds: float) -> None:
    await asyncio.sleep(min(seconds, _LONGEST_SLEEP))
