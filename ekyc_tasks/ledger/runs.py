"""Runs and what they own: leases, claims, and what dead runs left behind."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from ekyc_tasks.ledger.records import RunRecord, read
from ekyc_tasks.ledger.spending import MAY_BE_CHARGED
from ekyc_tasks.ledger.store import Store, repeatable
from ekyc_tasks.ledger.tables import attempts, batches, runs
from ekyc_tasks.models import BatchState, Outcome, states_where

_GOING_ON = states_where(lambda state: state.goes_on)
_CLAIMABLE = states_where(lambda state: state.is_claimable)
_WITH_ARCHIVE = states_where(lambda state: state.has_archive)


class Runs:
    """Which runs live, and which batches each of them owns: whoever writes for a batch must own it.

    Owns what becomes of a dead run's upload: SUBMITTING → HELD (`left_behind`), and HELD → PLANNED where its
    process woke up and had sent nothing (`unsent`). Claims change the owner, never the state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def opened(self, run_id: str, *, host: str, lease: timedelta) -> None:
        with self._store.writing() as connection:
            now = self._store.now(connection)
            connection.execute(
                runs.insert().values(run_id=run_id, host=host, started_at=now, lease_until=now + lease)
            )

    def renewed(self, run_id: str, *, lease: timedelta) -> None:
        with self._store.writing() as connection:
            until = self._store.now(connection) + lease
            connection.execute(update(runs).where(runs.c.run_id == run_id).values(lease_until=until))

    def ended(self, run_id: str) -> None:
        """From now on its batches are free, and what it left SUBMITTING has no owner."""
        with self._store.writing() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run_id, runs.c.ended_at.is_(None))
                .values(ended_at=self._store.now(connection))
            )

    def alive(self) -> list[RunRecord]:
        with self._store.reading() as connection:
            rows = connection.execute(
                select(runs).where(
                    runs.c.ended_at.is_(None), runs.c.lease_until > self._store.now(connection)
                )
            )
            return [read(RunRecord, row) for row in rows]

    def newest(self, *, since: datetime) -> RunRecord | None:
        query = select(runs).where(runs.c.started_at >= since).order_by(runs.c.started_at.desc()).limit(1)
        with self._store.reading() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else read(RunRecord, row)

    def in_hand(self) -> list[str]:
        """Batches on which a living run is at work."""
        with self._store.reading() as connection:
            goes_on = batches.c.state.in_(_GOING_ON)
            query = select(batches.c.batch_id).where(goes_on, self._of_the_living(connection))
            return list(connection.execute(query.order_by(batches.c.batch_id)).scalars())

    @repeatable
    def claimed(self, run_id: str) -> list[str]:
        """Take every unfinished batch that no living run owns; the ids of all that are ours now."""
        with self._store.writing() as connection:
            free = and_(batches.c.state.in_(_CLAIMABLE), self._unowned(connection))
            connection.execute(update(batches).where(free).values(owner=run_id))
            rows = connection.execute(
                select(batches.c.batch_id)
                .where(batches.c.owner == run_id, batches.c.state.in_(_CLAIMABLE))
                .order_by(batches.c.batch_id)
            )
            return [row.batch_id for row in rows]

    def relieved(self, run_id: str, *, largest: int | None = None, but: Collection[str] = ()) -> str | None:
        """Take a planned batch from a living run that has others to upload before it; its id, or None."""
        earlier = batches.alias()
        before_it = or_(
            earlier.c.state == BatchState.SUBMITTING,
            and_(earlier.c.state == BatchState.PLANNED, earlier.c.batch_id < batches.c.batch_id),
        )
        fitting = and_(
            batches.c.state == BatchState.PLANNED,
            batches.c.owner != run_id,
            batches.c.batch_id.not_in(but),
            exists().where(earlier.c.owner == batches.c.owner, before_it),
        )
        if largest is not None:
            fitting = and_(fitting, batches.c.numbers <= largest)
        with self._store.reading() as connection:
            theirs = and_(fitting, self._of_the_living(connection))
            query = select(batches.c.batch_id, batches.c.owner).where(theirs)
            found = connection.execute(query.order_by(batches.c.batch_id.desc())).all()
        return next(
            (row.batch_id for row in found if self._handed_over(row.batch_id, row.owner, run_id)), None
        )

    @repeatable
    def _handed_over(self, batch_id: str, owner: str, run_id: str) -> bool:
        as_seen = and_(
            batches.c.batch_id == batch_id,
            batches.c.state == BatchState.PLANNED,
            batches.c.owner.in_((owner, run_id)),
        )
        with self._store.writing() as connection:
            return bool(connection.execute(update(batches).where(as_seen).values(owner=run_id)).rowcount)

    def claimed_to_replay(self, run_id: str, batch_id: str) -> bool:
        """Take one batch whose archive is kept; False when it is elsewhere, or a living run's."""
        with self._store.writing() as connection:
            free = and_(
                batches.c.batch_id == batch_id, batches.c.state.in_(_WITH_ARCHIVE), self._unowned(connection)
            )
            return bool(connection.execute(update(batches).where(free).values(owner=run_id)).rowcount)

    def still_owns(self, run_id: str, batch_id: str) -> bool:
        """Asked right before the first byte of an upload: is the lease still running, and is the batch
        still SUBMITTING? A run that slept may find it held, and renew its lease all the same."""
        with self._store.reading() as connection:
            row = connection.execute(
                select(runs.c.lease_until)
                .join(batches, batches.c.owner == runs.c.run_id)
                .where(
                    runs.c.run_id == run_id,
                    runs.c.ended_at.is_(None),
                    batches.c.batch_id == batch_id,
                    batches.c.state == BatchState.SUBMITTING,
                )
            ).one_or_none()
            return row is not None and row.lease_until > self._store.now(connection)

    def unsent(self, run_id: str) -> list[str]:
        """HELD batches whose process became active again and sent nothing become PLANNED; their ids.

        Only where no attempt at all may have been charged: which one was the last, a clock that was set
        back does not show.
        """
        why = "the run that wanted to upload it was inactive for too long, and sent nothing"
        of_it = attempts.c.batch_id == batches.c.batch_id
        sent_nothing = and_(
            exists().where(of_it, attempts.c.outcome == Outcome.NOT_SENT),
            ~exists().where(of_it, MAY_BE_CHARGED),
        )
        held = and_(batches.c.state == BatchState.HELD, batches.c.doubt.is_(None))
        with self._store.writing() as connection:
            ids = connection.execute(select(batches.c.batch_id).where(held, sent_nothing)).scalars()
            return [
                batch_id for batch_id in ids.all() if self._planned_again(connection, batch_id, why, run_id)
            ]

    def _planned_again(self, connection: Connection, batch_id: str, why: str, run_id: str) -> bool:
        return self._store.move(
            connection,
            batch_id,
            sources=[BatchState.HELD],
            to=BatchState.PLANNED,
            why=why,
            run_id=run_id,
            owner=None,
        )

    @repeatable
    def left_behind(self, run_id: str) -> list[str]:
        """SUBMITTING batches of runs that are gone become HELD; their ids."""
        why = "the run stopped during the upload, so it is not known whether the provider took it"
        with self._store.writing() as connection:
            rows = connection.execute(
                select(batches.c.batch_id).where(
                    batches.c.state == BatchState.SUBMITTING, self._unowned(connection)
                )
            ).all()
            for row in rows:
                connection.execute(
                    update(attempts)
                    .where(attempts.c.batch_id == row.batch_id, attempts.c.outcome.is_(None))
                    .values(outcome=Outcome.UNKNOWN, words="the run stopped during the upload")
                )
                self._store.move(
                    connection,
                    row.batch_id,
                    sources=[BatchState.SUBMITTING],
                    to=BatchState.HELD,
                    why=why,
                    run_id=run_id,
                )
            return [row.batch_id for row in rows]

    def _unowned(self, connection: Connection) -> ColumnElement[bool]:
        return or_(batches.c.owner.is_(None), ~self._of_the_living(connection))

    def _of_the_living(self, connection: Connection) -> ColumnElement[bool]:
        return exists().where(
            runs.c.run_id == batches.c.owner,
            runs.c.ended_at.is_(None),
            runs.c.lease_until > self._store.now(connection),
        )
