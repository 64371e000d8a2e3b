"""Only one process at a time plans or imports batches in a folder, on this machine and on all others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.support.atomic_files import hold_lock

_LONGEST_TURN_SECONDS = 300.0  # a process that was stopped while it planned must not stop all the others


@contextmanager
def planning_lock(context: StepContext) -> Iterator[None]:
    with ExitStack() as turn:
        try:
            turn.enter_context(hold_lock(context.folder.planning_lock, patience=_LONGEST_TURN_SECONDS))
        except TimeoutError:
            raise LeaseLost(
                "Another run has been planning for minutes. The landed files stay where they are, and the "
                "next run plans them."
            ) from None
        turn.enter_context(context.ledger.plans.turn(context.run_id))
        yield
