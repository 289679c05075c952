"""First tables: places, people, pictures, the message graph, settings, jobs, deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Column, ForeignKey = sa.Column, sa.ForeignKey


def upgrade() -> None:
    _create_who_and_where()
    _create_messages()
    _create_settings()
    _create_jobs()


def downgrade() -> None:
    for table in ("delivery", "job", "setting", "pointer", "message_picture", "message", "picture", "person", "place"):
        op.drop_table(table)


def _create_who_and_where() -> None:
    op.create_table(
        "place",
        Column("key", sa.String(), primary_key=True),
        Column("platform", sa.String(), nullable=False),
        Column("channel", sa.String(), nullable=False),
        Column("thread", sa.String()),
        Column("server", sa.String()),
        Column("private", sa.Boolean(), nullable=False),
    )
    op.create_table("person", Column("key", sa.String(), primary_key=True), Column("name", sa.String(), nullable=False))
    op.create_table(
        "picture",
        Column("sha256", sa.String(), primary_key=True),
        Column("media_type", sa.String(), nullable=False),
        Column("width", sa.Integer(), nullable=False),
        Column("height", sa.Integer(), nullable=False),
        Column("size", sa.Integer(), nullable=False),
        Column("at", sa.Double(), nullable=False),
    )


def _create_messages() -> None:
    op.create_table(
        "message",
        Column("id", ID, primary_key=True),
        Column("place", sa.String(), ForeignKey("place.key"), nullable=False),
        Column("platform_id", sa.String()),
        Column("parent", ID, ForeignKey("message.id", ondelete="SET NULL"), index=True),
        Column("conversation", sa.String(), nullable=False),
        Column("person", sa.String(), ForeignKey("person.key"), nullable=False, index=True),
        Column("role", sa.String(), nullable=False),
        Column("text", sa.String(), nullable=False),
        Column("finish", sa.String()),
        Column("footer", sa.String(), nullable=False),
        Column("spoiler", sa.Boolean(), nullable=False),
        Column("at", sa.Double(), nullable=False),
        sa.UniqueConstraint("place", "platform_id"),
        sa.Index(None, "place", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "message_picture",
        Column("message", ID, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        Column("position", sa.Integer(), primary_key=True),
        Column("sha256", sa.String(), ForeignKey("picture.sha256"), nullable=False, index=True),
    )
    op.create_table(
        "pointer",
        Column("place", sa.String(), ForeignKey("place.key"), primary_key=True),
        Column("person", sa.String(), primary_key=True),
        Column("message", ID, ForeignKey("message.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("at", sa.Double(), nullable=False),
    )


def _create_settings() -> None:
    op.create_table(
        "setting",
        Column("scope", sa.String(), primary_key=True),
        Column("key", sa.String(), primary_key=True),
        Column("name", sa.String(), primary_key=True),
        Column("value", sa.JSON(), nullable=False),
        Column("set_by", sa.String(), nullable=False),
        Column("at", sa.Double(), nullable=False),
    )


def _create_jobs() -> None:
    op.create_table(
        "job",
        Column("id", ID, primary_key=True),
        Column("answer", ID, ForeignKey("message.id", ondelete="CASCADE"), nullable=False, unique=True),
        Column("question", ID, ForeignKey("message.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("platform", sa.String(), nullable=False),
        Column("place", sa.String(), ForeignKey("place.key"), nullable=False),
        Column("channel", sa.String(), nullable=False),
        Column("person", sa.String(), nullable=False),
        Column("state", sa.String(), nullable=False),
        Column("cost", sa.Integer(), nullable=False),
        Column("beams", sa.Integer(), nullable=False),
        Column("knobs", sa.JSON(), nullable=False),
        Column("losses", sa.Integer(), nullable=False),
        Column("owner", sa.String()),
        Column("heartbeat", sa.Double()),
        Column("cancelled", sa.Boolean(), nullable=False),
        Column("at", sa.Double(), nullable=False),
        Column("started", sa.Double()),
        sa.Index(None, "state", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery",
        Column("id", ID, primary_key=True),
        Column("message", ID, ForeignKey("message.id", ondelete="CASCADE")),
        Column("part", sa.Integer(), nullable=False),
        Column("place", sa.String(), ForeignKey("place.key"), nullable=False),
        Column("nonce", sa.String(), nullable=False),
        Column("platform_id", sa.String()),
        Column("repeats", sa.Integer(), nullable=False),
        Column("at", sa.Double(), nullable=False),
        sa.UniqueConstraint("message", "part"),
        sa.UniqueConstraint("place", "platform_id"),
    )
