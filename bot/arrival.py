"""One event on its way in: an adapter begins it, the core waits for it, and whoever takes the event back ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time

from bot.errors import Withdrawn


@dataclass(eq=False, slots=True)
class Arrival:
    """One event, from its coming until it is dealt with."""

    place: str
    event: str
    person: str
    at: float  # seconds on the clock
    came: float = field(default_factory=time)  # Unix seconds: a conversation goes on where the newest of them was asked
    points: bool = True  # False: the conversation was begun afresh since
    asks: bool = True  # as far as is known
    read: bool = False  # all that the platform tells of it is known
    storing: bool = False  # too late to be taken back
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _withdrawn: bool = False
    _work: asyncio.Timeout | None = None

    def withdraw(self) -> None:
        """Nobody wants it any more: what is done for it ends, if it is not being stored already."""
        self._withdrawn = True
        if self._work is not None:
            self._work.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def wanted(self) -> AsyncIterator[None]:
        """What is done in this block ends when it is withdrawn. Raises Withdrawn then."""
        if self._withdrawn:
            raise Withdrawn("taken back before it was stored")
        self.asks = True
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
