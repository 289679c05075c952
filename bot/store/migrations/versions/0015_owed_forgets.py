"""What engines are still to forget, and which engines there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_owed_forgets"
down_revision = "0014_closer_looks"
branch_labels = None
depends_on = None

IDS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "engine",
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_table(
        "owed_forget",
        sa.Column("id", IDS, primary_key=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("sha256s", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_owed_forget_owner_engine", "owed_forget", ["owner", "engine"])


def downgrade() -> None:
    op.drop_table("owed_forget")
    op.drop_table("engine")
