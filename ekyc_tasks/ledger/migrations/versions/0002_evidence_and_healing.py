"""Evidence of unknown outcomes, and refusals that are healed once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("repacked", sa.Integer(), nullable=False, server_default="0"))
        files.add_column(sa.Column("size_limit", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("batches") as batches:
        batches.add_column(sa.Column("repacked", sa.Integer(), nullable=False, server_default="0"))
        batches.add_column(sa.Column("unknowns", sa.Integer(), nullable=False, server_default="0"))
        batches.add_column(sa.Column("unknown_since", sa.DateTime(), nullable=True))
    with op.batch_alter_table("attempts") as attempts:
        attempts.add_column(sa.Column("used_before", sa.String(length=50), nullable=True))
        attempts.add_column(sa.Column("used_after", sa.String(length=50), nullable=True))
        attempts.add_column(sa.Column("looked_at", sa.DateTime(), nullable=True))
