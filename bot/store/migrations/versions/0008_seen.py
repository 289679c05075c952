"""How far each channel was read, for platforms that do not tell again what a bot missed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_seen"
down_revision = "0007_unseen"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seen",
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("place", sa.String(), sa.ForeignKey("place.key"), primary_key=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_index("ix_seen_at", "seen", ["at"])


def downgrade() -> None:
    op.drop_table("seen")
