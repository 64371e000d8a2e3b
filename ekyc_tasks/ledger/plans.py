"""What planning writes: landed files with the fates of their lines, new batches, and who is in what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.ledger.metadata import read_fact, write_fact
from ekyc_tasks.ledger.records import Batch, LandedFile, Link, NewBatch, read
from ekyc_tasks.ledger.store import Store, repeatable
from ekyc_tasks.ledger.tables import batches, events, file_batches, files
from ekyc_tasks.models import BatchState, Disposition, Doubt, states_where

_BLOCKING = states_where(lambda state: state.blocks)
_TURN = "planning"  # the run that plans, or planned last


class Plans:
    """Batches come to be here, and what never left this machine is taken apart here.

    Owns: new → PLANNED (`planned`), → FETCHED (`imported`, `found` with its archive), → HELD (`found`
    without); PLANNED → ABANDONED (`released`), REFUSED → ABANDONED (`healed`). `import_withdrawn` removes a
    batch, the one that nothing was ever uploaded for. All of them need the turn of planning.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def turn(self, run_id: str) -> Iterator[None]:
        """Planning is exclusive, on all hosts. A run that begins takes the turn away from all earlier runs,
        which may have lost the lock without noticing: what they planned is refused with `LeaseLost`."""
        with self._store.alone("ekyc planning"):
            with self._store.writing() as connection:
                write_fact(connection, _TURN, run_id)
            yield

    def _require_turn(self, connection: Connection, run_id: str) -> None:
        if read_fact(connection, _TURN) not in {None, run_id}:
            raise LeaseLost(
                "Another run began to plan meanwhile. This plan is not used; the next run plans again."
            )

    @repeatable
    def planned(
        self,
        *,
        landed: Sequence[LandedFile],
        new_batches: Sequence[NewBatch],
        links: Sequence[Link],
        task_type: str,
        run_id: str,
    ) -> None:
        """One transaction: a file is in the ledger with all its batches, or not at all."""
        healed_files = {file.file_id for file in landed if file.repacked}
        repacked = {link.batch_id for link in links if link.file_id in healed_files}
        with self._store.writing() as connection:
            if self._was_done(connection, new_batches, run_id):
                return
            self._require_turn(connection, run_id)
            now = self._store.now(connection)
            for batch in new_batches:
                self._store.create(
                    connection,
                    batch,
                    task_type=task_type,
                    to=BatchState.PLANNED,
                    why="batch planned",
                    run_id=run_id,
                    planned_at=now,
                    repacked=int(batch.batch_id in repacked),
                )
            for file in landed:
                known = connection.execute(
                    update(files).where(files.c.file_id == file.file_id).values(**file.as_row())
                )
                if not known.rowcount:
                    connection.execute(files.insert().values(**file.as_row()))
                connection.execute(file_batches.delete().where(file_batches.c.file_id == file.file_id))
            for link in links:
                connection.execute(file_batches.insert().values(**asdict(link)))
            self._plan_again_what_was_let_go_meanwhile(connection, [file.file_id for file in landed])

    def _plan_again_what_was_let_go_meanwhile(self, connection: Connection, file_ids: list[str]) -> None:
        """A person may abandon a batch while a plan that still counts on it is being made."""
        let_go = (
            select(file_batches.c.file_id)
            .join(batches)
            .where(batches.c.state == BatchState.ABANDONED, batches.c.dropped == 0)
        )
        connection.execute(
            update(files).where(files.c.file_id.in_(file_ids), files.c.file_id.in_(let_go)).values(replan=1)
        )

    def _was_done(self, connection: Connection, new_batches: Sequence[NewBatch], run_id: str) -> bool:
        """By this very call, before its connection broke? What has no new batches is just written again."""
        ids = [new.batch_id for new in new_batches]
        first = select(batches.c.batch_id).where(batches.c.batch_id.in_(ids), batches.c.run_id == run_id)
        return connection.execute(first.limit(1)).one_or_none() is not None

    def imported(
        self,
        batch: NewBatch,
        *,
        task_type: str,
        task_id: str | None,
        archive_sha256: str,
        archive_size: int,
        checked_at: datetime,
        run_id: str,
    ) -> None:
        """A batch that was bought before this ledger was there, and whose archive is kept now: FETCHED.

        Its numbers count as bought when they were checked.
        """
        with self._store.writing() as connection:
            self._require_turn(connection, run_id)
            self._store.create(
                connection,
                batch,
                task_type=task_type,
                to=BatchState.FETCHED,
                why=f"archive of {archive_size:,} bytes imported",
                run_id=run_id,
                task_id=task_id,
                submitted_at=checked_at,
                exported_at=checked_at,
                checked_at=checked_at,
                archive_sha256=archive_sha256,
                archive_size=archive_size,
            )

    def import_withdrawn(self, batch_id: str, *, run_id: str) -> None:
        """As if it had never been imported: nothing was uploaded for it, so nothing paid is forgotten.

        Files that counted on it are planned again. The run has to own it, and the turn of planning.
        """
        with self._store.writing() as connection:
            self._require_turn(connection, run_id)
            self._store.state(connection, batch_id, owned_by=run_id)
            linked = select(file_batches.c.file_id).where(file_batches.c.batch_id == batch_id)
            connection.execute(update(files).where(files.c.file_id.in_(linked)).values(replan=1))
            for table in (file_batches, events, batches):
                connection.execute(table.delete().where(table.c.batch_id == batch_id))

    def batch_of_archive(self, sha256: str) -> Batch | None:
        """The batch that keeps exactly these bytes, wherever they came from."""
        query = select(batches).where(batches.c.archive_sha256 == sha256).order_by(batches.c.batch_id)
        with self._store.reading() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
            return None if row is None else read(Batch, row)

    def planned_before(self, path: str, identity: str) -> bool:
        """Was this very arrival planned by a run that died before it could remove the file?"""
        with self._store.reading() as connection:
            query = select(files.c.file_id).where(files.c.path == path, files.c.identity == identity)
            return connection.execute(query.limit(1)).one_or_none() is not None

    def to_plan_again(self, task_type: str) -> list[LandedFile]:
        with self._store.reading() as connection:
            rows = connection.execute(
                select(files)
                .where(files.c.replan == 1, files.c.task_type == task_type)
                .order_by(files.c.planned_at, files.c.file_id)
            )
            return [LandedFile.of(row) for row in rows]

    def asked(self, task_type: str, *, since: datetime | None) -> list[Batch]:
        """Batches whose numbers must not be bought again: blocking ones, then those bought since then,
        the newest of them first. What is the original's affair in a copy counts as bought when planned."""
        blocks: ColumnElement[bool] = batches.c.state.in_(_BLOCKING)
        if since is not None:
            fresh = and_(batches.c.state == BatchState.LOADED, batches.c.submitted_at >= since)
            originals = and_(batches.c.doubt == Doubt.COPY, batches.c.planned_at >= since)
            blocks = or_(blocks, fresh, originals)
        with self._store.reading() as connection:
            rows = connection.execute(
                select(batches)
                .where(batches.c.task_type == task_type, blocks)
                .order_by(
                    batches.c.state == BatchState.LOADED, batches.c.submitted_at.desc(), batches.c.batch_id
                )
            )
            return [read(Batch, row) for row in rows]

    def answered_for(self, file_id: str) -> list[Batch]:
        """Loaded or dropped batches with numbers of this file, its own or another's, however old."""
        linked = select(file_batches.c.batch_id).where(file_batches.c.file_id == file_id)
        with self._store.reading() as connection:
            rows = connection.execute(
                select(batches)
                .where(batches.c.batch_id.in_(linked))
                .where(or_(batches.c.state == BatchState.LOADED, batches.c.dropped == 1))
                .order_by(batches.c.batch_id)
            )
            return [read(Batch, row) for row in rows]

    def own_batches(self, file_ids: Collection[str]) -> dict[str, list[Batch]]:
        """The batches that carry numbers of these files already; of abandoned ones only the dropped."""
        with self._store.reading() as connection:
            rows = connection.execute(
                select(file_batches.c.file_id, batches)
                .join(batches)
                .where(
                    file_batches.c.file_id.in_(file_ids),
                    file_batches.c.fate == Disposition.BATCHED,
                    or_(batches.c.state != BatchState.ABANDONED, batches.c.dropped == 1),
                )
                .order_by(batches.c.batch_id)
            )
            found: dict[str, list[Batch]] = {}
            for row in rows:
                found.setdefault(row.file_id, []).append(read(Batch, row))
            return found

    def released(self, batch_ids: Collection[str], *, why: str, run_id: str) -> None:
        """PLANNED batches are taken apart: the files they carry are planned again from their inputs."""
        with self._store.writing() as connection:
            self._require_turn(connection, run_id)
            moved = [
                batch_id
                for batch_id in batch_ids
                if self._store.move(
                    connection,
                    batch_id,
                    sources=[BatchState.PLANNED],
                    to=BatchState.ABANDONED,
                    why=why,
                    run_id=run_id,
                    owned_by=run_id,
                )
            ]
            carried = select(file_batches.c.file_id).where(file_batches.c.batch_id.in_(moved))
            connection.execute(update(files).where(files.c.file_id.in_(carried)).values(replan=1))

    def healed(self, batch_id: str, *, why: str, size_limit: int | None, run_id: str) -> bool:
        """A REFUSED batch is taken apart, and all files that have numbers in it are planned again: in
        batches of at most ``size_limit``, whose refusal is final. False when it was decided meanwhile."""
        with self._store.writing() as connection:
            self._require_turn(connection, run_id)
            moved = self._store.move(
                connection,
                batch_id,
                sources=[BatchState.REFUSED],
                to=BatchState.ABANDONED,
                why=why,
                run_id=run_id,
            )
            if moved:
                linked = select(file_batches.c.file_id).where(file_batches.c.batch_id == batch_id)
                values = {"replan": 1, "repacked": 1}
                if size_limit is not None:
                    values["size_limit"] = size_limit
                connection.execute(update(files).where(files.c.file_id.in_(linked)).values(**values))
            return moved

    def batch_ids(self) -> set[str]:
        with self._store.reading() as connection:
            return set(connection.execute(select(batches.c.batch_id)).scalars())

    def input_digests(self) -> set[str]:
        """SHA-256 of every landed file, as `inputs/` has them."""
        with self._store.reading() as connection:
            return set(connection.execute(select(files.c.sha256).distinct()).scalars())

    def found(
        self,
        batch: NewBatch,
        *,
        task_type: str,
        why: str,
        run_id: str,
        archive: tuple[str, int, datetime] | None = None,
    ) -> None:
        """A batch whose files were there and which the ledger did not know: FETCHED with its ``archive``
        (SHA-256, bytes, time), else HELD, because it is not known whether it was sent."""
        state = BatchState.HELD
        values: dict[str, Any] = {"doubt": Doubt.FOUND}
        if archive is not None:
            digest, size, at = archive
            state = BatchState.FETCHED
            values = {"archive_sha256": digest, "archive_size": size}
            values |= dict.fromkeys(("submitted_at", "exported_at", "checked_at"), at)
        with self._store.writing() as connection:
            self._require_turn(connection, run_id)
            self._store.create(
                connection, batch, task_type=task_type, to=state, why=why, run_id=run_id, **values
            )
