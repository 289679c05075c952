"""What a platform gave with a command to answer it by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_tickets"
down_revision = "0005_updates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticket",
        sa.Column("place", sa.String(), sa.ForeignKey("place.key"), primary_key=True),
        sa.Column("event", sa.String(), primary_key=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
    )
    op.create_index("ix_ticket_until", "ticket", ["until"])


def downgrade() -> None:
    op.drop_table("ticket")
