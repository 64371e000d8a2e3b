"""What a person decides about a batch: adopted, resubmitted, abandoned."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select, update

from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import batches, file_batches, files
from ekyc_tasks.models import BatchState


class Decisions:
    def __init__(self, store: Store) -> None:
        self._store = store

    def adopted(self, batch_id: str, task_id: str, *, sources: Collection[BatchState], why: str) -> bool:
        """The batch is the provider's task ``task_id`` after all. False: it was elsewhere by then."""
        with self._store.writing() as connection:
            return self._store.move(
                connection,
                batch_id,
                sources=sources,
                to=BatchState.SUBMITTED,
                why=why,
                run_id=None,
                owner=None,
                task_id=task_id,
                submitted_at=self._store.now(connection),
                not_before=None,
                unknowns=0,
                unknown_since=None,
            )

    def resubmitted(self, batch_id: str, *, sources: Collection[BatchState], why: str) -> bool:
        with self._store.writing() as connection:
            return self._store.move(
                connection,
                batch_id,
                sources=sources,
                to=BatchState.PLANNED,
                why=why,
                run_id=None,
                owner=None,
                task_id=None,
                not_before=None,
                server_errors=0,
            )

    def abandoned(
        self, batch_id: str, *, sources: Collection[BatchState], why: str, plan_again: bool
    ) -> bool:
        """Let go of the numbers; with ``plan_again`` every file that has some of them is planned anew."""
        with self._store.writing() as connection:
            moved = self._store.move(
                connection,
                batch_id,
                sources=sources,
                to=BatchState.ABANDONED,
                why=why,
                run_id=None,
                dropped=0 if plan_again else 1,
            )
            if moved and plan_again:
                waiting = select(file_batches.c.file_id).where(file_batches.c.batch_id == batch_id)
                connection.execute(update(files).where(files.c.file_id.in_(waiting)).values(replan=1))
            return moved

    def task_is_taken(self, task_id: str, *, besides: str) -> bool:
        """Does another batch have this provider task?"""
        query = select(func.count()).where(batches.c.task_id == task_id, batches.c.batch_id != besides)
        with self._store.reading() as connection:
            return bool(connection.execute(query).scalar_one())
