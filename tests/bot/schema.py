"""The tables of a new SQLite database as the migrations leave them. Running those takes 30 ms, and a thousand tests want a database."""

from __future__ import annotations

from sqlalchemy import Connection, inspect

from bot.store.migrate import upgrade

TABLES = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


class Schema:
    """Migrates the first new database, and gives the next ones what came of it. All others are migrated where they are not new enough."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._revision = ""

    def upgrade(self, connection: Connection) -> None:
        is_new = connection.dialect.name == "sqlite" and connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is None
        if is_new and self._statements:
            for statement in self._statements:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (self._revision,))
        elif not self._revision or _revision(connection) != self._revision:
            upgrade(connection)
            self._revision = _revision(connection)
            if is_new:
                self._statements = [sql for (sql,) in connection.exec_driver_sql(TABLES)]


def _revision(connection: Connection) -> str:
    """Of the tables; empty without any."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
