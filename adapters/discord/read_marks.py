"""How far each channel was read, so that what was sent while the bot was away can be found: Discord does not tell it again.

A message counts as read when the bot has stored it; a mark never passes one that is still being dealt with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn

from adapters.discord.places import NAME
from bot.api import Bot
from bot.message import Place

KEEP_SECONDS: Final = 2.0  # between two writes of how far was read
HOLD_SECONDS: Final = 120.0  # that a question waits until those sent before it are found


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(eq=False, slots=True)
class Trail:
    """One channel. Ids are Discord's, which grow with time."""

    place: Place
    mark: int  # every message up to here is dealt with
    newest: int = 0
    open: set[int] = field(default_factory=set)  # being dealt with
    done: set[int] = field(default_factory=set)  # dealt with, after `mark`
    gap: bool = False  # the connection was lost: between `mark` and what is told now others may lie
    wanted: bool = False  # somebody waits until the gap is closed
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of those who wait: who comes as the gap is closed is behind them
    closed: asyncio.Event = field(default_factory=_set)  # set: there is no gap

    def begin(self, message: int) -> None:
        self.open.add(message)
        self.newest = max(self.newest, message)

    def end(self, message: int) -> None:
        self.open.discard(message)
        self.done.add(message)
        self.settle()

    def close(self) -> None:
        """What lay in the gap was found, or can't be."""
        self.gap = self.wanted = False
        self.closed.set()
        self.settle()

    def settle(self) -> None:
        if self.gap:
            return
        self.mark = max(self.mark, min(self.open) - 1 if self.open else self.newest)
        self.done = {each for each in self.done if each > self.mark}

    def misses(self, message: int) -> bool:
        """Whether nobody has dealt with this one, or does."""
        return message > self.mark and message not in self.open and message not in self.done


class Seen:
    """The trails of the channels where somebody has spoken to the bot: the others have nothing that it could miss. `mine`: whether this
    connection is told of what is said in a place."""

    def __init__(self, bot: Bot, mine: Callable[[Place], bool] = lambda place: True) -> None:
        self._bot = bot
        self._mine = mine
        self._trails: dict[str, Trail] = {}  # by place
        self._kept: dict[str, int] = {}  # marks, as they are stored

    async def restore(self) -> None:
        """Take up what was kept before a restart."""
        for place, event in (await self._bot.last_seen(NAME)).items():
            if self._mine(place):
                self._trails[place.key] = Trail(place, int(event))
                self._kept[place.key] = int(event)

    def interrupt(self) -> None:
        """The connection is a new one: of what was sent before it nothing is told."""
        for trail in self._trails.values():
            trail.gap = True
            trail.closed.clear()

    def gaps(self) -> list[Trail]:
        """The channels in which something may have been missed."""
        return [trail for trail in self._trails.values() if trail.gap]

    async def in_order(self, place: Place, message: int) -> None:
        """Wait until what was sent before this one is found, if it may have been missed: else it would be answered before them."""
        trail, until = self._trails.get(place.key), asyncio.get_running_loop().time() + HOLD_SECONDS
        if trail is None:
            return
        if trail.gap:
            trail.begin(message)  # it is not missed itself
            trail.wanted = True
        async with trail.turn:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await trail.closed.wait()

    async def know(self, place: Place, event: int) -> None:
        """Somebody has spoken to the bot there: what is sent after this event is missed when the bot is away."""
        if place.key not in self._trails:
            await self._keep([self._add(place, event)])

    @asynccontextmanager
    async def reading(self, place: Place, message: int, *, heard: bool) -> AsyncIterator[None]:
        """Within this block a message is dealt with; `heard`: it is for the bot. One that is cut off by the program's end is looked for
        at the next start."""
        trail = self._trails.get(place.key)
        if trail is not None:
            trail.begin(message)
        elif heard:
            trail = self._add(place, message - 1)
            trail.begin(message)
            await self._keep([trail])  # or a kill would lose the first question of all
        try:
            yield
        finally:
            task = asyncio.current_task()
            if trail is not None and not (task and task.cancelling()):
                trail.end(message)

    def _add(self, place: Place, mark: int) -> Trail:
        trail = self._trails[place.key] = Trail(place, mark)
        return trail

    async def follow(self) -> NoReturn:
        """Write down now and then how far was read. Until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(KEEP_SECONDS)
                await self._keep(self._trails.values())
        finally:
            await self._keep(self._trails.values())

    async def _keep(self, trails: Iterable[Trail]) -> None:
        changed = {trail.place: trail.mark for trail in trails if self._kept.get(trail.place.key) != trail.mark}
        if changed:
            await self._bot.keep_seen({place: str(mark) for place, mark in changed.items()})
            self._kept |= {place.key: mark for place, mark in changed.items()}
