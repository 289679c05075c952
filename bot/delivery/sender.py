"""Sends one message so that a kill at any point neither loses nor repeats it: the store knows of every send before and after it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from time import time

from bot.delivery.channel_queue import QueuedMessage
from bot.delivery.fallbacks import Fallbacks
from bot.delivery.message_diff import Send
from bot.errors import FileRefused, NotPrivate, PlaceGone
from bot.platform import Platform, SupportsDuplicateRemoval, SupportsPrivateReplies
from bot.store import deliveries
from bot.store.database import Database
from bot.store.deliveries import Delivery

FRESH_SECONDS = 10.0  # a send that was recorded longer ago is recorded anew: a copy of it is looked for since then


class MessageSender:
    """Carries out `Send` steps."""

    def __init__(self, database: Database, fallbacks: Fallbacks) -> None:
        self._database = database
        self._fallbacks = fallbacks

    async def record(self, queued: QueuedMessage, part: int) -> Delivery:
        """Store that a part is about to be sent; a send that failed is tried again as the same record.

        Raises PlaceGone where the answer was deleted meanwhile.
        """
        at, pending = time(), queued.pending_send
        if pending is None:
            queued.pending_send = await self._database.write(deliveries.intend, queued.answer, part, queued.place, at)
        elif queued.recorded_ahead and not abs(at - pending.at) < FRESH_SECONDS:
            queued.pending_send = await self._database.write(deliveries.intend_anew, pending.id, queued.answer, part, queued.place, at)
        queued.recorded_ahead = False
        if queued.pending_send is None:
            raise PlaceGone("the answer was deleted before it could be sent")
        if queued.pending_send.repeats:
            mark_unheard(queued)
        return queued.pending_send

    async def send(self, platform: Platform, queued: QueuedMessage, step: Send) -> None:
        """Send a recorded part and store its id. Raises DeliveryError; PlaceGone where the answer was deleted meanwhile."""
        if step.message.files and not await asyncio.to_thread(all_exist, step.message.files):
            raise FileRefused("a file that was to be sent does not exist any more")
        pending = await self.record(queued, step.part)
        platform_id = await _send_to_its_readers(platform, queued, step, pending.nonce)
        queued.unheard = queued.unheard and platform.limits.deduplicates
        if queued.unsure_since is not None:
            await self._remove_duplicate(platform, queued, pending, platform_id, queued.unsure_since)
        if not await self._database.write(deliveries.sent, pending.id, platform_id, _event_done_by(queued, step)):
            await platform.delete(queued.place, platform_id)  # no record is left by which it could ever be edited
            raise PlaceGone("the answer was deleted while it was sent")
        queued.parts.append(replace(pending, platform_id=platform_id))
        queued.pending_send = None
        await self._fallbacks.delete_replaced(platform, queued)

    async def _remove_duplicate(self, platform: Platform, queued: QueuedMessage, pending: Delivery, platform_id: str, since: float) -> None:
        """Delete what an earlier try may have left, before this one is recorded: after a kill here the same is done again."""
        if isinstance(platform, SupportsDuplicateRemoval):
            known = await self._database.read(deliveries.known, queued.place, since, pending, queued.answer)
            if since > time() and queued.reply_to is not None:  # the clock was set back since: what is reckoned earlier may be later
                known = replace(known, earlier=frozenset({queued.reply_to}))
            await platform.remove_duplicate(queued.place, platform_id, known)
        queued.unsure_since = None


def mark_unheard(queued: QueuedMessage) -> None:
    """The pending send may have gone through although no reply came."""
    if queued.pending_send is not None:
        queued.unheard, queued.unsure_since = True, queued.unsure_since or queued.pending_send.at


def all_exist(files: Iterable[Path]) -> bool:
    return all(file.exists() for file in files)


async def _send_to_its_readers(platform: Platform, queued: QueuedMessage, step: Send, nonce: str) -> str:
    """Send one message; its id. All private messages go through here, so that nobody but their reader ever sees them."""
    message, place = step.message, queued.place
    if message.private and queued.origin is None:
        try:
            if queued.event is not None and isinstance(platform, SupportsPrivateReplies):
                return await platform.reply_privately(place, message, event=queued.event, nonce=nonce)
            if not place.private:
                raise NotPrivate("others would see it, too")
        except NotPrivate:
            if not place.private:
                raise
    # Later parts stand right below the first one: a reply link on each would only repeat the question.
    reply_to = queued.reply_to if step.part == 0 else queued.previous_part(step.part)
    return await platform.send(place, message, reply_to=reply_to, nonce=nonce)


def _event_done_by(queued: QueuedMessage, step: Send) -> tuple[str, str] | None:
    """The place's key and the event that this send, a notice's last part, replies to: both are stored in one transaction."""
    ends_reply = queued.answer is None and queued.diff.is_last(step)
    return (queued.home.key, queued.event) if ends_reply and queued.event is not None else None
