"""The demos that run: in their channels every posted picture is answered, within a slow mode."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, time
from typing import Final, NoReturn

from bot.access.policy import Allowance
from bot.access.rate_limits import TokenBucket
from bot.message import Address, Attachment, Incoming, Place
from bot.store import demos
from bot.store.database import Database
from bot.store.demos import Demo

FRESH_SECONDS: Final = 5.0  # after which what another bot began or ended is known here


class DemoRegistry:
    """The running demos, by channel. All are in memory, since they are few, and in the store for a restart and for other bots."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._running: dict[str, Demo] = {}  # by channel
        self._buckets: dict[int, dict[str, TokenBucket]] = {}  # by demo and person
        self._changes = 0  # made here

    async def load(self) -> None:
        """Go on with the demos that ran before a restart, or that other bots on the database began."""
        changes, found = self._changes, await self._database.read(demos.running)
        if changes == self._changes:  # else this may be what stood there before
            self._running = {demo.channel: demo for demo in found}

    async def follow(self) -> NoReturn:
        """Look for what other bots began and ended, until cancelled: one of them may go on with its channels here."""
        while True:
            await asyncio.sleep(FRESH_SECONDS)
            await self.load()

    def running(self, place: Place) -> Demo | None:
        return self._running.get(place.channel_key)

    def runs_in(self, place: Place) -> bool:
        return place.channel_key in self._running

    async def start(self, incoming: Incoming, prompt: str, slow_seconds: float, language: str) -> Demo:
        channel, presenter = incoming.place.channel_key, incoming.author.key
        demo = await self._database.write(demos.begin, channel, presenter, prompt, slow_seconds, language, time())
        self._changes += 1
        self._running[channel] = demo
        return demo

    async def stop(self, place: Place) -> Demo | None:
        """The demo that ended; None: none ran."""
        ended = await self._database.write(demos.end, place.channel_key, time())
        self._changes += 1
        if demo := self._running.pop(place.channel_key, None):
            self._buckets.pop(demo.id, None)
        return ended

    async def forget(self, person: str) -> None:
        """End this person's demos, and delete their prompts."""
        await self._database.write(demos.forget, person, time())
        self._changes += 1
        for channel in [channel for channel, demo in self._running.items() if demo.presenter == person]:
            self._buckets.pop(self._running.pop(channel).id, None)

    def as_question(self, incoming: Incoming) -> Incoming:
        """Where a demo runs, a picture that nobody addressed to the bot becomes a question with the presenter's prompt; else unchanged."""
        demo = self.running(incoming.place)
        pictures = tuple(each for each in incoming.attachments if _may_be_picture(each))
        if demo is None or incoming.address is not Address.OVERHEARD or incoming.edited or not pictures:
            return incoming
        return replace(incoming, address=Address.SHOWN, text=demo.prompt, attachments=pictures, reply_to=None)

    def check_slow_mode(self, incoming: Incoming) -> None:
        """Raises Refusal for a person who has to wait in slow mode, and Ignored if they were just told so."""
        demo = self.running(incoming.place)
        if demo is None or incoming.author.key == demo.presenter:
            return
        now = self._clock()
        buckets = {person: bucket for person, bucket in self._buckets.get(demo.id, {}).items() if now - bucket.at < demo.slow_seconds}
        self._buckets[demo.id] = buckets
        bucket = buckets.setdefault(incoming.author.key, TokenBucket(1, now))
        bucket.check(Allowance(1, demo.slow_seconds, {}), now, "demo.slow_down")


def _may_be_picture(attachment: Attachment) -> bool:
    return attachment.content_type is None or attachment.content_type.startswith("image/")
