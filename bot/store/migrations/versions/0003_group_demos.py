"""Group demos: demonstrations, votes, comparisons, and what is hidden from the wall."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Column, ForeignKey = sa.Column, sa.ForeignKey


def upgrade() -> None:
    op.add_column("job", Column("varied", sa.JSON()))
    op.add_column("job", Column("ended", sa.Double()))
    op.create_table(
        "answer_column",
        Column("answer", ID, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        Column("position", sa.Integer(), primary_key=True),
        Column("label", sa.String(), nullable=False),
        Column("text", sa.String(), nullable=False),
    )
    op.create_table(
        "vote",
        Column("answer", ID, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        Column("person", sa.String(), primary_key=True),
        Column("position", sa.Integer(), nullable=False),
        Column("at", sa.Double(), nullable=False),
    )
    op.create_table(
        "demo",
        Column("id", ID, primary_key=True),
        Column("channel", sa.String(), nullable=False, index=True),
        Column("presenter", sa.String(), nullable=False),
        Column("code", sa.String(), nullable=False, unique=True),
        Column("key", sa.String(), nullable=False),
        Column("prompt", sa.String(), nullable=False),
        Column("slow_seconds", sa.Double(), nullable=False),
        Column("language", sa.String(), nullable=False),
        Column("started", sa.Double(), nullable=False),
        Column("ended", sa.Double()),
        sqlite_autoincrement=True,
    )
    op.create_table("hidden", Column("question", ID, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True))


def downgrade() -> None:
    for table in ("hidden", "demo", "vote", "answer_column"):
        op.drop_table(table)
    op.drop_column("job", "ended")
    op.drop_column("job", "varied")
