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


class Facts:
    def __init__(self, store: Store) -> None:
        self._store = store

    def belongs_to_host(self, host: str) -> None:
        """Bind the ledger to a provider; another one later is refused, for task ids mean nothing there.

        A host that can have taken nothing, for it was never reached or knows no key, is taken for a mistake.
        """
        self._bind(
            "provider_host",
            host,
            lambda bound: (
                f"This ledger belongs to {bound}, not to {host}: correct EKYC_BASE_URL, "
                "or give the other provider a data folder of its own (EKYC_DATA_DIR)."
            ),
            unless=self._took_nothing,
        )

    def belongs_to_user(self, user_id: str) -> None:
        self._bind(
            "user_id",
            user_id,
            lambda bound: (
                "The API key belongs to another account than this ledger: use a key of the first "
                "account, or give the other one a data folder of its own (EKYC_DATA_DIR)."
            ),
        )

    def left_in_landing(self, sentences: Sequence[str]) -> None:
        """Why the last planning left files where they are: `why_left_in_landing` tells it until the next."""
        value = json.dumps(list(sentences))
        with self._store.writing() as connection:
            write_fact(connection, _LEFT, value)

    def why_left_in_landing(self) -> list[str]:
        with self._store.reading() as connection:
            value = read_fact(connection, _LEFT)
        sentences: list[str] = json.loads(value or "[]")
        return sentences

    def _bind(
        self,
        name: str,
        value: str,
        refusal: Callable[[str], str],
        unless: Callable[[Connection], bool] = lambda _: False,
    ) -> None:
        with self._store.writing() as connection:
            bound = read_fact(connection, name)
            if bound == value:
                return
            if bound is not None and not unless(connection):
                raise ConfigurationError(refusal(bound))
            write_fact(connection, name, value)

    def _took_nothing(self, connection: Connection) -> bool:
        """Whether no upload can have reached a provider that knows us, and no run may be sending one."""
        is_harmless = attempts.c.outcome.in_((Outcome.NOT_SENT, Outcome.ACCESS_DENIED))
        sent = attempts.c.outcome.is_(None) | ~is_harmless
        is_alive = runs.c.ended_at.is_(None) & (runs.c.lease_until > self._store.now(connection))
        counts = (select(func.count()).where(each) for each in (sent, is_alive))
        return not any(connection.execute(count).scalar_one() for count in counts)


def read_fact(connection: Connection, name: str) -> str | None:
    return connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def write_fact(connection: Connection, name: str, value: str) -> None:
    known = connection.execute(update(facts).where(facts.c.name == name).values(value=value))
    if not known.rowcount:
        connection.execute(facts.insert().values(name=name, value=value))
