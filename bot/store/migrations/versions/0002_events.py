"""Events that are dealt with, so that one that a platform offers again is not carried out again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("place", sa.String(), sa.ForeignKey("place.key"), primary_key=True),
        sa.Column("event", sa.String(), primary_key=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("reply", sa.JSON(none_as_null=True)),
        sa.Column("at", sa.Double(), nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("event")
