"""Every migration keeps what the database held at its revision, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, MetaData, Table, select

from bot.store import migrate
from bot.store.database import connect, is_sqlite
from tests.bot.postgres import Server

Kept = list[tuple[str, Mapping[str, Any]]]


def value(column: Column[Any], mark: int) -> Any:
    """A value of the column's type, another for each mark."""
    if isinstance(column.type, JSON):
        return {"mark": mark}
    if isinstance(column.type, Boolean):
        return bool(mark % 2)
    if isinstance(column.type, Integer):
        return mark
    return mark + 0.5 if isinstance(column.type, Float) else f"{column.name} {mark}"


def fill(connection: Connection, mark: int) -> Kept:
    """Insert a row into each table that there is; what they hold."""
    schema, made = MetaData(), dict[str, Mapping[str, Any]]()
    schema.reflect(connection)
    for table in schema.sorted_tables:
        if table.name != "alembic_version":
            row: dict[str, Any] = {}
            for column in table.columns:
                if reference := next(iter(column.foreign_keys), None):
                    other = reference.column.table.name
                    row[column.name] = None if other == table.name else made[other][reference.column.name]
                elif not (column.primary_key and column.name == "id"):
                    row[column.name] = value(column, mark)
            key = connection.execute(table.insert().values(row)).inserted_primary_key
            made[table.name] = read(connection, table, dict(zip((column.name for column in table.primary_key), key or (), strict=True)))
    return list(made.items())


def read(connection: Connection, table: Table, key: Mapping[str, Any]) -> Mapping[str, Any]:
    found = select(table).where(*(table.columns[name] == value for name, value in key.items()))
    return dict(connection.execute(found).mappings().one())


def check(connection: Connection, kept: Kept) -> None:
    """Every row is there, with what it held; a column that came later has a value where it needs one."""
    schema = MetaData()
    schema.reflect(connection)
    for name, row in kept:
        table = schema.tables[name]
        now = read(connection, table, {column.name: row[column.name] for column in table.primary_key})
        assert {column: now[column] for column in row} == row
        assert all(now[column.name] is not None for column in table.columns if not column.nullable)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_each_revision_is_migrated_with_rows_in_it(kind: str, request: pytest.FixtureRequest, tmp_path: Any) -> None:
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        url = server.empty()
    else:
        url = f"sqlite:///{tmp_path}/old.db"
    database, kept = connect(url), Kept()
    for mark, revision in enumerate(migrate.revisions(), 1):
        await database.write(migrate.upgrade, revision)
        await database.read(check, kept)
        kept += await database.write(fill, mark)
    assert await database.read(migrate.current) == migrate.revisions()[-1]
    assert len(kept) > 100
    await database.close()
    if not is_sqlite(url):
        request.getfixturevalue("postgres_server").drop(url)
