"""A channel that gets a new id goes on where it was: what Telegram does when a group becomes a supergroup."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from bot.message import Place
from bot.store import graph
from bot.store.settings import Scope
from bot.store.tables import DeliveryRow, DemoRow, JobRow, MessageRow, PointerRow, SettingRow


def move(connection: Connection, old: Place, new: Place) -> None:
    """Settings, conversations and waiting questions of `old` are those of `new` from now on. Repeating it changes nothing.

    The platform numbers messages anew there: those from before can't be replied to, and what was being shown is shown again.
    The old place stays known: an answer that is on its way at this moment still names it.
    """
    graph.keep_place(connection, new)
    connection.execute(delete(DeliveryRow).where(DeliveryRow.place == old.key))
    connection.execute(update(MessageRow).where(MessageRow.place == old.key).values(place=new.key, platform_id=None))
    connection.execute(update(JobRow).where(JobRow.place == old.key).values(place=new.key, channel=new.channel_key))
    connection.execute(update(DemoRow).where(DemoRow.channel == old.channel_key).values(channel=new.channel_key))
    _move_pointers(connection, old, new)
    _move_settings(connection, old, new)


def _move_pointers(connection: Connection, old: Place, new: Place) -> None:
    already = select(PointerRow.person).where(PointerRow.place == new.key)
    connection.execute(delete(PointerRow).where(PointerRow.place == old.key, PointerRow.person.in_(already)))
    connection.execute(update(PointerRow).where(PointerRow.place == old.key).values(place=new.key))


def _move_settings(connection: Connection, old: Place, new: Place) -> None:
    here = SettingRow.scope == Scope.CHANNEL
    already = select(SettingRow.name).where(here, SettingRow.key == new.channel_key)
    connection.execute(delete(SettingRow).where(here, SettingRow.key == old.channel_key, SettingRow.name.in_(already)))
    connection.execute(update(SettingRow).where(here, SettingRow.key == old.channel_key).values(key=new.channel_key))
