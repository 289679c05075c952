"""Counts what the bot holds in memory of questions under way: how much at its most, and what is left when all are answered."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from bot.event_handler import EventHandler
from bot.message import Incoming, Picture
from bot.store import jobs

LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 60.0


@dataclass
class Held:
    """`waiting`: questions in line, at their most. `left`: questions and pictures in memory at the end, with what is being sent."""

    waiting: int = 0
    left: int = 0


@asynccontextmanager
async def watching_held(core: EventHandler) -> AsyncIterator[Held]:
    """What this bot holds inside the block."""
    held = Held()

    async def look() -> None:
        while True:
            held.waiting = max(held.waiting, await core._resources.database.read(jobs.count_waiting))
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield held
    finally:
        looking.cancel()
    until = monotonic() + PATIENCE_SECONDS
    while (left := await asyncio.to_thread(count_held, core)) and monotonic() < until:  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(LOOK_SECONDS)
    held.left = left


def count_held(core: EventHandler) -> int:
    """Messages that are being sent, events and pictures."""
    gc.collect()
    sending = sum(len(queue.messages) for queue in tuple(core._outbox._queues.values()))
    return sending + sum(isinstance(each, Incoming | Picture) for each in gc.get_objects())
