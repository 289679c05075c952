"""What engines are still to forget: stored with each deletion, for every engine of every bot on the database, until that confirmed it.

Each bot tells its own engines, also one that it shares with others: it alone knows which answers it has under way there.
Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import time
from typing import Final

from sqlalchemy import Connection, and_, delete, false, func, insert, literal, or_, select, update

from bot.store.database import DatabaseTime
from bot.store.database import insert as insert_or_update
from bot.store.tables import BotRow, EngineRow, OwedForgetRow

DEAD_SECONDS: Final = 60.0  # without a heartbeat, after which another bot's word for an engine that both ask will do
KEPT_SECONDS: Final = 90 * 86_400.0  # that an engine which nobody runs any more is remembered


@dataclass(frozen=True, slots=True)
class OwedForget:
    """One deletion, at a Unix time, that an engine has not confirmed. `sha256s`: its pictures."""

    id: int
    engine: str
    sha256s: tuple[str, ...]
    at: float
    told: bool  # by some bot


def owe(connection: Connection, sha256s: Collection[str]) -> None:
    """These pictures, or words alone, are deleted in this transaction: every engine is to forget them."""
    engines = connection.execute(select(EngineRow.owner, EngineRow.name)).all()
    if engines:
        pictures, at = sorted(sha256s), time()
        rows = [{"owner": owner, "engine": name, "sha256s": pictures, "at": at, "told": False} for owner, name in engines]
        connection.execute(insert(OwedForgetRow), rows)


def register(connection: Connection, owner: str, engines: Sequence[str], at: float) -> tuple[str, ...]:
    """This bot asks these engines now. One that is new here is owed whatever those are that this bot asks no more: it may be one of them
    by another name. The engines that are gone so, to which something is still owed."""
    known = set(connection.scalars(select(EngineRow.name).where(EngineRow.owner == owner)))
    gone = known.difference(engines)
    left = and_(OwedForgetRow.owner == owner, OwedForgetRow.engine.in_(gone))
    for engine in dict.fromkeys(engines):
        if engine not in known:
            copied = select(literal(owner), literal(engine), OwedForgetRow.sha256s, OwedForgetRow.at, false()).where(left)
            connection.execute(insert(OwedForgetRow).from_select(["owner", "engine", "sha256s", "at", "told"], copied))
        seen = insert_or_update(connection.dialect.name, EngineRow).values(owner=owner, name=engine, at=at)
        connection.execute(seen.on_conflict_do_update(index_elements=["owner", "name"], set_={"at": at}))
    return tuple(connection.scalars(select(OwedForgetRow.engine).distinct().where(left).order_by(OwedForgetRow.engine)))


def owed(connection: Connection, owner: str) -> tuple[OwedForget, ...]:
    """What this bot's engines have not confirmed to it, oldest first."""
    columns = (OwedForgetRow.id, OwedForgetRow.engine, OwedForgetRow.sha256s, OwedForgetRow.at, OwedForgetRow.told)
    found = connection.execute(select(*columns).where(OwedForgetRow.owner == owner).order_by(OwedForgetRow.id))
    return tuple(OwedForget(number, engine, tuple(sha256s), at, told) for number, engine, sha256s, at, told in found)


def note_told(connection: Connection, engine: str, told: Sequence[OwedForget]) -> None:
    """This engine forgot these, whichever bot told it."""
    same = and_(OwedForgetRow.engine == engine, OwedForgetRow.at.in_([each.at for each in told]))
    connection.execute(update(OwedForgetRow).where(same).values(told=True))


def confirm(connection: Connection, owner: str, engine: str, told: Sequence[OwedForget]) -> None:
    """This engine forgot these after the last answer that could leave something of them behind. Bots that are dead have none under way."""
    alive = select(BotRow.name).where(BotRow.heartbeat >= DatabaseTime() - DEAD_SECONDS)
    same = and_(OwedForgetRow.engine == engine, OwedForgetRow.at.in_([each.at for each in told]))
    connection.execute(delete(OwedForgetRow).where(same, or_(OwedForgetRow.owner == owner, OwedForgetRow.owner.not_in(alive))))


def engines_owed(connection: Connection) -> int:
    """How many engines nobody told yet of something that was deleted."""
    return connection.scalar(select(func.count(OwedForgetRow.engine.distinct())).where(~OwedForgetRow.told)) or 0


def expire(connection: Connection, before: float) -> tuple[str, ...]:
    """Give up engines that their bot had not since this Unix time; those to which something was still owed."""
    lost = set[str]()
    for owner, name in connection.execute(select(EngineRow.owner, EngineRow.name).where(EngineRow.at < before)).all():
        this = and_(OwedForgetRow.owner == owner, OwedForgetRow.engine == name)
        lost.update(connection.scalars(delete(OwedForgetRow).where(this).returning(OwedForgetRow.engine)))
        connection.execute(delete(EngineRow).where(EngineRow.owner == owner, EngineRow.name == name))
    return tuple(sorted(lost))
