"""What becomes of a letter that can't be delivered as it was meant: it is sent anew, says why not, or stays where a person put it.

A person's deletion is obeyed: what they took away does not come back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from bot.delivery.channel_queue import QueuedMessage
from bot.delivery.edit_scheduler import Delete, Edit, Send, Step
from bot.errors import DeliveryError, MessageFrozen, MessageGone, MessageLost, NotPrivate, PlaceGone, TextBlocked
from bot.message import Place
from bot.ports import Outgoing, Platform, Reader, SupportsDirectMessages
from bot.sanitize import called
from bot.store import deliveries, graph
from bot.store.database import Database
from bot.texts import Texts

log = structlog.get_logger(__name__)


class Fallbacks:
    """`deleted`: answers of which a person deleted something, to be stopped."""

    def __init__(self, database: Database, texts: Texts, deleted: asyncio.Queue[int]) -> None:
        self._database = database
        self._texts = texts
        self._deleted = deleted

    async def take(self, platform: Platform, letter: QueuedMessage, step: Step, error: DeliveryError) -> bool:
        """Whether the letter goes another way from here; False: it is to be tried again, or given up."""
        if isinstance(error, MessageGone):
            return await self._obey(letter, step)
        if isinstance(error, MessageFrozen):
            if isinstance(step, Edit):
                return await self._say_anew(letter, step, error)
            return isinstance(step, Send) and await self._go_elsewhere(platform, letter)
        if isinstance(error, TextBlocked):
            return self.reword(letter, "delivery.blocked")
        if isinstance(error, NotPrivate):
            return not error.late and await self._go_elsewhere(platform, letter)
        if isinstance(error, PlaceGone) and letter.diff.said is not None and letter.diff.said.private:
            return await self._go_elsewhere(platform, letter)
        return False

    def reword(self, letter: QueuedMessage, key: str) -> bool:
        """Say instead why it can't be said, once, when it is due; False: even that was refused."""
        diff, said = letter.diff, letter.diff.said
        if not diff.ended:
            diff.hold()
            return True
        if letter.reworded or said is None:
            return False
        letter.reworded, letter.failures = True, 0
        why = Outgoing(self._texts.say(said.language, key), private=said.private, language=said.language)
        diff.end(replace(why, buttons=said.buttons, answer_id=said.answer_id))
        return True

    async def sweep(self, platform: Platform, letter: QueuedMessage) -> None:
        """What could not be changed was said anew: take it away, if that can be done."""
        while letter.stale:
            with suppress(DeliveryError):
                await platform.delete(letter.place, letter.stale.pop())

    async def forget(self, letter: QueuedMessage, part: int) -> list[str]:
        """This message and what follows it are shown no more, or no more ours; their ids."""
        dropped = letter.parts[part:]
        await self._database.write(deliveries.unsent, [delivery.id for delivery in dropped])
        del letter.parts[part:]
        return [delivery.platform_id for delivery in dropped if delivery.platform_id]

    async def _obey(self, letter: QueuedMessage, step: Step) -> bool:
        if isinstance(step, Delete):
            await self.forget(letter, step.part)
            letter.diff.did(step, letter.diff.touched)
        elif isinstance(step, Edit):
            self._end(letter, step.part)
        elif isinstance(step, Send) and letter.follows(step.part) is not None:
            self._end(letter, step.part - 1)
        elif isinstance(step, Send) and letter.reply_to is not None:
            letter.reply_to = None  # the question is deleted: its answer goes without the link
        else:
            return False
        return True

    def _end(self, letter: QueuedMessage, part: int) -> None:
        letter.diff.remove(part)
        if letter.answer is not None:
            self._deleted.put_nowait(letter.answer)

    async def _go_elsewhere(self, platform: Platform, letter: QueuedMessage) -> bool:
        """To the person in a chat of their own; where that fails, or what is to be pressed belongs here, they are asked to ask again."""
        said = letter.diff.said
        if said is None or said.reader is None:
            return False
        if not letter.diff.ended:
            letter.diff.hold()
            return True
        movable = letter.answer is not None or not (said.actions or said.panel)
        if letter.origin is None and not letter.place.private and movable and isinstance(platform, SupportsDirectMessages):
            try:
                place = await platform.private_place(said.reader.id)
            except DeliveryError as error:
                log.info("no_private_chat", place=letter.place.key, reason=str(error))
            else:
                await self._move(letter, place, said)
                return True
        return await self._ask_again(letter, said, said.reader)

    async def _move(self, letter: QueuedMessage, place: Place, said: Outgoing) -> None:
        await self._database.write(graph.keep_place, place)
        letter.origin, letter.place, letter.reply_to = letter.place, place, None
        note = "" if said.private else self._texts.say(said.language, "delivery.closed")
        footer = " · ".join(filter(None, (said.footer, note)))
        await self._begin_anew(letter, replace(said, buttons=(), actions=(), answer_id=None, footer=footer))

    async def _ask_again(self, letter: QueuedMessage, said: Outgoing, reader: Reader) -> bool:
        """Say to all that there were words for one. An event that nobody waits for needs none."""
        if letter.answer is not None or letter.event is None or not said.private:
            return False
        letter.place, letter.origin, letter.reply_to = letter.home, None, None
        words = self._texts.say(said.language, "delivery.again", name=called(reader.name))
        await self._begin_anew(letter, Outgoing(words, language=said.language))
        return True

    async def _begin_anew(self, letter: QueuedMessage, message: Outgoing) -> None:
        await self.forget(letter, 0)
        letter.intended, letter.failures, letter.stays = None, 0, False
        letter.diff.anew(0)
        letter.diff.end(message)

    async def _say_anew(self, letter: QueuedMessage, step: Edit, error: MessageFrozen) -> bool:
        """Once, when all of it is there."""
        if not letter.diff.ended:
            letter.diff.hold()
            return True
        frozen = await self.forget(letter, step.part)
        letter.stale += [] if isinstance(error, MessageLost) else frozen
        letter.diff.anew(step.part)
        return True
