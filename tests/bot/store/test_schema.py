"""What tests get for a migrated database is one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, create_engine

from bot.store.migrate import upgrade
from tests.bot.schema import Schema


def contents(connection: Connection) -> list[str]:
    """Every statement that would make this database."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return sorted(driver.iterdump())  # a migration that makes a table anew makes its indexes in any order


def test_a_copied_schema_is_what_the_migrations_make(tmp_path: Path) -> None:
    schema, found = Schema(), []
    for name, migrate in (("real", upgrade), ("first", schema.upgrade), ("second", schema.upgrade)):
        engine = create_engine(f"sqlite:///{tmp_path / name}.db")
        with engine.begin() as connection:
            migrate(connection)
        with engine.begin() as connection:
            migrate(connection)  # on tables that are there
            found.append(contents(connection))
        engine.dispose()
    assert found[0] == found[1] == found[2]
