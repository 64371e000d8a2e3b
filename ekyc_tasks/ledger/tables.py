"""The ledger's tables. Portable SQL: SQLite and PostgreSQL read the same definitions."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
)

from ekyc_tasks.models import LineCounts

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, a plain UTC timestamp in every database (SQLite keeps no zone)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0)


facts = Table(  # what the ledger belongs to and what was learnt: provider host, user id
    "facts",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

files = Table(
    "files",
    metadata,
    Column("file_id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    # With these the same arrival is recognised when a run died before it could remove the landed file.
    Column("path", Text, nullable=False),
    Column("identity", String(100), nullable=False),
    Column("task_type", String(50), nullable=False),
    Column("planned_at", UtcDateTime, nullable=False),
    Column("run_id", String(40), ForeignKey("runs.run_id"), nullable=False),
    Column("replan", Integer, nullable=False, default=0),  # 1: some of its numbers wait to be planned again
    Column("repacked", Integer, nullable=False, default=0),  # 1: a refusal was healed for it; once
    Column("size_limit", BigInteger),  # most numbers in a batch of it, after the provider found one too large
    Column("reading", Text),  # how it was read, for when it is planned again; none before version 0005
    *(_count(field.name) for field in fields(LineCounts)),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", String(40), primary_key=True),
    Column("task_type", String(50), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("numbers", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),  # of the batch file: what we mean to send
    Column("planned_at", UtcDateTime, nullable=False),
    Column("run_id", String(40), ForeignKey("runs.run_id"), nullable=False),
    Column("owner", String(40), ForeignKey("runs.run_id")),
    Column("not_before", UtcDateTime),  # the provider asked us to wait until then
    Column("server_errors", Integer, nullable=False, default=0),
    Column("task_id", String(200)),
    Column("submitted_at", UtcDateTime),
    Column("provider_status", String(50)),
    Column("provider_total", BigInteger),
    Column("provider_success", BigInteger),
    Column("actual_amount", String(50)),
    Column("polls", Integer, nullable=False, default=0),
    Column(
        "repacked", Integer, nullable=False, default=0
    ),  # 1: a refusal is final; it was planned again before
    Column("dropped", Integer, nullable=False, default=0),  # 1: abandoned, and its numbers with it
    Column("doubt", String(20)),  # why a person must decide about it: see `models.Doubt`
    Column("unknowns", Integer, nullable=False, default=0),  # in a row: the provider did not know the task
    Column("unknown_since", UtcDateTime),
    Column("exported_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    Column("archive_sha256", String(64)),
    Column("archive_size", BigInteger),
    Column("loaded_at", UtcDateTime),
    *(
        Column(name, BigInteger)
        for name in (
            "returned",
            "accepted",
            "unreadable",
            "unexpected",
            "duplicate",
            "missing",
            "cell_issues",
        )
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", String(40), primary_key=True),
    Column("batch_id", String(40), ForeignKey("batches.batch_id"), nullable=False, index=True),
    Column("run_id", String(40), ForeignKey("runs.run_id"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("deadline", UtcDateTime, nullable=False),
    Column("price", Numeric(18, 6)),
    Column("balance_before", String(50)),
    Column("used_before", String(50)),  # what the account had used that day, if the provider says so
    Column("balance_after", String(50)),
    Column("used_after", String(50)),
    Column("looked_at", UtcDateTime),  # when the balance afterwards was asked for
    Column("ended_at", UtcDateTime),
    Column("outcome", String(20)),
    Column("http_status", Integer),
    Column("minimum", BigInteger),  # fewest numbers in a batch, as a refusal named it
    Column("words", Text),
    Column("task_id", String(200)),
)

file_batches = Table(
    "file_batches",
    metadata,
    Column("file_id", String(40), ForeignKey("files.file_id"), primary_key=True),
    Column("batch_id", String(40), ForeignKey("batches.batch_id"), primary_key=True),
    Column("fate", String(20), primary_key=True),  # batched, or in_flight in another file's batch
    _count("numbers"),
)

events = Table(
    "events",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("batch_id", String(40), ForeignKey("batches.batch_id"), nullable=False, index=True),
    Column("from_state", String(20)),
    Column("to_state", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("run_id", String(40)),
)

Index("ix_file_batches_batch_id", file_batches.c.batch_id)

answers = Table(  # a person's answers to questions about the ledger itself
    "answers",
    metadata,
    Column("answer_id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(255), nullable=False),
    Column("question", String(50), nullable=False),
    Column("answer", Text, nullable=False),
)
