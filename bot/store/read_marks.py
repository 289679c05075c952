"""How far a platform's channels were read: what was sent while the bot was away is looked for after it.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, select

from bot.message import Place
from bot.store import graph
from bot.store.database import insert
from bot.store.tables import PlaceRow, SeenRow


def keep(connection: Connection, owner: str, seen: Mapping[Place, str], at: float) -> None:
    """The newest event of each place up to which `owner`, a bot, has dealt with everything. `at`: now, in Unix seconds."""
    statement = insert(connection.dialect.name, SeenRow)
    newer = {"event": statement.excluded.event, "at": statement.excluded.at}
    for place, event in seen.items():
        graph.keep_place(connection, place)
        row = {"owner": owner, "place": place.key, "event": event, "at": at}
        connection.execute(statement.on_conflict_do_update(index_elements=["owner", "place"], set_=newer), row)


def of(connection: Connection, platform: str) -> dict[Place, str]:
    """What was kept of a platform's places, by whichever bot dealt with the newest event of each: another may go on in its place."""
    found = select(SeenRow.event, PlaceRow).join(PlaceRow, PlaceRow.key == SeenRow.place)
    rows = connection.execute(found.where(PlaceRow.platform == platform).order_by(func.length(SeenRow.event), SeenRow.event))
    return {graph.place_of(row): row.event for row in rows}


def expire(connection: Connection, before: float) -> None:
    """Forget the places in which nothing was said since this Unix time."""
    connection.execute(delete(SeenRow).where(SeenRow.at < before))
