"""What to do with a message that the platform refuses: send it again, send it to the person directly, say why not, or stop.

A person's deletion is final: what they deleted is not sent again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from bot.delivery.channel_queue import QueuedMessage
from bot.delivery.message_diff import Delete, Edit, Send, Step
from bot.errors import DeliveryError, MessageFrozen, MessageGone, MessageLost, NotPrivate, PlaceGone, TextBlocked
from bot.message import Place
from bot.platform import Outgoing, Platform, Reader, SupportsDirectMessages
from bot.sanitize import safe_name
from bot.store import deliveries, graph
from bot.store.database import Database
from bot.texts import Texts

log = structlog.get_logger(__name__)


class Fallbacks:
    """`deleted`: takes the ids of answers of which a person deleted a message, so that generating them stops."""

    def __init__(self, database: Database, texts: Texts, deleted: asyncio.Queue[int]) -> None:
        self._database = database
        self._texts = texts
        self._deleted = deleted

    async def handle(self, platform: Platform, queued: QueuedMessage, step: Step, error: DeliveryError) -> bool:
        """Do what helps against this error. False: nothing does; try the same step again later, or give up."""
        if isinstance(error, MessageGone):
            return await self._accept_deletion(queued, step)
        if isinstance(error, MessageFrozen):
            if isinstance(step, Edit):
                return await self._resend(queued, step, error)
            return isinstance(step, Send) and await self._send_directly(platform, queued)
        if isinstance(error, TextBlocked):
            return self.explain(queued, "delivery.blocked")
        if isinstance(error, NotPrivate):
            return not error.late and await self._send_directly(platform, queued)
        if isinstance(error, PlaceGone) and queued.diff.content is not None and queued.diff.content.private:
            return await self._send_directly(platform, queued)
        return False

    def explain(self, queued: QueuedMessage, key: str) -> bool:
        """Replace the text by the reason why it can't be shown, once, at its end. False: even the reason was refused."""
        diff, content = queued.diff, queued.diff.content
        if not diff.ended:
            diff.hold_until_end()
            return True
        if queued.explained or content is None:
            return False
        queued.explained, queued.failures = True, 0
        why = Outgoing(self._texts.render(content.language, key), private=content.private, language=content.language)
        diff.finish(replace(why, buttons=content.buttons, answer_id=content.answer_id))
        return True

    async def delete_replaced(self, platform: Platform, queued: QueuedMessage) -> None:
        """Delete messages that could not be edited, after their text was sent again; one that can't be deleted stays."""
        while queued.to_delete:
            with suppress(DeliveryError):
                await platform.delete(queued.place, queued.to_delete.pop())

    async def drop_parts(self, queued: QueuedMessage, part: int) -> list[str]:
        """Forget the records of this part and all later ones; the platform's ids of their messages."""
        dropped = queued.parts[part:]
        await self._database.write(deliveries.unsent, [delivery.id for delivery in dropped])
        del queued.parts[part:]
        return [delivery.platform_id for delivery in dropped if delivery.platform_id]

    async def _accept_deletion(self, queued: QueuedMessage, step: Step) -> bool:
        """A person deleted the part, the one before it, or the question. False: none of these explains the error."""
        if isinstance(step, Delete):
            await self.drop_parts(queued, step.part)
            queued.diff.record(step, queued.diff.changed_at)
        elif isinstance(step, Edit):
            self._stop_answer(queued, step.part)
        elif isinstance(step, Send) and queued.previous_part(step.part) is not None:
            self._stop_answer(queued, step.part - 1)
        elif isinstance(step, Send) and queued.reply_to is not None:
            queued.reply_to = None  # the question was deleted: send the answer without a reply link
        else:
            return False
        return True

    def _stop_answer(self, queued: QueuedMessage, part: int) -> None:
        queued.diff.mark_deleted(part)
        if queued.answer is not None:
            self._deleted.put_nowait(queued.answer)

    async def _send_directly(self, platform: Platform, queued: QueuedMessage) -> bool:
        """Send it as a direct message. Where that fails, or its buttons work only here, ask the person publicly to ask again."""
        content = queued.diff.content
        if content is None or content.reader is None:
            return False
        if not queued.diff.ended:
            queued.diff.hold_until_end()
            return True
        movable = queued.answer is not None or not (content.actions or content.panel)
        if queued.origin is None and not queued.place.private and movable and isinstance(platform, SupportsDirectMessages):
            try:
                place = await platform.private_place(content.reader.id)
            except DeliveryError as error:
                log.info("no_private_chat", place=queued.place.key, reason=str(error))
            else:
                await self._move(queued, place, content)
                return True
        return await self._ask_again(queued, content, content.reader)

    async def _move(self, queued: QueuedMessage, place: Place, content: Outgoing) -> None:
        await self._database.write(graph.keep_place, place)
        queued.origin, queued.place, queued.reply_to = queued.place, place, None
        note = "" if content.private else self._texts.render(content.language, "delivery.closed")
        footer = " · ".join(filter(None, (content.footer, note)))
        await self._restart(queued, replace(content, buttons=(), actions=(), answer_id=None, footer=footer))

    async def _ask_again(self, queued: QueuedMessage, content: Outgoing, reader: Reader) -> bool:
        """Replace a private reply by a public sentence that names its reader. False: there is no event that anybody waits for."""
        if queued.answer is not None or queued.event is None or not content.private:
            return False
        queued.place, queued.origin, queued.reply_to = queued.home, None, None
        words = self._texts.render(content.language, "delivery.again", name=safe_name(reader.name))
        await self._restart(queued, Outgoing(words, language=content.language))
        return True

    async def _restart(self, queued: QueuedMessage, message: Outgoing) -> None:
        await self.drop_parts(queued, 0)
        queued.pending_send, queued.failures, queued.changeable = None, 0, False
        queued.diff.resend_from(0)
        queued.diff.finish(message)

    async def _resend(self, queued: QueuedMessage, step: Edit, error: MessageFrozen) -> bool:
        """Send this part and all later ones again, once, at the end of the answer."""
        if not queued.diff.ended:
            queued.diff.hold_until_end()
            return True
        frozen = await self.drop_parts(queued, step.part)
        queued.to_delete += [] if isinstance(error, MessageLost) else frozen
        queued.diff.resend_from(step.part)
        return True
