"""The SQL of update_inbox.py: updates that were confirmed to their platform and are not handled yet, or could not be read.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select, update
from sqlalchemy.orm import aliased

from bot.store.database import insert
from bot.store.tables import UpdateRow


@dataclass(frozen=True, slots=True)
class Kept:
    """One update that is not handled yet, as the platform sent it."""

    number: int
    update: Mapping[str, Any]


def keep(connection: Connection, platform: str, owner: str, number: int, raw: Mapping[str, Any], fault: str, at: float) -> None:
    """Store an update, or a new `fault` of one that is stored. Without a fault one that is stored stays as it is."""
    row = {"platform": platform, "owner": owner, "number": number, "raw": json.dumps(raw), "fault": fault, "at": at}
    statement, key = insert(connection.dialect.name, UpdateRow).values(row), ["platform", "owner", "number"]
    if fault:
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_={"fault": statement.excluded.fault}))
    else:
        connection.execute(statement.on_conflict_do_nothing(index_elements=key))


def release(connection: Connection, platform: str, owner: str, number: int) -> None:
    """Delete an update: it was handled."""
    connection.execute(delete(UpdateRow).where(UpdateRow.platform == platform, UpdateRow.owner == owner, UpdateRow.number == number))


def pending(connection: Connection, platform: str, owner: str) -> tuple[Kept, ...]:
    """The updates that are not handled yet, oldest first."""
    mine = select(UpdateRow.number, UpdateRow.raw).where(UpdateRow.platform == platform, UpdateRow.owner == owner, UpdateRow.fault == "")
    return tuple(Kept(number, json.loads(raw)) for number, raw in connection.execute(mine.order_by(UpdateRow.number)))


def hand_on(connection: Connection, platform: str, old: str, new: str) -> None:
    """The updates of one owner are another's now; of those that both have, the new owner's stay."""
    theirs = aliased(UpdateRow)
    twice = select(theirs.number).where(theirs.platform == platform, theirs.owner == new)
    mine = and_(UpdateRow.platform == platform, UpdateRow.owner == old)
    connection.execute(delete(UpdateRow).where(mine, UpdateRow.number.in_(twice)))
    connection.execute(update(UpdateRow).where(mine).values(owner=new))


def unreadable(connection: Connection) -> dict[str, int]:
    """How many updates could not be read, by platform."""
    counted = select(UpdateRow.platform, func.count()).where(UpdateRow.fault != "").group_by(UpdateRow.platform)
    return dict(connection.execute(counted).all())


def expire(connection: Connection, before: float) -> None:
    """Delete updates from before this Unix time: they hold what people wrote."""
    connection.execute(delete(UpdateRow).where(UpdateRow.at < before))
