"""Questions that nobody can see where they were asked: commands of Discord and pressed buttons."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_unseen"
down_revision = "0006_tickets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("unseen", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("message", "unseen")
