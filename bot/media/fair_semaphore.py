"""A semaphore that is fair between people: next is who holds the least of it, and of these who got it longest ago.

So one person's many files hold up nobody else's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count


@dataclass(eq=False, slots=True)
class Waiter:
    whose: str
    weight: int
    entered: asyncio.Future[None]


class FairSemaphore:
    """`room`: how much all together may hold; `each`: how much one person may; both in the unit of the weights."""

    def __init__(self, room: int, each: int | None = None) -> None:
        self._room = room
        self._each = room if each is None else each
        self._inside: Counter[str] = Counter()  # by person
        self._waiting: list[Waiter] = []
        self._entries = count(1)
        self._last: dict[str, int] = {}  # entry of each person who is inside or waits

    @asynccontextmanager
    async def inside(self, whose: str, weight: int = 1) -> AsyncIterator[None]:
        """Wait for room, and hold `weight` of it during the block. A weight above `each` counts as `each`."""
        weight = min(weight, self._each)
        waiting = Waiter(whose, weight, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._admit()
        try:
            await waiting.entered
            yield
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._inside[whose] -= weight
                self._inside += Counter()  # forgets those who have nothing inside
            if not self._inside[whose] and all(each.whose != whose for each in self._waiting):
                self._last.pop(whose, None)
            self._admit()

    def _admit(self) -> None:
        while fitting := [each for each in self._waiting if self._fits(each)]:
            chosen = min(fitting, key=lambda each: (self._inside[each.whose], self._last.get(each.whose, 0)))
            self._waiting.remove(chosen)
            self._inside[chosen.whose] += chosen.weight
            self._last[chosen.whose] = next(self._entries)
            if not chosen.entered.done():
                chosen.entered.set_result(None)

    def _fits(self, waiting: Waiter) -> bool:
        left = self._room - self._inside.total()
        return waiting.weight <= min(left, self._each - self._inside[waiting.whose])
