"""Joins messages that people send as one: a question and then its picture, or a text that the platform cut into several messages.

Waits half a second, and only where something is missing: a picture that the words point at, or the rest of a cut text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

from bot.conversation import points_at_picture
from bot.message import Incoming
from bot.questions.arrival_order import ArrivalOrder
from bot.questions.recent_pictures import may_be_picture

PATIENCE_SECONDS: Final = 0.5  # after the newest part
READING_SECONDS: Final = 3.0  # for a part that has come and is still being read, such as an album


@dataclass(eq=False, slots=True)
class Expected:
    """A question that waits for its picture, or for the rest of its text."""

    first: Incoming
    until: float
    parts: list[Incoming] = field(default_factory=list)
    grew: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lacks_words(self) -> bool:
        return (self.parts[-1] if self.parts else self.first).cut

    @property
    def lacks_picture(self) -> bool:
        return not self.first.cut and not self.parts

    def takes(self, incoming: Incoming) -> bool:
        """Whether this message is what the question waits for."""
        if incoming.edited or incoming.command or incoming.reply_to or incoming.author.key != self.first.author.key:
            return False
        if self.lacks_words:
            return bool(incoming.text) and not incoming.attachments
        worded = bool(incoming.text) and not incoming.forwarded
        return self.lacks_picture and not worded and any(map(may_be_picture, incoming.attachments))


class MessageJoiner:
    """The questions that wait for another message, by place and person."""

    def __init__(self, arrivals: ArrivalOrder) -> None:
        self._arrivals = arrivals
        self._expected: dict[tuple[str, str], Expected] = {}

    def offer(self, incoming: Incoming) -> Expected | None:
        """The waiting question that this message belongs to, which takes it; None: it is a message of its own."""
        expected = self._expected.get(_whose(incoming))
        if expected is None or not expected.takes(incoming):
            return None
        expected.parts.append(incoming)
        expected.until = monotonic() + PATIENCE_SECONDS
        expected.grew.set()
        return expected

    @contextmanager
    def expecting(self, incoming: Incoming) -> Iterator[None]:
        """Within this block later messages of the same person can join this one, if it lacks something."""
        if not lacks_something(incoming):
            yield
            return
        expected = self._expected[_whose(incoming)] = Expected(incoming, monotonic() + PATIENCE_SECONDS)
        try:
            yield
        finally:
            self._close(expected)
            expected.over.set()

    async def gather(self, incoming: Incoming) -> Incoming:
        """The question with the messages that joined it, after waiting for them."""
        expected = self._expected.get(_whose(incoming))
        if expected is None or expected.first.id != incoming.id:
            return incoming
        await self._wait(expected)
        self._close(expected)
        return _joined(incoming, expected.parts) if expected.parts else incoming

    async def _wait(self, expected: Expected) -> None:
        last = monotonic() + READING_SECONDS
        while (expected.lacks_words or expected.lacks_picture) and (now := monotonic()) < last:
            # A message that has arrived is waited for, however long its adapter takes to read it.
            until = last if self._arrivals.reads_after(expected.first.arrival) else min(expected.until, last)
            if now >= until:
                return
            try:
                async with asyncio.timeout(min(until - now, PATIENCE_SECONDS)):
                    await expected.grew.wait()
                expected.grew.clear()
                last = monotonic() + READING_SECONDS
            except TimeoutError:
                continue

    def _close(self, expected: Expected) -> None:
        if self._expected.get(_whose(expected.first)) is expected:
            del self._expected[_whose(expected.first)]


def lacks_something(incoming: Incoming) -> bool:
    """Whether words point at a picture that did not come with them, or go on in another message."""
    if not incoming.apart or incoming.edited or incoming.command:
        return False
    return incoming.cut or not (incoming.attachments or incoming.reply_to or not points_at_picture(incoming.text))


def _joined(incoming: Incoming, parts: list[Incoming]) -> Incoming:
    text = incoming.text
    if incoming.cut:
        text = "\n".join([text, *(part.text for part in parts)])
    pictures = tuple(each for part in parts for each in part.attachments)
    return replace(incoming, text=text, attachments=(*incoming.attachments, *pictures), joined=tuple(part.id for part in parts))


def _whose(incoming: Incoming) -> tuple[str, str]:
    return incoming.place.key, incoming.author.key
