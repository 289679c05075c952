"""A platform for measuring: messages come in by standard input, and what the bot says goes nowhere; when it was said is noted."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic

from pydantic import BaseModel

from adapters.bench.protocol import Heard, Memory, Message, Observed, Ready
from adapters.services import Services
from bot.api import Bot
from bot.config.schema import Config
from bot.message import Address, Author, Incoming, Place
from bot.platform import EditBudget, Limits, Outgoing

NAME = "bench"
LIMITS = Limits(text=2_000, budget=EditBudget(edits=5, seconds=5.0), deduplicates=True)  # what Discord allows in a channel
PATIENCE_SECONDS = 60.0  # for answers, after the last message
LOOK_SECONDS = 0.1
KIB, MB = 1024, 1e6  # bytes
STATUS = Path("/proc/self/status")


@dataclass
class Room:
    """bot.platform.Platform, and at once the adapter that serves it."""

    name: str = NAME
    limits: Limits = LIMITS
    _heard: dict[str, Heard] = field(default_factory=dict)  # by the message
    _answers: dict[str, Heard] = field(default_factory=dict)  # by the bot's message
    _ids: count[int] = field(default_factory=lambda: count(1))

    def check(self, config: Config) -> None: ...

    async def account(self, config: Config) -> str:
        return NAME

    async def run(self, services: Services, opened: Callable[[str], None]) -> None:
        """Take a message a line until there are no more, and tell what became of them."""
        services.bot.attach(self)
        while not any(engine.health for engine in await services.bot.actions.engines()):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(LOOK_SECONDS)
        tell(Ready(memory=memory()))
        await self._listen(services.bot)
        tell(Observed(memory=memory(), heard=list(self._heard.values())))

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        message_id = f"b{next(self._ids)}"
        if reply_to in self._heard:
            self._answers[message_id] = self._heard[reply_to]
            _note(self._heard[reply_to], message)
        return message_id

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        _note(self._answers[message_id], message)

    async def delete(self, place: Place, message_id: str) -> None: ...

    async def typing(self, place: Place) -> None: ...

    async def _listen(self, bot: Bot) -> None:
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        async with asyncio.TaskGroup() as tasks:
            async for line in lines:
                tasks.create_task(self._take(bot, Message.model_validate_json(line)))
        until = monotonic() + PATIENCE_SECONDS
        while monotonic() < until and any(heard.asks and heard.ended is None for heard in self._heard.values()):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(LOOK_SECONDS)

    async def _take(self, bot: Bot, message: Message) -> None:
        heard = self._heard[message.name] = Heard(at=message.at, asks=message.asks)
        place = Place(NAME, f"channel{message.channel}", server="bench")
        person = Author(NAME, f"person{message.channel}", f"Person {message.channel}")
        address = Address.MENTION if message.asks else Address.OVERHEARD
        await bot.handle(Incoming(message.name, place, person, address, datetime.now(UTC), f"What is {message.name} good for?"))
        heard.taken = monotonic()


def tell(line: BaseModel) -> None:
    sys.stdout.write(f"{line.model_dump_json()}\n")
    sys.stdout.flush()


def memory() -> Memory | None:
    if not STATUS.exists():
        return None
    kilobytes = {
        name: value.split()[0] for name, _, value in (line.partition(":") for line in STATUS.read_text().splitlines()) if value.strip()
    }
    return Memory(now=int(kilobytes["VmRSS"]) * KIB / MB, most=int(kilobytes["VmHWM"]) * KIB / MB)


def _note(heard: Heard, message: Outgoing) -> None:
    """The stand-in's first word is two times (adapters/bench/stand_in_engine.py)."""
    now, first = monotonic(), message.text.partition(" ")[0]
    if heard.shown is None and ":" in first:
        received, answered = first.split(":")
        heard.received, heard.answered, heard.shown = float(received), float(answered), now
    if message.final:
        heard.ended = now
