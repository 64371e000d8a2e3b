"""What the ledger belongs to: one provider host and, once seen, one account there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, func, select, update

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger.store import Store
from ekyc_tasks.ledger.tables import attempts, facts, runs
from ekyc_tasks.models import Outcome

_LEFT = "left_in_landing"


class Metadata:
    """Facts of the whole ledger, a name and a value each: the provider's host, the account, the files left.

    Owns no transition. Host and account are bound once, and another one is refused from then on.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def belongs_to_host(self, host: str) -> None:
        """Bind the ledger to a provider; another one later is refused, for task ids mean nothing there."""
        self._bind("provider_host", host, lambda bound: wrong_host(bound, host))

    def belongs_to_other_host(self, host: str) -> None:
        """Bind it to another host, while no upload can have reached the provider that it belongs to."""
        with self._store.writing() as connection:
            bound = read_fact(connection, "provider_host")
            if bound is not None and bound != host and not self._took_nothing(connection):
                raise ConfigurationError(wrong_host(bound, host))
            write_fact(connection, "provider_host", host)

    def _took_nothing(self, connection: Connection) -> bool:
        """Whether no upload can have reached a provider that knows us, and no run may be sending one."""
        is_harmless = attempts.c.outcome.in_((Outcome.NOT_SENT, Outcome.ACCESS_DENIED))
        sent = attempts.c.outcome.is_(None) | ~is_harmless
        is_alive = runs.c.ended_at.is_(None) & (runs.c.lease_until > self._store.now(connection))
        counts = (select(func.count()).where(each) for each in (sent, is_alive))
        return not any(connection.execute(count).scalar_one() for count in counts)

    def bound_host(self) -> str | None:
        with self._store.reading() as connection:
            return read_fact(connection, "provider_host")

    def belongs_to_user(self, user_id: str) -> None:
        self._bind(
            "user_id",
            user_id,
            lambda bound: (
                "The API key belongs to another account than this ledger. Use a key of the first "
                "account, or use a separate data folder (EKYC_DATA_DIR) for the other account."
            ),
        )

    def left_in_landing(self, sentences: Sequence[str]) -> None:
        """Why the last planning left files where they are; `why_left_in_landing` returns these sentences."""
        value = json.dumps(list(sentences))
        with self._store.writing() as connection:
            write_fact(connection, _LEFT, value)

    def why_left_in_landing(self) -> list[str]:
        with self._store.reading() as connection:
            value = read_fact(connection, _LEFT)
        sentences: list[str] = json.loads(value or "[]")
        return sentences

    def _bind(self, name: str, value: str, refusal: Callable[[str], str]) -> None:
        with self._store.writing() as connection:
            bound = read_fact(connection, name)
            if bound == value:
                return
            if bound is not None:
                raise ConfigurationError(refusal(bound))
            write_fact(connection, name, value)


def wrong_host(bound: str, host: str) -> str:
    return (
        f"This ledger belongs to {bound}, not to {host}. Correct EKYC_BASE_URL, or use a separate data "
        "folder for the other provider (set EKYC_DATA_DIR, then run `ekyc init`)."
    )


def read_fact(connection: Connection, name: str) -> str | None:
    return connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def write_fact(connection: Connection, name: str, value: str) -> None:
    known = connection.execute(update(facts).where(facts.c.name == name).values(value=value))
    if not known.rowcount:
        connection.execute(facts.insert().values(name=name, value=value))
