"""When each bot on the database last said that it lives, for what it leaves besides its jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_bots"
down_revision = "0012_film_frames"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bot",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("heartbeat", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("bot")
