"""Attempts: the intent before the first byte, the answer after it, and the answer that comes late."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from ekyc_tasks.errors import LeaseLost, LedgerError
from ekyc_tasks.ledger.records import Attempt, read
from ekyc_tasks.ledger.spending import MAY_BE_CHARGED, require_budget, spent
from ekyc_tasks.ledger.store import Store, repeatable
from ekyc_tasks.ledger.tables import attempts, batches
from ekyc_tasks.models import BatchState, Outcome, UploadResult
from ekyc_tasks.money import Balance, Budget

# States from which a run or a person's word leads to an upload.
_SENDABLE = (BatchState.PLANNED, BatchState.SUBMITTING, BatchState.REFUSED, BatchState.FAILED)
_LONGEST_AMOUNT = 50  # characters that a column takes


class Uploads:
    """Attempts to upload, each committed before its first byte is sent, and the money that they cost.

    Owns: PLANNED → SUBMITTING (`intended`), SUBMITTING → PLANNED, REFUSED or HELD (`answered`), and
    SUBMITTING, HELD or PLANNED → SUBMITTED (`accepted`, however late). HELD, too, for a task that another
    batch has (`accepted`), and for an attempt that this ledger did not know (`recovered`).
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @repeatable
    def intended(
        self,
        attempt_id: str,
        batch_id: str,
        *,
        run_id: str,
        deadline: timedelta,
        price: Decimal | None,
        budget: Budget,
        balance: Balance | None,
    ) -> Attempt | None:
        """Commit the intent: a new attempt, and SUBMITTING. None when the batch is not PLANNED any more.

        ``attempt_id`` is new, and tells after a broken connection whether this was done. Raises `NoMoney`
        when a budget does not allow it: money is reserved in this very transaction.
        """
        with self._store.writing() as connection:
            if (done := self._attempt(connection, attempt_id)) is not None:
                return done
            moved = self._store.move(
                connection,
                batch_id,
                sources=[BatchState.PLANNED],
                to=BatchState.SUBMITTING,
                why="about to upload",
                run_id=run_id,
                owned_by=run_id,
            )
            if not moved:
                return None
            now = self._store.now(connection)
            require_budget(connection, batch_id, price, budget, run_id=run_id, now=now)
            connection.execute(
                attempts.insert().values(
                    attempt_id=attempt_id,
                    batch_id=batch_id,
                    run_id=run_id,
                    started_at=now,
                    deadline=now + deadline,
                    price=price,
                    balance_before=None if balance is None else _text(balance.balance),
                    used_before=None if balance is None else _text(balance.used_today),
                )
            )
            return self._attempt(connection, attempt_id)

    @repeatable
    def answered(
        self,
        attempt: Attempt,
        result: UploadResult,
        *,
        to: BatchState,
        why: str,
        not_before: datetime | None = None,
        balance: Balance | None = None,
    ) -> None:
        """Everything but a task id: where the batch goes from SUBMITTING, and what was said.

        What was said is kept as evidence even when somebody else has taken or held the batch meanwhile
        (`LeaseLost`). What leads to HELD has an unknown outcome by that, a 500 too, and counts as spent.
        """
        errors = 1 if result.outcome is Outcome.SERVER_ERROR else 0
        if to is BatchState.HELD:
            result = replace(result, outcome=Outcome.UNKNOWN)
        lost: LeaseLost | None = None
        with self._store.writing() as connection:
            row = self._attempt_row(connection, attempt.attempt_id)
            if row.ended_at is not None and row.outcome == result.outcome:  # reported before
                return
            if row.task_id is None:
                self._end(connection, attempt.attempt_id, result)
                self._look(connection, attempt.attempt_id, balance)
            try:
                self._store.advance(
                    connection,
                    attempt.batch_id,
                    sources=[BatchState.SUBMITTING],
                    to=to,
                    why=why,
                    run_id=attempt.run_id,
                    not_before=not_before,
                    server_errors=batches.c.server_errors + errors,
                )
            except LeaseLost as error:
                lost = error
        if lost is not None:
            raise lost

    @repeatable
    def accepted(self, attempt_id: str, result: UploadResult, *, run_id: str | None) -> BatchState:
        """A task id, now or late: always stored; the batch is SUBMITTED unless it has gone another way.

        An id that another batch has says nothing about this upload: then its outcome is unknown.
        """
        with self._store.writing() as connection:
            now = self._store.now(connection)
            row = self._attempt_row(connection, attempt_id)
            if row.task_id == result.task_id:  # written before, by a process that was killed right after
                return BatchState(row.state)
            if (other := self._holder(connection, result.task_id, besides=row.batch_id)) is not None:
                why = f"the provider answered with task {result.task_id}, which belongs to batch {other}"
                self._end(connection, attempt_id, replace(result, outcome=Outcome.UNKNOWN, words=why))
                return self._held(connection, row.batch_id, why=why, run_id=run_id)
            self._end(connection, attempt_id, result)
            moved = self._store.move(
                connection,
                row.batch_id,
                sources=[BatchState.SUBMITTING, BatchState.HELD, BatchState.PLANNED],
                to=BatchState.SUBMITTED,
                why=f"the provider created task {result.task_id}",
                run_id=run_id,
                task_id=result.task_id,
                submitted_at=now,
                not_before=None,
                doubt=None,
            )
            state = connection.execute(
                select(batches.c.state, batches.c.task_id).where(batches.c.batch_id == row.batch_id)
            ).one()
            if not moved and state.task_id != result.task_id:
                why = f"an extra paid task {result.task_id} was reported late"
                where = BatchState(state.state)
                self._store.record(connection, row.batch_id, source=where, to=where, why=why, run_id=run_id)
        return BatchState(state.state)

    def recovered(
        self, attempt_id: str, batch_id: str, *, at: datetime, task_id: str | None, run_id: str
    ) -> None:
        """An upload that the journal of the folder has, and that this ledger forgot when it was set back: its
        batch is SUBMITTED where the task is known, else HELD. A batch that is not here is left out."""
        words = "found in the upload journal, because the ledger is older"
        with self._store.writing() as connection:
            if not self._is_there(connection, batch_id):
                return
            known = self._attempt(connection, attempt_id)
            if known is None:
                connection.execute(
                    attempts.insert().values(
                        attempt_id=attempt_id,
                        batch_id=batch_id,
                        run_id=run_id,
                        started_at=at,
                        deadline=at,
                        ended_at=at,
                        outcome=Outcome.UNKNOWN,
                        words=words,
                    )
                )
                self._held(connection, batch_id, why=words, run_id=run_id, sources=_SENDABLE)
        if task_id is not None and (known is None or known.task_id is None):
            self.accepted(attempt_id, UploadResult(Outcome.ACCEPTED, words, task_id=task_id), run_id=run_id)

    def _is_there(self, connection: Connection, batch_id: str) -> bool:
        query = select(batches.c.batch_id).where(batches.c.batch_id == batch_id)
        return connection.execute(query).one_or_none() is not None

    def _holder(self, connection: Connection, task_id: str | None, *, besides: str) -> str | None:
        query = select(batches.c.batch_id).where(batches.c.task_id == task_id, batches.c.batch_id != besides)
        return connection.execute(query.limit(1)).scalar_one_or_none()

    def _held(
        self,
        connection: Connection,
        batch_id: str,
        *,
        why: str,
        run_id: str | None,
        sources: Collection[BatchState] = (BatchState.SUBMITTING, BatchState.PLANNED),
    ) -> BatchState:
        self._store.move(connection, batch_id, sources=sources, to=BatchState.HELD, why=why, run_id=run_id)
        query = select(batches.c.state).where(batches.c.batch_id == batch_id)
        return BatchState(connection.execute(query).scalar_one())

    def looked(self, attempt_id: str, balance: Balance) -> None:
        """The balance after an attempt whose own process could not ask any more."""
        with self._store.writing() as connection:
            self._look(connection, attempt_id, balance)

    def unexplained(self) -> list[Attempt]:
        """Attempts of unknown outcome, their batches held, without a balance afterwards."""
        query = (
            select(attempts)
            .join(batches)
            .where(
                batches.c.state == BatchState.HELD,
                attempts.c.outcome == Outcome.UNKNOWN,
                attempts.c.balance_before.is_not(None),
                attempts.c.looked_at.is_(None),
            )
        )
        with self._store.reading() as connection:
            return [read(Attempt, row) for row in connection.execute(query.order_by(attempts.c.started_at))]

    def others_between(self, attempt: Attempt) -> int:
        """Other attempts that may have moved the balance between the two looks at it."""
        query = (
            select(func.count())
            .where(attempts.c.attempt_id != attempt.attempt_id, MAY_BE_CHARGED)
            .where(or_(attempts.c.ended_at.is_(None), attempts.c.ended_at >= attempt.started_at))
            .where(attempts.c.started_at <= (attempt.looked_at or attempt.started_at))
        )
        with self._store.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def of_batch(self, batch_id: str) -> list[Attempt]:
        with self._store.reading() as connection:
            rows = connection.execute(
                select(attempts).where(attempts.c.batch_id == batch_id).order_by(attempts.c.started_at)
            )
            return [read(Attempt, row) for row in rows]

    def newest_task(self) -> str | None:
        """What this ledger bought last."""
        tasks = select(attempts.c.task_id).where(attempts.c.task_id.is_not(None))
        with self._store.reading() as connection:
            newest = connection.execute(tasks.order_by(attempts.c.started_at.desc()).limit(1))
            return newest.scalar_one_or_none()

    def known(self, attempt_ids: Collection[str]) -> set[str]:
        """Which of these uploads the ledger has."""
        if not attempt_ids:
            return set()
        with self._store.reading() as connection:
            rows = connection.execute(
                select(attempts.c.attempt_id).where(attempts.c.attempt_id.in_(list(attempt_ids)))
            )
            return set(rows.scalars())

    def minimum(self, task_type: str) -> int:
        """The fewest numbers in a batch, as the provider named it last; 1 as long as it has not."""
        query = (
            select(attempts.c.minimum)
            .join(batches)
            .where(batches.c.task_type == task_type, attempts.c.minimum.is_not(None))
            .order_by(attempts.c.ended_at.desc())
            .limit(1)
        )
        with self._store.reading() as connection:
            return connection.execute(query).scalar_one_or_none() or 1

    def numbers_sent(self, run_id: str) -> int:
        """Numbers that this run uploaded, as far as the provider took them or may have taken them."""
        query = (
            select(func.coalesce(func.sum(batches.c.numbers), 0))
            .select_from(attempts)
            .join(batches)
            .where(attempts.c.run_id == run_id, MAY_BE_CHARGED)
        )
        with self._store.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def spent(self, *, since: datetime | None = None, run_id: str | None = None) -> Decimal:
        with self._store.reading() as connection:
            return spent(connection, since=since, run_id=run_id)

    def _attempt(self, connection: Connection, attempt_id: str) -> Attempt | None:
        row = connection.execute(select(attempts).where(attempts.c.attempt_id == attempt_id)).one_or_none()
        return None if row is None else read(Attempt, row)

    def _look(self, connection: Connection, attempt_id: str, balance: Balance | None) -> None:
        if balance is None:
            return
        connection.execute(
            update(attempts)
            .where(attempts.c.attempt_id == attempt_id)
            .values(
                balance_after=_text(balance.balance),
                used_after=_text(balance.used_today),
                looked_at=self._store.now(connection),
            )
        )

    def _end(self, connection: Connection, attempt_id: str, result: UploadResult) -> None:
        connection.execute(
            update(attempts)
            .where(attempts.c.attempt_id == attempt_id)
            .values(
                ended_at=self._store.now(connection),
                outcome=result.outcome,
                http_status=result.http_status,
                minimum=result.minimum,
                words=result.words,
                task_id=result.task_id,
            )
        )

    def _attempt_row(self, connection: Connection, attempt_id: str) -> Any:
        row = connection.execute(
            select(attempts, batches.c.state).join(batches).where(attempts.c.attempt_id == attempt_id)
        ).one_or_none()
        if row is None:
            raise LedgerError(
                f"The ledger has no attempt {attempt_id}, so it is not the ledger of this upload. "
                "Restore the right ledger."
            )
        return row


def _text(amount: Decimal | None) -> str | None:
    """As a column takes it; an amount that no account holds is as good as none."""
    text = None if amount is None else f"{amount:f}"
    return None if text is None or len(text) > _LONGEST_AMOUNT else text
