"""What becomes of a letter that can't be delivered as it was meant: it is sent anew, says why not, or stays where a person put it.

A person's deletion is obeyed: what they took away does not come back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from bot.contracts import Texts
from bot.errors import DeliveryError, MessageFrozen, MessageGone, MessageLost, TextBlocked
from bot.letters import Letter
from bot.ports import Outgoing, Platform
from bot.store import deliveries
from bot.store.database import Database
from bot.streaming import Delete, Edit, Send, Step


class Detours:
    """`deleted`: answers of which a person deleted something, to be stopped."""

    def __init__(self, database: Database, texts: Texts, deleted: asyncio.Queue[int]) -> None:
        self._database = database
        self._texts = texts
        self._deleted = deleted

    async def take(self, letter: Letter, step: Step, error: DeliveryError) -> bool:
        """Whether the letter goes another way from here; False: it is to be tried again, or given up."""
        if isinstance(error, MessageGone):
            return await self._obey(letter, step)
        if isinstance(error, MessageFrozen):
            return await self._say_anew(letter, step, error)
        if isinstance(error, TextBlocked):
            return self.reword(letter, "delivery.blocked")
        return False

    def reword(self, letter: Letter, key: str) -> bool:
        """Say instead why it can't be said, once, when it is due; False: even that was refused."""
        display, said = letter.display, letter.display.said
        if not display.ended:
            display.hold()
            return True
        if letter.reworded or said is None:
            return False
        letter.reworded, letter.failures = True, 0
        why = Outgoing(self._texts.say(said.language, key), private=said.private, language=said.language)
        display.end(replace(why, buttons=said.buttons, answer_id=said.answer_id))
        return True

    async def sweep(self, platform: Platform, letter: Letter) -> None:
        """What could not be changed was said anew: take it away, if that can be done."""
        while letter.stale:
            with suppress(DeliveryError):
                await platform.delete(letter.place, letter.stale.pop())

    async def forget(self, letter: Letter, part: int) -> list[str]:
        """This message and what follows it are shown no more, or no more ours; their ids."""
        dropped = letter.parts[part:]
        await self._database.write(deliveries.unsent, [delivery.id for delivery in dropped])
        del letter.parts[part:]
        return [delivery.platform_id for delivery in dropped if delivery.platform_id]

    async def _obey(self, letter: Letter, step: Step) -> bool:
        if isinstance(step, Delete):
            await self.forget(letter, step.part)
            letter.display.did(step, letter.display.touched)
        elif isinstance(step, Edit):
            self._end(letter, step.part)
        elif isinstance(step, Send) and letter.follows(step.part) is not None:
            self._end(letter, step.part - 1)
        elif isinstance(step, Send) and letter.reply_to is not None:
            letter.reply_to = None  # the question is deleted: its answer goes without the link
        else:
            return False
        return True

    def _end(self, letter: Letter, part: int) -> None:
        letter.display.remove(part)
        if letter.answer is not None:
            self._deleted.put_nowait(letter.answer)

    async def _say_anew(self, letter: Letter, step: Step, error: MessageFrozen) -> bool:
        """Once, when all of it is there."""
        if not letter.display.ended:
            letter.display.hold()
            return True
        if not isinstance(step, Edit):
            return False
        frozen = await self.forget(letter, step.part)
        letter.stale += [] if isinstance(error, MessageLost) else frozen
        letter.display.anew(step.part)
        return True
