"""One event from its arrival until it is dealt with: it has a place in the order, and can be withdrawn until it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Final

from bot.errors import Withdrawn

PATIENCE_SECONDS: Final = 2.0  # for which messages of others wait for what takes long by itself


@dataclass(eq=False, slots=True)
class Arrival:
    """One event that is being read, fetched or stored."""

    place: str
    event: str
    person: str
    came: float = field(default_factory=time)  # Unix seconds: of two questions, the conversation goes on from the one that came later
    _came: float = field(default_factory=monotonic)  # the same, by a clock that nobody sets
    points: bool = True  # False: the conversation was reset since, and does not go on from here
    asks: bool = True  # whether it is a question, as far as is known
    read: bool = False  # its adapter has read all of it and handed it to the bot
    storing: bool = False  # it can't be withdrawn any more
    over: asyncio.Event = field(default_factory=asyncio.Event)
    passable: asyncio.Event = field(default_factory=asyncio.Event)  # later messages of others need not wait for it
    _patience: asyncio.TimerHandle | None = None
    _withdrawn: bool = False
    _work: asyncio.Timeout | None = None

    @property
    def waited(self) -> float:
        """Seconds since it came, however the machine's clock was set meanwhile."""
        return monotonic() - self._came

    def end(self) -> None:
        """It is dealt with."""
        self._hold()
        self.over.set()
        self.passable.set()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Files are being fetched in this block, or a command is carried out: others wait PATIENCE_SECONDS for that. For anything else,
        as for a database or a platform that is away, they wait as long as it takes, for it keeps them all from being stored."""
        self._hold()
        self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self.passable.set)
        try:
            yield
        finally:
            self._hold()

    @contextmanager
    def behind_slow(self) -> Iterator[None]:
        """In this block it waits for what others need not wait for: so they need not wait for this one either."""
        self.passable.set()
        try:
            yield
        finally:
            self._hold()

    def _hold(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self.passable.clear()

    def withdraw(self) -> None:
        """The person took it back: the block of `wanted` is cancelled, if it runs."""
        self._withdrawn = True
        if self._work is not None:
            self._work.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def wanted(self) -> AsyncIterator[None]:
        """The block is cancelled when the event is withdrawn, and raises Withdrawn."""
        if self._withdrawn:
            raise Withdrawn("taken back before it was stored")
        self.asks = True
        self._hold()
        try:
            async with asyncio.timeout(None) as self._work:
                yield
            self.storing = True
        except TimeoutError:
            if self._withdrawn:
                raise Withdrawn("taken back before it was stored") from None
            raise
        finally:
            self._work = None
