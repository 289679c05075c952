"""Measures how late the last of 25 people's photos reaches the engine, in one channel and in 25: `python -m tests.load.one_channel`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

from PIL import Image

from bot.message import Attachment, Author, Incoming, Place
from bot.store.database import sqlite_url
from tests.bot.hostile import encode
from tests.bot.rig import ScriptedEngine, echo, message, running

PEOPLE = 25
ROUNDS = 7
SIZE = (2048, 1536)  # pixels of an ordinary photo


async def last_at_the_engine(photos: list[bytes], channels: int) -> float:
    """Seconds from the first message until the last question is at the engine."""
    engine = ScriptedEngine(echo, rows=PEOPLE)
    with TemporaryDirectory() as home:
        async with running(sqlite_url(Path(home) / "gander.db"), Path(home), engine) as rig:
            began = monotonic()
            asking = [asyncio.create_task(rig.core.handle(question(n, photo, channels))) for n, photo in enumerate(photos)]
            await rig.until(lambda: len(engine.requests) == PEOPLE)
            took = monotonic() - began
            await asyncio.gather(*asking)
            engine.gate.set()
            return took


def question(number: int, photo: bytes, channels: int) -> Incoming:
    async def read() -> AsyncIterator[bytes]:
        yield photo

    place = Place("web", f"channel{number % channels}", server="club")
    author = Author("web", f"person{number}", f"Person {number}")
    shown = Attachment("photo.jpg", read, len(photo), "image/jpeg")
    return message(f"m{number}", f"what is {number}?", place=place, author=author, attachments=(shown,))


async def main() -> None:
    photos = [encode(Image.effect_noise(SIZE, 20 + number).convert("RGB"), "JPEG") for number in range(PEOPLE)]
    rounds = [(await last_at_the_engine(photos, 1), await last_at_the_engine(photos, PEOPLE)) for _ in range(ROUNDS)]
    one, many = (median(times) for times in zip(*rounds, strict=True))
    told = f"the median of {ROUNDS}: one channel {one:.2f} s, {PEOPLE} channels {many:.2f} s: {one / many:.2f} times as late\n"
    sys.stdout.write(told)


if __name__ == "__main__":
    asyncio.run(main())
