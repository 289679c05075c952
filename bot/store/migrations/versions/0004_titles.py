"""Conversations can be given a title."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_titles"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("title", sa.String()))


def downgrade() -> None:
    op.drop_column("message", "title")
