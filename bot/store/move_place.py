"""Moves what is stored for a channel to its new id: Telegram gives one to a group that becomes a supergroup."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from bot.message import Place
from bot.store import graph
from bot.store.scoped_settings import Scope
from bot.store.tables import DeliveryRow, DemoRow, JobRow, MessageRow, PointerRow, SettingRow


def move_place(connection: Connection, old: Place, new: Place) -> None:
    """Give `new` the settings, conversations and waiting questions of `old`. Repeating it changes nothing.

    The platform numbers messages anew: earlier ones can't be replied to, and growing answers are sent again.
    The old place's row stays: an answer that is being sent at this moment still refers to it.
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
