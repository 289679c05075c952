"""What people set, by scope: whose or where, which setting, which value, and who set it when.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.contracts import Value
from bot.store.database import insert
from bot.store.tables import SettingRow


class Scope(StrEnum):
    """Whom a value is set for."""

    PERSON = "person"
    CHANNEL = "channel"  # threads too: their key is longer than their channel's
    SERVER = "server"


Home = tuple[Scope, str]  # a scope and the key of its person, channel or server


async def read_settings(connection: AsyncConnection, homes: Iterable[Home]) -> Mapping[Home, Mapping[str, Value]]:
    """The values set in each of these homes, by setting."""
    wanted = tuple_(SettingRow.scope, SettingRow.key).in_(list(homes))
    rows = await connection.execute(select(SettingRow.scope, SettingRow.key, SettingRow.name, SettingRow.value).where(wanted))
    found: dict[Home, dict[str, Value]] = {}
    for scope, key, name, value in rows:
        found.setdefault((Scope(scope), key), {})[name] = value
    return found


async def write_setting(connection: AsyncConnection, home: Home, name: str, value: Value, *, set_by: str, at: float) -> None:
    new = {"value": value, "set_by": set_by, "at": at}
    statement = insert(connection, SettingRow).values(scope=home[0], key=home[1], name=name, **new)
    await connection.execute(statement.on_conflict_do_update(index_elements=["scope", "key", "name"], set_=new))


async def clear_setting(connection: AsyncConnection, home: Home, name: str) -> bool:
    """Take a value back; whether there was one."""
    matches = (SettingRow.scope == home[0], SettingRow.key == home[1], SettingRow.name == name)
    return (await connection.execute(delete(SettingRow).where(*matches))).rowcount > 0
