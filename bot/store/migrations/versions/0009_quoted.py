"""Whose words a question quotes, so that they go when that person wants them forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_quoted"
down_revision = "0008_seen"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("quoted", sa.String(), nullable=True))
    op.create_index("ix_message_quoted", "message", ["quoted"])


def downgrade() -> None:
    op.drop_index("ix_message_quoted", "message")
    op.drop_column("message", "quoted")
