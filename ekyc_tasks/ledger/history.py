"""Reading the ledger: what `ekyc status` and the reports show."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger.records import Batch, ChargeRecord, Event, LandedFile, Link, read
from ekyc_tasks.ledger.spending import MAY_BE_CHARGED
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import attempts, batches, events, file_batches, files
from ekyc_tasks.models import BatchState, Outcome


class History:
    """Reads, and changes nothing: batches, files, events, charges, for whoever reports or decides.

    Owns no transition. Each method is one query; two of them may see different moments.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def batch(self, batch_id: str) -> Batch:
        with self._store.reading() as connection:
            row = connection.execute(select(batches).where(batches.c.batch_id == batch_id)).one_or_none()
        if row is None:
            raise ConfigurationError(f"There is no batch {batch_id}. `ekyc status` lists all batches.")
        return read(Batch, row)

    def batches(
        self, *, states: Collection[BatchState] | None = None, owner: str | None = None
    ) -> list[Batch]:
        query = select(batches).order_by(batches.c.batch_id)
        if states is not None:
            query = query.where(batches.c.state.in_(states))
        if owner is not None:
            query = query.where(batches.c.owner == owner)
        with self._store.reading() as connection:
            return [read(Batch, row) for row in connection.execute(query)]

    def newest_ids(self, most: int) -> list[str]:
        """The batches planned last, abandoned ones aside."""
        newest = select(batches.c.batch_id).where(batches.c.state != BatchState.ABANDONED)
        with self._store.reading() as connection:
            rows = connection.execute(newest.order_by(batches.c.planned_at.desc()).limit(most))
            return list(rows.scalars())

    def has_rows(self, *, since: datetime | None) -> bool:
        """Was any batch with rows loaded, or loaded since then?"""
        query = select(batches.c.batch_id).where(batches.c.state == BatchState.LOADED, batches.c.accepted > 0)
        if since is not None:
            query = query.where(batches.c.loaded_at > since)
        with self._store.reading() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def touched(self, run_id: str) -> list[Batch]:
        """Batches that this run moved, by its events."""
        with self._store.reading() as connection:
            moved = select(events.c.batch_id).where(events.c.run_id == run_id)
            rows = connection.execute(
                select(batches).where(batches.c.batch_id.in_(moved)).order_by(batches.c.batch_id)
            )
            return [read(Batch, row) for row in rows]

    def events(self, batch_id: str) -> list[Event]:
        with self._store.reading() as connection:
            rows = connection.execute(
                select(events).where(events.c.batch_id == batch_id).order_by(events.c.event_id)
            )
            return [read(Event, row) for row in rows]

    def files(self, *, run_id: str | None = None) -> list[LandedFile]:
        query = select(files).order_by(files.c.planned_at, files.c.file_id)
        if run_id is not None:
            query = query.where(files.c.run_id == run_id)
        with self._store.reading() as connection:
            return [LandedFile.of(row) for row in connection.execute(query)]

    def links(self, *, batch_id: str) -> list[Link]:
        with self._store.reading() as connection:
            rows = connection.execute(select(file_batches).where(file_batches.c.batch_id == batch_id))
            return [read(Link, row) for row in rows]

    def states(self) -> dict[BatchState, tuple[int, int]]:
        """Batches and numbers in each state."""
        query = select(batches.c.state, func.count(), func.sum(batches.c.numbers)).group_by(batches.c.state)
        with self._store.reading() as connection:
            return {
                BatchState(state): (int(count), int(numbers))
                for state, count, numbers in connection.execute(query)
            }

    def charges(self) -> list[ChargeRecord]:
        """All attempts that count as spent; the provider's amount goes with the task that the batch has."""
        query = (
            select(attempts, batches.c.actual_amount, batches.c.task_id.label("batch_task"))
            .join(batches)
            .where(MAY_BE_CHARGED)
            .order_by(attempts.c.started_at)
        )
        with self._store.reading() as connection:
            return [
                ChargeRecord(
                    started_at=row.started_at,
                    price=row.price,
                    is_certain=row.outcome == Outcome.ACCEPTED,
                    actual_amount=row.actual_amount if row.task_id == row.batch_task else None,
                )
                for row in connection.execute(query)
            ]
