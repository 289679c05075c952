"""Updates that are confirmed and not dealt with yet, or could not be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_updates"
down_revision = "0004_titles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_update",
        sa.Column("platform", sa.String(), primary_key=True),
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("raw", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_index("ix_kept_update_at", "kept_update", ["at"])


def downgrade() -> None:
    op.drop_table("kept_update")
