"""The values that people set, each for a person, a channel or a server.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from bot.message import Value
from bot.store.database import insert
from bot.store.tables import SettingRow


class Scope(StrEnum):
    """Whom a value is set for."""

    PERSON = "person"
    CHANNEL = "channel"  # threads too: their key is longer than their channel's
    SERVER = "server"


Home = tuple[Scope, str]  # a scope and the key of its person, channel or server


def read_settings(connection: Connection, homes: Iterable[Home]) -> Mapping[Home, Mapping[str, Value]]:
    """The values set in each of these homes, by setting."""
    rows = connection.execute(_SET_IN, {"homes": list(homes)})
    found: dict[Home, dict[str, Value]] = {}
    for scope, key, name, value in rows:
        found.setdefault((Scope(scope), key), {})[name] = value
    return found


def write_setting(connection: Connection, home: Home, name: str, value: Value, *, set_by: str, at: float) -> None:
    new = {"value": value, "set_by": set_by, "at": at}
    statement = insert(connection.dialect.name, SettingRow).values(scope=home[0], key=home[1], name=name, **new)
    connection.execute(statement.on_conflict_do_update(index_elements=["scope", "key", "name"], set_=new))


def change_setting(
    connection: Connection, home: Home, name: str, change: Callable[[Value | None], Value], *, set_by: str, at: float
) -> Value:
    """Replace a value by what `change` makes of it (None: there is none yet); the new value. Raises what `change` raises."""
    value = change(read_settings(connection, [home]).get(home, {}).get(name))
    write_setting(connection, home, name, value, set_by=set_by, at=at)
    return value


def clear_setting(connection: Connection, home: Home, name: str) -> bool:
    """Delete a value; whether there was one."""
    matches = (SettingRow.scope == home[0], SettingRow.key == home[1], SettingRow.name == name)
    return connection.execute(delete(SettingRow).where(*matches)).rowcount > 0


# Built once: every question needs it.
_SET_IN = select(SettingRow.scope, SettingRow.key, SettingRow.name, SettingRow.value).where(
    tuple_(SettingRow.scope, SettingRow.key).in_(bindparam("homes", expanding=True))
)
