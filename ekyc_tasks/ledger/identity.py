"""Which ledger this is: its id, the place where it was used last, and what persons said about it.

An id is made once, with the ledger, and its folders carry it too. A place distinguishes copies of a ledger;
`ekyc_tasks.installation` decides what a difference means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select, text

from ekyc_tasks.ledger.engines import file_of, is_server
from ekyc_tasks.ledger.metadata import read_fact, write_fact
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import answers, attempts, batches, files

_ID, _PLACE = "ledger_id", "place"
UNSETTLED = "unsettled"  # the fact that an answer was begun, and not said to its end


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be told of a database before anything in it is changed, of whatever version it is."""

    is_there: bool = False
    ledger_id: str | None = None
    is_empty: bool = True


@dataclass(frozen=True, slots=True)
class PersonsAnswer:
    """What a person said about the ledger itself, when asked what."""

    at: datetime
    who: str
    question: str
    answer: str


class Identity:
    """Owns the facts `ledger_id` and `place`, and the table of answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ledger_id(self) -> str | None:
        with self._store.reading() as connection:
            return read_fact(connection, _ID)

    def place(self) -> dict[str, Any] | None:
        """Where the ledger was used last with a person's consent, as `settle` was told."""
        with self._store.reading() as connection:
            value = read_fact(connection, _PLACE)
        return None if value is None else json.loads(value)

    def file(self) -> Path | None:
        """The file of a SQLite ledger; None on a server."""
        return file_of(self._store.engine)

    def database(self) -> str | None:
        """What tells this database from a copy of it; None for a file, whose inode does.

        The system identifier is a server's own and survives its restarts; a database that was dumped and
        restored has another OID.
        """
        if not is_server(self._store.engine):
            return None
        query = text(
            "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid "
            "FROM pg_database WHERE datname = current_database()"
        )
        with self._store.reading() as connection:
            told: str = connection.execute(query).scalar_one()
            return told

    def settle(
        self,
        ledger_id: str,
        place: Mapping[str, Any],
        *,
        who: str = "",
        question: str = "",
        answer: str = "",
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """From now on the ledger has this id and this place; a person's ``answer`` goes with it."""
        with self._store.writing() as connection:
            self.settle_in(connection, ledger_id, place)
            for name, value in (facts or {}).items():
                write_fact(connection, name, value)
            if question:
                self.note_answer(connection, who=who, question=question, answer=answer)

    def adopt(self, wanted: str, place: Mapping[str, Any]) -> str:
        """The ledger's id: ``wanted``, unless somebody was faster."""
        with self._store.writing() as connection:
            if (there := read_fact(connection, _ID)) is not None:
                return there
            self.settle_in(connection, wanted, place)
            return wanted

    def settle_in(self, connection: Connection, ledger_id: str, place: Mapping[str, Any]) -> None:
        """`settle` as a part of another transaction."""
        write_fact(connection, _ID, ledger_id)
        write_fact(connection, _PLACE, json.dumps(place))
        write_fact(connection, UNSETTLED, "")

    def note_answer(self, connection: Connection, *, who: str, question: str, answer: str) -> None:
        connection.execute(
            answers.insert().values(at=self._store.now(connection), who=who, question=question, answer=answer)
        )

    def answered(self, who: str, question: str, answer: str, **facts: str) -> None:
        """A person's answer, and what the ledger knows by it, in one transaction."""
        with self._store.writing() as connection:
            for name, value in facts.items():
                write_fact(connection, name, value)
            self.note_answer(connection, who=who, question=question, answer=answer)

    def answers(self) -> list[PersonsAnswer]:
        query = select(answers.c.at, answers.c.who, answers.c.question, answers.c.answer)
        with self._store.reading() as connection:
            return [PersonsAnswer(*row) for row in connection.execute(query.order_by(answers.c.answer_id))]

    def fact(self, name: str) -> str | None:
        with self._store.reading() as connection:
            return read_fact(connection, name)

    def note(self, **facts: str) -> None:
        with self._store.writing() as connection:
            for name, value in facts.items():
                write_fact(connection, name, value)


def glance(connection: Connection) -> Glance:
    """Reads only, and only what every version of a ledger has."""
    if not inspect(connection).has_table("facts"):
        return Glance()
    counts = (
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (files, batches, attempts)
    )
    return Glance(
        is_there=True,
        ledger_id=read_fact(connection, _ID),
        is_empty=not any(counts),
    )
