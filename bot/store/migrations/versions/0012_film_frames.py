"""When a picture is shown, in the film that it is a frame of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_film_frames"
down_revision = "0011_picture_words"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_picture", sa.Column("seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("message_picture", "seconds")
