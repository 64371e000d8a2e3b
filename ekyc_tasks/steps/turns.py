"""Whoever plans or takes in batches has the folder for himself, on this machine and on all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ekyc_tasks.disk import locked
from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Ledger

_LONGEST = 300.0  # seconds; a process that was stopped while it planned must not stop all the others


@contextmanager
def planning_turn(folder: DataFolder, ledger: Ledger, run_id: str) -> Iterator[None]:
    with ExitStack() as turn:
        try:
            turn.enter_context(locked(folder.planning_lock, patience=_LONGEST))
        except TimeoutError:
            raise LeaseLost(
                "Another run has been planning for minutes; what landed stays where it is, and the next run "
                "plans it."
            ) from None
        turn.enter_context(ledger.plans.turn(run_id))
        yield
