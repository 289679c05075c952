"""The pictures of the last minutes in channels, as references, so that a restart forgets none that somebody may point at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_recent_pictures"
down_revision = "0009_quoted"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recent_picture",
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("place", sa.String(), primary_key=True),
        sa.Column("message_id", sa.String(), primary_key=True),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_recent_picture_at", "recent_picture", ["at"])


def downgrade() -> None:
    op.drop_table("recent_picture")
