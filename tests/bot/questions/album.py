"""A channel in which people show pictures that can be fetched again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from PIL import Image

from bot.message import Address, Attachment, Author
from tests.bot.hostile import encode
from tests.bot.questions.test_delete import ANN, CHANNEL
from tests.bot.rig import Chat, Rig, ScriptedEngine, echo, running

WHITE, BROWN = (encode(Image.new("RGB", (20, 10), color), "PNG") for color in ("white", "brown"))


@dataclass
class Album(Chat):
    """A chat that finds its files again."""

    files: dict[str, bytes] = field(default_factory=dict)

    def shown(self, name: str, data: bytes, *, spoiler: bool = False) -> Attachment:
        self.files[name] = data
        return Attachment(name, partial(self.reopen, name), len(data), "image/png", spoiler, name)

    async def reopen(self, reference: str) -> AsyncIterator[bytes]:
        yield self.files[reference]


@asynccontextmanager
async def bot(url: str, home: Path, chat: Album) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(url, home, engine, chat) as rig:
        yield rig


async def show(rig: Rig, *pictures: Attachment, author: Author = ANN, ago: float = 0.0) -> None:
    """Somebody posts pictures, each in a message, that are not for the bot."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    for picture in pictures:
        await rig.say("look", author=author, place=CHANNEL, address=Address.OVERHEARD, sent_at=at, attachments=(picture,))
