"""What happens to a batch once it is paid for: progress, exported, fetched, loaded, failed.

Only the owner of a batch may do this: a run that has lost the batch is refused with `LeaseLost`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, update

from ekyc_tasks.ledger.records import Batch, read
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import batches
from ekyc_tasks.models import BatchState, Reconciliation, TaskStatus, states_where


class Progress:
    """What the owner of a batch that is paid for writes.

    Owns: SUBMITTED → FETCHED (`fetched`) or FAILED (`failed`), FETCHED → LOADED (`loaded`). What is loaded
    again stays LOADED (`replayed`); a load that fails leaves the state and notes why (`load_failed`).
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def answered(self, batch_id: str, status: TaskStatus, *, run_id: str) -> Batch:
        """Count a question, and keep what was said about progress (never the link); the batch as it is
        then."""
        return self._asked(
            batch_id,
            run_id,
            provider_status=status.status[:50],
            provider_total=status.total,
            provider_success=status.success,
            actual_amount=status.actual_amount,
            not_before=None,
            unknowns=0,
            unknown_since=None,
        )

    def troubled(self, batch_id: str, *, not_before: datetime | None, run_id: str) -> Batch:
        """Count a question without a useful answer; ``not_before``: how long to leave the provider alone."""
        return self._asked(batch_id, run_id, not_before=not_before)

    def unknown(self, batch_id: str, *, run_id: str) -> Batch:
        """Count a question to which the provider said that it does not know the task."""
        with self._store.writing() as connection:
            since = func.coalesce(batches.c.unknown_since, self._store.now(connection))
            return self._count(
                connection, batch_id, run_id, unknowns=batches.c.unknowns + 1, unknown_since=since
            )

    def _asked(self, batch_id: str, run_id: str, **values: object) -> Batch:
        with self._store.writing() as connection:
            return self._count(connection, batch_id, run_id, **values)

    def _count(self, connection: Connection, batch_id: str, run_id: str, **values: object) -> Batch:
        self._store.state(connection, batch_id, owned_by=run_id)
        counted = update(batches).where(batches.c.batch_id == batch_id)
        row = connection.execute(counted.values(polls=batches.c.polls + 1, **values).returning(batches))
        return read(Batch, row.one())

    def exported(self, batch_id: str, at: datetime, *, run_id: str) -> None:
        """Fix the time of the answers, once: the provider's last update, else when first seen."""
        with self._store.writing() as connection:
            self._store.state(connection, batch_id, owned_by=run_id)
            connection.execute(
                update(batches)
                .where(batches.c.batch_id == batch_id, batches.c.exported_at.is_(None))
                .values(exported_at=at)
            )

    def failed(self, batch_id: str, *, why: str, run_id: str) -> None:
        with self._store.writing() as connection:
            self._store.advance(
                connection,
                batch_id,
                sources=[BatchState.SUBMITTED],
                to=BatchState.FAILED,
                why=why,
                run_id=run_id,
            )

    def fetched(self, batch_id: str, *, sha256: str, size: int, checked_at: datetime, run_id: str) -> None:
        with self._store.writing() as connection:
            self._store.advance(
                connection,
                batch_id,
                sources=[BatchState.SUBMITTED],
                to=BatchState.FETCHED,
                why=f"archive of {size:,} bytes stored",
                run_id=run_id,
                archive_sha256=sha256,
                archive_size=size,
                checked_at=checked_at,
            )

    def loaded(
        self, batch_id: str, counts: Reconciliation, *, run_id: str, remarks: Sequence[str] = ()
    ) -> None:
        """``remarks`` are sentences about differences from the contract."""
        self._counted(batch_id, BatchState.FETCHED, counts, why=_with(remarks, counts.summary), run_id=run_id)

    def replayed(
        self, batch_id: str, counts: Reconciliation, *, run_id: str, remarks: Sequence[str] = ()
    ) -> None:
        """Loaded again from its archive: LOADED stays LOADED, and the counts are those of now."""
        why = _with(remarks, f"loaded again: {counts.summary}")
        self._counted(batch_id, BatchState.LOADED, counts, why=why, run_id=run_id)

    def load_failed(self, batch_id: str, *, why: str, run_id: str) -> None:
        """The batch stays FETCHED, or LOADED as before; the reason is in its history."""
        with self._store.writing() as connection:
            for state in states_where(lambda state: state.has_archive):
                if self._store.move(
                    connection, batch_id, sources=[state], to=state, why=why, run_id=run_id, owned_by=run_id
                ):
                    return

    def _counted(
        self, batch_id: str, source: BatchState, counts: Reconciliation, *, why: str, run_id: str
    ) -> None:
        with self._store.writing() as connection:
            self._store.advance(
                connection,
                batch_id,
                sources=[source],
                to=BatchState.LOADED,
                why=why,
                run_id=run_id,
                loaded_at=self._store.now(connection),
                returned=counts.returned,
                accepted=counts.accepted,
                unreadable=counts.unreadable,
                unexpected=counts.unexpected,
                duplicate=counts.duplicate,
                missing=counts.missing,
                cell_issues=counts.cell_issues,
            )


def _with(remarks: Sequence[str], words: str) -> str:
    return " ".join((f"{words}.", *remarks)) if remarks else words
