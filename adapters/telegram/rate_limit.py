"""Telegram takes about thirty messages a second from one bot, over all chats: more are spread out, none is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

MESSAGES_A_SECOND = 30.0
AT_ONCE = 10  # after a rest


class RateLimit:
    """Spaces sends a thirtieth of a second apart when there are many. Limits of single chats are in bot/delivery/edit_scheduler.py."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due = float("-inf")  # when the last turn would have been, had all kept the pace

    async def turn(self) -> None:
        await asyncio.sleep(self.take())

    def take(self) -> float:
        """Take the next turn. Returns the seconds until it."""
        now = self._clock()
        self._due = max(self._due + 1 / MESSAGES_A_SECOND, now - (AT_ONCE - 1) / MESSAGES_A_SECOND)
        return max(self._due - now, 0.0)
