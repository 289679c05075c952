"""What was sent, or was about to be: written before every send, so that a kill never makes us lose or forget a message.

A row without a platform id after a restart is a send whose outcome nobody knows. It is repeated once: with the same
nonce where the platform deduplicates, otherwise at the risk of one orphan, which `repeats` counts and ports.SupportsDuplicateRemoval finds.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Executable, bindparam, delete, func, select, update

from bot.message import Place
from bot.ports import KnownMessages
from bot.store import events, graph
from bot.store.database import insert
from bot.store.tables import DeliveryRow, EventRow, MessageRow, PlaceRow


@dataclass(frozen=True, slots=True)
class Delivery:
    """One intended message. `nonce` is at most 25 characters (Discord's limit): the answer's number, which is its job's alone, and
    a random tail, since a message that somebody deleted is sent anew."""

    id: int
    part: int
    nonce: str
    platform_id: str | None
    repeats: int  # sends beyond the first
    at: float  # Unix seconds; of the first


def intend(connection: Connection, message: int | None, part: int, place: Place, at: float) -> Delivery | None:
    """Record a send. Of an answer's part that was recorded before, and whose outcome is unknown, it is the repetition.

    None: the answer was forgotten meanwhile.
    """
    if message is not None and connection.scalar(_KEPT, {"answer": message}) is None:
        return None
    if message is None:  # a notice may be the first thing that is said somewhere
        graph.keep_place(connection, place)
    row = {"message": message, "part": part, "place": place.key, "nonce": _new_nonce(message), "platform_id": None, "repeats": 0, "at": at}
    return Delivery(*connection.execute(_intend(connection.dialect.name), row).one())


def _new_nonce(message: int | None) -> str:
    return secrets.token_hex(12) if message is None else f"{message}-{secrets.token_hex(4)}"


def sent(connection: Connection, delivery: int, platform_id: str, replied: tuple[str, str] | None = None) -> bool:
    """The platform took it, under this id; False: the answer was forgotten meanwhile.

    `replied`: place and event to which this message was the last of the reply. A kill after this sends that reply no second time.
    """
    if replied is not None:
        events.said(connection, *replied)
    return connection.execute(_SENT, {"delivery": delivery, "name": platform_id}).rowcount == 1


def unsent(connection: Connection, ids: Sequence[int]) -> None:
    """It is certain that these are not shown: the messages were deleted."""
    connection.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(ids)))


def hand_over(connection: Connection, old: int, new: int) -> None:
    """What was sent of one answer is shown for another from now on. A send on its way is not: nobody knows its outcome."""
    certain = (DeliveryRow.message == old, DeliveryRow.platform_id.is_not(None))
    connection.execute(update(DeliveryRow).where(*certain).values(message=new))


def parts(connection: Connection, message: int) -> tuple[Delivery, ...]:
    """An answer's messages, in order."""
    return tuple(Delivery(*row) for row in connection.execute(_PARTS, {"answer": message}))


def answers_in(connection: Connection, place: Place, platform_id: str) -> list[int]:
    """The answer that this message of ours belongs to, if it belongs to any."""
    mine = (DeliveryRow.place == place.key, DeliveryRow.platform_id == platform_id)
    return [answer for answer in connection.scalars(select(DeliveryRow.message).where(*mine)) if answer is not None]


def known(connection: Connection, place: Place, until: float) -> KnownMessages:
    """The messages of the place's channel, its threads' too; `earlier`: until a moment (Unix seconds)."""
    here = select(PlaceRow.key).where(PlaceRow.platform == place.platform, PlaceRow.channel == place.channel)
    sent = select(DeliveryRow.platform_id).where(DeliveryRow.place.in_(here), DeliveryRow.platform_id.is_not(None))
    said = select(MessageRow.platform_id).where(MessageRow.place.in_(here), MessageRow.platform_id.is_not(None))
    taken = select(EventRow.event).where(EventRow.place.in_(here), EventRow.at <= until)
    before = (said.where(MessageRow.at <= until), sent.where(DeliveryRow.at <= until), taken)
    return KnownMessages(
        earlier=frozenset(name for statement in before for name in connection.scalars(statement) if name),
        ours=frozenset(name for name in connection.scalars(sent) if name),
    )


def repeats(connection: Connection) -> int:
    """How many sends were repeated after a kill: at most so many orphans exist."""
    return connection.scalar(select(func.sum(DeliveryRow.repeats))) or 0


# Built once: for an answer, building statements would take longer than running them.
_COLUMNS = (DeliveryRow.id, DeliveryRow.part, DeliveryRow.nonce, DeliveryRow.platform_id, DeliveryRow.repeats, DeliveryRow.at)
_PARTS = select(*_COLUMNS).where(DeliveryRow.message == bindparam("answer")).order_by(DeliveryRow.part)
_SENT = update(DeliveryRow).where(DeliveryRow.id == bindparam("delivery")).values(platform_id=bindparam("name"))
_KEPT = select(MessageRow.id).where(MessageRow.id == bindparam("answer")).with_for_update(read=True, key_share=True)


@cache
def _intend(dialect: str) -> Executable:
    again = {"repeats": DeliveryRow.repeats + 1, "platform_id": None}
    return insert(dialect, DeliveryRow).on_conflict_do_update(index_elements=["message", "part"], set_=again).returning(*_COLUMNS)
