"""Synthetic people in rooms: they post pictures, ask, and reply to what they were answered, each at their own pace."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from random import Random
from time import monotonic

from PIL import Image, ImageDraw

from bot.event_handler import EventHandler
from bot.message import Address, Attachment, Author, Incoming, Invocation, Place, Reply
from tests.load.chat import NAME, Asked, LoadChat

IN_A_ROOM = 25
COLOURS = ("red", "orange", "gold", "green", "blue", "purple", "black", "pink")
QUESTIONS = ("What is this?", "Which colour is it?", "How many shapes are there?", "Describe the picture.")
FOLLOW_UPS = ("And why?", "Are you sure?", "Tell me more.")


@dataclass
class Room:
    """One channel, with a demo that runs in it."""

    core: EventHandler
    chat: LoadChat
    place: Place
    random: Random
    ids: count[int] = field(default_factory=lambda: count(1))

    async def open(self) -> None:
        presenter = Author(NAME, "presenter", "Presenter", manages=True)
        await self._hand_over(presenter, Address.COMMAND, command=Invocation("demo", {"action": "start"}))

    async def live(self, author: Author, seconds: float, every: float) -> None:
        """One person, until the time is over: something to ask about every so many seconds on average."""
        until, mine = monotonic() + seconds, ""
        while (pause := self.random.expovariate(1 / every)) < until - monotonic():
            await asyncio.sleep(pause)
            kind = self.random.random()
            if kind < 0.3 and mine in self.chat.finals:
                mine = await self._ask(author, Address.REPLY, self.random.choice(FOLLOW_UPS), reply_to=self.chat.finals[mine])
            elif kind < 0.7:
                mine = await self._ask(author, Address.OVERHEARD, "", picture=True)
            else:
                mine = await self._ask(author, Address.MENTION, self.random.choice(QUESTIONS), picture=True)

    async def _ask(self, author: Author, address: Address, text: str, *, picture: bool = False, reply_to: str = "") -> str:
        files = (attachment(drawing(self.random)),) if picture else ()
        reply = Reply(reply_to, is_ours=True) if reply_to else None
        asked = Asked(monotonic())
        name = f"{self.place.channel}-{next(self.ids)}"
        self.chat.questions[name] = asked
        await self._hand_over(author, address, name, text, files, reply)
        asked.acknowledged = monotonic()
        return name

    async def _hand_over(
        self,
        author: Author,
        address: Address,
        name: str = "begin",
        text: str = "",
        files: tuple[Attachment, ...] = (),
        reply: Reply | None = None,
        command: Invocation | None = None,
    ) -> None:
        await self.core.handle(Incoming(name, self.place, author, address, datetime.now(UTC), text, files, reply, command))


def rooms(core: EventHandler, chat: LoadChat, people: int, in_a_room: int, random: Random) -> list[Room]:
    return [Room(core, chat, Place(NAME, f"room{n}", server="club"), random) for n in range((people + in_a_room - 1) // in_a_room)]


def drawing(random: Random) -> bytes:
    """A picture that nobody showed before."""
    image = Image.new("RGB", (320, 240), "white")
    pencil = ImageDraw.Draw(image)
    for _ in range(random.randint(1, 4)):
        x, y, size = random.randint(20, 240), random.randint(20, 160), random.randint(30, 70)
        pencil.ellipse((x, y, x + size, y + size), fill=random.choice(COLOURS))
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def attachment(data: bytes) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield data

    return Attachment("photo.jpg", read, len(data), "image/jpeg")
