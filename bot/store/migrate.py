"""Brings the tables up to date at every start, with the migrations that are packaged beside this file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from bot.errors import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x67616E64  # any number that all bots on one PostgreSQL agree on


def current(connection: Connection) -> str | None:
    """The revision of the tables that are there; None: there are none yet."""
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> tuple[str, ...]:
    """All that this Gander knows, oldest first."""
    from alembic.script import ScriptDirectory

    return tuple(reversed([script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]))


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the missing migrations inside the caller's transaction. Raises ConfigError for tables of a newer Gander."""
    # Alembic is needed once a start; importing it here keeps `gander --help` quick.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:  # its cause is the revision that our migrations lack
        raise ConfigError("The database belongs to a newer Gander: start that one, or restore a backup that this one made.") from error
