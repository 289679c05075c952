"""How a question's picture is to be looked at, the parts of it that were, and the steps that an answer took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_closer_looks"
down_revision = "0013_bots"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("look", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("message", sa.Column("trace", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("message_picture", sa.Column("part_of", sa.String(), nullable=True))
    op.add_column("message_picture", sa.Column("region", sa.String(), nullable=True))
    op.create_index("ix_message_picture_part_of", "message_picture", ["part_of"])


def downgrade() -> None:
    op.drop_index("ix_message_picture_part_of", "message_picture")
    op.drop_column("message_picture", "region")
    op.drop_column("message_picture", "part_of")
    op.drop_column("message", "trace")
    op.drop_column("message", "look")
