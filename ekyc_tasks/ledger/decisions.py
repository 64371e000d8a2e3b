"""What a person decides: a batch is adopted, resubmitted or abandoned, a whole ledger copied or restored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from ekyc_tasks.ledger.identity import Identity
from ekyc_tasks.ledger.metadata import write_fact
from ekyc_tasks.ledger.records import Batch, read
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import attempts, batches, file_batches, files, runs
from ekyc_tasks.models import BatchState, Doubt, Outcome

REPLAN_HELD = 2  # of `files.replan`: its numbers wait for a person, because the ledger was restored


class Decisions:
    """What a person says, which needs no owner and takes a batch from whoever has it.

    Owns all ways out of HELD, FAILED and REFUSED: → SUBMITTED (`adopted`), → PLANNED (`resubmitted`),
    → ABANDONED (`abandoned`, of SUBMITTED ones too). `exchange.resolve` says which apply to which state. Of a
    whole ledger: what a copy leaves to its original is ABANDONED (`copied`), what a backup may have missed is
    HELD (`restored`).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._identity = Identity(store)

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
                doubt=None,
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
                doubt=None,
                task_id=None,
                not_before=None,
                server_errors=0,
            )

    def abandoned(
        self, batch_id: str, *, sources: Collection[BatchState], why: str, plan_again: bool
    ) -> bool:
        """Release the numbers; with ``plan_again`` every file that has some of them is planned again."""
        with self._store.writing() as connection:
            moved = self._store.move(
                connection,
                batch_id,
                sources=sources,
                to=BatchState.ABANDONED,
                why=why,
                run_id=None,
                dropped=0 if plan_again else 1,
                doubt=None,
            )
            if moved and plan_again:
                waiting = select(file_batches.c.file_id).where(file_batches.c.batch_id == batch_id)
                connection.execute(update(files).where(files.c.file_id.in_(waiting)).values(replan=1))
            return moved

    def copied(self, new_id: str, place: Mapping[str, Any], *, who: str, facts: Mapping[str, str]) -> None:
        """This ledger is a copy, with its own id from now on. What would be bought is abandoned, and
        never sent from here: the original does it, so its numbers count as bought."""
        sources = (BatchState.PLANNED, BatchState.SUBMITTING, BatchState.HELD, BatchState.REFUSED)
        why = f"{who}: this ledger is a copy, and the batch belongs to the original"
        with self._store.writing() as connection:
            ids = self._move_all(
                connection, sources, to=BatchState.ABANDONED, why=why, dropped=1, doubt=Doubt.COPY
            )
            connection.execute(update(files).where(files.c.replan != 0).values(replan=0))
            connection.execute(
                update(attempts)
                .where(attempts.c.batch_id.in_(ids), attempts.c.outcome.is_(None))
                .values(outcome=Outcome.NOT_SENT, words="only the original may have sent it")
            )
            self._settle(connection, new_id, place, who=who, answer="copy", facts=facts)

    def restored(
        self, ledger_id: str, place: Mapping[str, Any], *, who: str, facts: Mapping[str, str]
    ) -> None:
        """This ledger is older than its files or its account. What it would buy may have been bought since:
        that waits for a person, as HELD, and so do files whose numbers wait to be planned again."""
        sources = (BatchState.PLANNED, BatchState.REFUSED)
        why = f"{who}: the ledger was restored, and the batch may have been uploaded since"
        with self._store.writing() as connection:
            self._move_all(connection, sources, to=BatchState.HELD, why=why, owner=None, doubt=Doubt.RESTORED)
            connection.execute(update(files).where(files.c.replan == 1).values(replan=REPLAN_HELD))
            self._settle(connection, ledger_id, place, who=who, answer="restored", facts=facts)

    def left_to_the_original(self) -> list[Batch]:
        """What `copied` abandoned."""
        query = select(batches).where(batches.c.doubt == Doubt.COPY).order_by(batches.c.batch_id)
        with self._store.reading() as connection:
            return [read(Batch, row) for row in connection.execute(query)]

    def waits_to_be_planned(self, *, plan_again: bool) -> int:
        """Files that `restored` holds back are planned again, or never; how many there were."""
        with self._store.writing() as connection:
            held_back = update(files).where(files.c.replan == REPLAN_HELD)
            return connection.execute(held_back.values(replan=int(plan_again))).rowcount

    def doubted(self, doubt: Doubt) -> list[Batch]:
        """HELD batches that wait for this reason."""
        query = select(batches).where(batches.c.state == BatchState.HELD, batches.c.doubt == doubt)
        with self._store.reading() as connection:
            return [read(Batch, row) for row in connection.execute(query.order_by(batches.c.batch_id))]

    def _move_all(
        self,
        connection: Connection,
        sources: Collection[BatchState],
        *,
        to: BatchState,
        why: str,
        **values: Any,
    ) -> list[str]:
        ids = list(
            connection.execute(select(batches.c.batch_id).where(batches.c.state.in_(sources))).scalars()
        )
        for batch_id in ids:
            self._store.move(connection, batch_id, sources=sources, to=to, why=why, run_id=None, **values)
        return ids

    def _settle(
        self,
        connection: Connection,
        ledger_id: str,
        place: Mapping[str, Any],
        *,
        who: str,
        answer: str,
        facts: Mapping[str, str],
    ) -> None:
        """With the ledger's id and place; leases of the other place mean nothing here."""
        now = self._store.now(connection)
        connection.execute(update(runs).where(runs.c.ended_at.is_(None)).values(ended_at=now))
        for name, value in facts.items():
            write_fact(connection, name, value)
        self._identity.settle_in(connection, ledger_id, place)
        self._identity.note_answer(connection, who=who, question="place", answer=answer)

    def task_is_taken(self, task_id: str, *, besides: str) -> bool:
        """Does another batch have this provider task?"""
        query = select(func.count()).where(batches.c.task_id == task_id, batches.c.batch_id != besides)
        with self._store.reading() as connection:
            return bool(connection.execute(query).scalar_one())
