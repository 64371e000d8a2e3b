"""Batches are followed side by side, and a run that is cancelled in one of them is known as cancelled."""

from __future__ import annotations

import asyncio
import signal

import pytest
from prefect.exceptions import TerminationSignal

from ekyc_tasks.flows.check_numbers import side_by_side


@pytest.mark.parametrize("others", [[], [ValueError("x")]])
def test_a_signal_that_meets_a_step_leaves_the_run_as_it_is(others):
    ended = []

    async def failing(error):
        raise error

    async def interrupted():
        raise TerminationSignal(signal.SIGTERM)

    async def waiting():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def run():
        async with side_by_side() as group:
            group.create_task(waiting())
            for error in others:
                group.create_task(failing(error))
            group.create_task(interrupted())

    with pytest.raises(TerminationSignal):
        asyncio.run(run())
    assert ended == ["waiting"]
