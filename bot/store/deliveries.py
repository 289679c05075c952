"""Records every message before it is sent and its platform id afterwards, so that a kill loses no message.

A row without a platform id after a restart is a send whose outcome nobody knows. It is repeated once: with the same nonce where
the platform deduplicates; elsewhere the first copy may stay as an orphan, which `repeats` counts and
bot.platform.SupportsDuplicateRemoval deletes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Executable, bindparam, delete, func, select, update

from bot.message import Place
from bot.platform import KnownMessages
from bot.store import events, graph
from bot.store.database import insert
from bot.store.tables import DeliveryRow, EventRow, MessageRow, PlaceRow


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recorded message. `nonce` has at most 25 characters (Discord's limit): the answer's id and a random tail, since a message
    that somebody deleted is sent anew."""

    id: int
    part: int
    nonce: str
    platform_id: str | None
    repeats: int  # sends beyond the first
    at: float  # Unix seconds; of the first send


def intend(connection: Connection, message: int | None, part: int, place: Place, at: float) -> Delivery | None:
    """Record a send that is about to happen. A part of an answer that was recorded before is counted as a repetition.

    None: the answer was deleted meanwhile.
    """
    if message is not None and connection.scalar(_KEPT, {"answer": message}) is None:
        return None
    if message is None:  # the bot's reply may be the first message that is stored for this place
        graph.keep_place(connection, place)
    row = {"message": message, "part": part, "place": place.key, "nonce": _new_nonce(message), "platform_id": None, "repeats": 0, "at": at}
    return Delivery(*connection.execute(_intend(connection.dialect.name), row).one())


def intend_anew(connection: Connection, send: int, message: int | None, part: int, place: Place, at: float) -> Delivery | None:
    """As `intend`, in place of a record whose send was certainly not tried yet."""
    unsent(connection, (send,))
    return intend(connection, message, part, place, at)


def _new_nonce(message: int | None) -> str:
    return secrets.token_hex(12) if message is None else f"{message}-{secrets.token_hex(4)}"


def sent(connection: Connection, delivery: int, platform_id: str, replied: tuple[str, str] | None = None) -> bool:
    """Record the platform's id of a message that was sent; False: the answer was deleted meanwhile.

    `replied`: place and event to which this message was the last of the reply. A kill after this sends that reply no second time.
    """
    if replied is not None:
        events.said(connection, *replied)
    return connection.execute(_SENT, {"delivery": delivery, "name": platform_id}).rowcount == 1


def unsent(connection: Connection, ids: Sequence[int]) -> None:
    """Delete the records of messages that are certainly not shown, since they were deleted on the platform."""
    connection.execute(delete(DeliveryRow).where(DeliveryRow.id.in_(ids)))


def expire_notices(connection: Connection, before: float) -> None:
    """Delete the records of replies of our own, which belong to no answer, that were sent before this Unix time."""
    connection.execute(delete(DeliveryRow).where(DeliveryRow.message.is_(None), DeliveryRow.at < before))


def hand_over(connection: Connection, old: int, new: int) -> None:
    """Let another answer continue in the messages that were sent for `old`; not in one whose send has no known outcome."""
    certain = (DeliveryRow.message == old, DeliveryRow.platform_id.is_not(None))
    connection.execute(update(DeliveryRow).where(*certain).values(message=new))


def parts(connection: Connection, message: int) -> tuple[Delivery, ...]:
    """An answer's messages, in order."""
    return tuple(Delivery(*row) for row in connection.execute(_PARTS, {"answer": message}))


def answers_in(connection: Connection, place: Place, platform_id: str) -> list[int]:
    """The answer that a message of the bot belongs to: one id, or none."""
    mine = (DeliveryRow.place == place.key, DeliveryRow.platform_id == platform_id)
    return [answer for answer in connection.scalars(select(DeliveryRow.message).where(*mine)) if answer is not None]


def known(connection: Connection, place: Place, until: float, send: Delivery, answer: int | None) -> KnownMessages:
    """The messages of the place's channel, its threads' too; `earlier`: until a moment (Unix seconds), of a send of this answer, or of a
    notice. What was stored after it is not earlier, whatever the clock said: it may have been set back meanwhile."""
    here = select(PlaceRow.key).where(PlaceRow.platform == place.platform, PlaceRow.channel == place.channel)
    sent = select(DeliveryRow.platform_id).where(DeliveryRow.place.in_(here), DeliveryRow.platform_id.is_not(None))
    said = select(MessageRow.platform_id).where(MessageRow.place.in_(here), MessageRow.platform_id.is_not(None))
    taken = select(EventRow.event).where(EventRow.place.in_(here), EventRow.at <= until)
    before = (said.where(MessageRow.at <= until), sent.where(DeliveryRow.at <= until), taken)
    after = (sent.where(DeliveryRow.id > send.id), *([said.where(MessageRow.id > answer)] if answer is not None else []))
    return KnownMessages(_names(connection, *before) - _names(connection, *after), _names(connection, sent))


def _names(connection: Connection, *statements: Executable) -> frozenset[str]:
    return frozenset(name for statement in statements for name in connection.scalars(statement) if name)


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
