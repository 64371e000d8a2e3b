"""What the provider's account showed last, and what it spent that this ledger did not buy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from ekyc_tasks.ledger.account_memory import (
    AccountReading,
    Moment,
    Purchase,
    Unexplained,
    believed,
    remembered,
    unexplained,
    used_before,
)
from ekyc_tasks.ledger.identity import Identity
from ekyc_tasks.ledger.metadata import read_fact, write_fact
from ekyc_tasks.ledger.spending import MAY_BE_CHARGED
from ekyc_tasks.ledger.store import Store, repeatable
from ekyc_tasks.ledger.tables import attempts, batches, events
from ekyc_tasks.models import Account, BatchState

_SEEN, _PENDING = "account_seen", "account_pending"
ACCOUNT = "account"  # the fact that says whose the account is: see `models.Account`
_NONE = ""  # a person's word has taken its place
_OURS = (BatchState.FETCHED, BatchState.LOADED)


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for a person, and the look at the account that showed it."""

    unexplained: Unexplained
    look: AccountReading

    @property
    def question(self) -> str:
        """The name that the answer is kept under."""
        return "account" if self.unexplained.since is None else "spending"


@dataclass(frozen=True, slots=True)
class Compared:
    """``pending`` waits for a person; ``told`` is only shown, once, because others share the account."""

    pending: Pending | None = None
    told: Unexplained | None = None


class Accounts:
    """Owns the facts `account_seen` and `account_pending`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def moment(self) -> Moment:
        """To be asked for before the account is."""
        with self._store.reading() as connection:
            newest = connection.execute(select(func.max(events.c.event_id))).scalar_one()
            return Moment(self._store.now(connection), newest or 0)

    def pending(self) -> Pending | None:
        with self._store.reading() as connection:
            return _pending(connection)

    @repeatable
    def compared(self, look: AccountReading) -> Compared:
        """Compare it with the one before, and remember it, or what is not explained.

        What is pending stays as it is, and a look that is older than the remembered one counts for nothing:
        somebody else has compared more since.
        """
        with self._store.writing() as connection:
            if (pending := _pending(connection)) is not None:
                return Compared(pending)
            seen = _seen(connection)
            if seen is not None and look.is_before(seen):
                return Compared()
            purchases = [] if seen is None else _purchases(connection, since=seen)
            found = _first(connection, look) if seen is None else unexplained(seen, look, purchases)
            if found is None:
                _write(connection, _SEEN, _as_json(remembered(seen, look, purchases)))
                return Compared()
            look = remembered(seen, look, [])
            if read_fact(connection, ACCOUNT) == Account.SHARED:
                _write(connection, _SEEN, _as_json(look))
                return Compared(told=found)
            pending = Pending(found, look)
            _write(connection, _PENDING, _as_json(found) | {"look": _as_json(look)})
            return Compared(pending)

    def accept(self, who: str, answer: str, **facts: str) -> str | None:
        """A person's answer to what is pending: from then on it is explained, and the ledger knows ``facts``.

        The name of the question; None where nothing is pending, and then nothing is written.
        """
        with self._store.writing() as connection:
            if (pending := _pending(connection)) is None:
                return None
            for name, value in (_rest(pending) | facts).items():
                write_fact(connection, name, value)
            Identity(self._store).note_answer(connection, who=who, question=pending.question, answer=answer)
            return pending.question

    def answered_facts(self) -> dict[str, str]:
        """The facts that settle all spending until now, because a person said that the ledger is older."""
        return _rest(self.pending())


def _rest(pending: Pending | None) -> dict[str, str]:
    """With nothing pending, the next look is taken as it is."""
    return {_SEEN: _NONE if pending is None else json.dumps(_as_json(pending.look)), _PENDING: _NONE}


def _first(connection: Connection, look: AccountReading) -> Unexplained | None:
    """A ledger of the version before may have bought: then the account's earlier balance is not known."""
    is_new = read_fact(connection, _SEEN) is None and read_fact(connection, ACCOUNT) in {None, Account.NEW}
    bought = select(func.count()).select_from(attempts).where(MAY_BE_CHARGED)
    if not is_new or connection.execute(bought).scalar_one():
        return None
    return used_before(look)


def _purchases(connection: Connection, *, since: AccountReading) -> list[Purchase]:
    """All that may be charged after ``since``, and more: see `Purchase.is_settled`."""
    touched = select(events.c.batch_id).where(events.c.event_id > since.event)
    may_move = or_(batches.c.state.not_in(_OURS), batches.c.batch_id.in_(touched))
    fetched_event = func.min(case((events.c.to_state.in_(_OURS), events.c.event_id)))
    query = (
        select(
            attempts.c.started_at,
            batches.c.numbers,
            attempts.c.price,
            batches.c.actual_amount,
            batches.c.state,
            fetched_event.label("fetched_event"),
            func.max(events.c.at).label("last_event_at"),
        )
        .join(batches, batches.c.batch_id == attempts.c.batch_id)
        .join(events, events.c.batch_id == batches.c.batch_id)
        .where(MAY_BE_CHARGED, may_move)
        .group_by(attempts.c.attempt_id, batches.c.batch_id)
    )
    return [
        Purchase(
            row.started_at,
            row.numbers,
            row.price,
            None if row.actual_amount is None else believed(Decimal(row.actual_amount)),
            row.state == BatchState.SUBMITTED,
            row.fetched_event,
            row.last_event_at,
        )
        for row in connection.execute(query)
    ]


def _seen(connection: Connection) -> AccountReading | None:
    content = _read(connection, _SEEN)
    return None if content is None else _look(content)


def _pending(connection: Connection) -> Pending | None:
    content = _read(connection, _PENDING)
    if content is None:
        return None
    since = content["since"]
    found = Unexplained(
        Decimal(content["amount"]),
        None if since is None else datetime.fromisoformat(since),
        content["is_exact"],
    )
    return Pending(found, _look(content["look"]))


def _look(content: dict[str, Any]) -> AccountReading:
    used = content["used_today"]
    return AccountReading(
        datetime.fromisoformat(content["at"]),
        content["event"],
        Decimal(content["balance"]),
        None if used is None else Decimal(used),
        content["used_is_money"],
    )


def _as_json(value: AccountReading | Unexplained) -> dict[str, Any]:
    return {name: _plain(each) for name, each in asdict(value).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _read(connection: Connection, name: str) -> dict[str, Any] | None:
    value = read_fact(connection, name)
    content: dict[str, Any] | None = json.loads(value) if value else None
    return content


def _write(connection: Connection, name: str, content: dict[str, Any]) -> None:
    write_fact(connection, name, json.dumps(content))
