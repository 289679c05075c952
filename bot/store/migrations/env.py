"""Alembic's entry: runs migrations on the connection that bot/store/migrate.py hands over."""

from alembic import context

from bot.store.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,  # SQLite changes a column by copying the table
)
context.run_migrations()
