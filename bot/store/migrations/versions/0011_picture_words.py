"""What was read in a picture, kept beside it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_picture_words"
down_revision = "0010_recent_pictures"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("picture", sa.Column("words", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("picture", "words")
