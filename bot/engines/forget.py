"""Tells engines what was deleted: of pictures and conversations they keep what lets them answer a follow-up sooner.

What they are owed is stored with each deletion (store/owed_forgets.py), so that neither a restart nor an engine that is away loses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import time
from typing import Final, Protocol

import structlog

from bot.background import start
from bot.engines.engine import Engine
from bot.engines.process import OwnEngine
from bot.errors import BotError
from bot.store import owed_forgets
from bot.store.database import Database
from bot.store.owed_forgets import OwedForget

LOOK_SECONDS: Final = 2.0  # between two looks at what other bots deleted, and between two tries while an engine is away
AFTER_SECONDS: Final = 1.0  # after the end of an answer, which an engine hears of by another connection
REPLY_SECONDS: Final = 3.0  # that whoever deletes something waits for engines that are there
REGISTER_SECONDS: Final = 3600.0  # between two words of a bot that it still has its engines
MOST: Final = 10_000  # pictures of one call

log = structlog.get_logger(__name__)


class KnownEngine(Protocol):
    """An engine as the dispatcher knows it."""

    @property
    def engine(self) -> Engine: ...

    @property
    def rows(self) -> int:
        """0: it can't be asked now."""
        ...

    @property
    def job_ids(self) -> frozenset[int]:
        """Of the jobs that it works on."""
        ...


class EngineForgetting:
    """One bot's engines, and what they are owed. `owner`: the bot's name."""

    def __init__(self, database: Database, owner: str, engines: Sequence[KnownEngine]) -> None:
        self._database = database
        self._owner = owner
        self._engines: Mapping[str, KnownEngine] = {name_of(known.engine, owner, number): known for number, known in enumerate(engines)}
        self._begun: dict[str, set[int]] = {name: set() for name in self._engines}  # rows that are being told, by engine
        self._complained: set[str] = set()  # engines of which the log says that they could not be told
        self._deleted = asyncio.Event()
        self._news = asyncio.Condition()

    def forget(self, sha256s: Sequence[str]) -> None:
        """Something was deleted: look now what is owed."""
        self._deleted.set()

    async def still_owed(self) -> int:
        """How many engines nobody told yet of what was deleted, after a moment for those that are there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_SECONDS), self._news:
                while await self._waits_for_one_that_is_there():
                    await self._news.wait()
        return await self._database.read(owed_forgets.engines_owed)

    async def register(self) -> None:
        """Store which engines this bot has: from then on whatever is deleted is owed to them."""
        if gone := await self._database.write(owed_forgets.register, self._owner, tuple(self._engines), time()):
            remedy = "name it in engine.url once more, or empty engine/pictures in its GANDER_HOME and start it anew"
            log.warning("engine_gone_with_deleted", engines=gone, reason="it was not told what was deleted", remedy=remedy)

    async def run(self) -> None:
        """Until cancelled. After `register`."""
        registered = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._deleted.clear()
                if asyncio.get_running_loop().time() - registered > REGISTER_SECONDS:
                    registered = asyncio.get_running_loop().time()
                    await self.register()
                await self._tell_all(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._deleted.wait()

    async def _tell_all(self, tasks: asyncio.TaskGroup) -> None:
        before = {name: frozenset(begun) for name, begun in self._begun.items()}  # may be confirmed since they are read
        owed = await self._database.read(owed_forgets.owed, self._owner)
        for name, known in self._engines.items():
            new = [each for each in owed if each.engine == name and each.id not in before[name] | self._begun[name]]
            if new and known.rows:
                self._begun[name].update(each.id for each in new)
                start(tasks, self._tell_twice(name, known, new))

    async def _tell_twice(self, name: str, known: KnownEngine, owed: Sequence[OwedForget]) -> None:
        """Now, and when the jobs of now are over: one of them may be about what was deleted, and leave it behind."""
        under_way = known.job_ids
        if told := await self._tell(name, known, owed):
            await self._database.write(owed_forgets.note_told, name, owed)
        async with self._news:
            self._news.notify_all()
        if told:
            while under_way & known.job_ids:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(AFTER_SECONDS)
            await asyncio.sleep(AFTER_SECONDS)
            if await self._tell(name, known, owed):
                await self._database.write(owed_forgets.confirm, self._owner, name, owed)
        self._begun[name].difference_update(each.id for each in owed)  # unconfirmed, they are told anew

    async def _tell(self, name: str, known: KnownEngine, owed: Sequence[OwedForget]) -> bool:
        """Whether the engine says that it forgot them."""
        sha256s = tuple(dict.fromkeys(sha256 for each in owed for sha256 in each.sha256s))
        try:
            for begin in range(0, max(len(sha256s), 1), MOST):
                await known.engine.forget(sha256s[begin : begin + MOST])
        except BotError as error:
            if name not in self._complained:
                log.warning("engine_keeps_deleted", engine=name, reason=str(error), remedy="it is told again, also after a restart")
            self._complained.add(name)
            return False
        self._complained.discard(name)
        return True

    async def _waits_for_one_that_is_there(self) -> bool:
        owed = await self._database.read(owed_forgets.owed, self._owner)
        there = {name for name, known in self._engines.items() if known.rows and name not in self._complained}
        return any(each.engine in there and not each.told for each in owed)


def name_of(engine: Engine, owner: str, number: int) -> str:
    """By which an engine is known over restarts: the port of one of our own is another each time."""
    return f"{owner}'s own engine {number}" if isinstance(engine, OwnEngine) else engine.name
