"""Alembic's entry; the connection comes from `ledger.migrate`, which holds the lock."""

from alembic import context

from ekyc_tasks.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
context.run_migrations()
