"""Who comes as a gap is closed is behind those who have waited for that."""

from __future__ import annotations

import asyncio

from adapters.discord.places import NAME
from adapters.discord.read_marks import Seen
from bot.message import Place
from tests.adapters.conformance import Listener

PLACE = Place(NAME, "1")


async def test_who_waits_for_a_gap_goes_before_who_comes_as_it_is_closed() -> None:
    seen, came = Seen(Listener()), list[int]()
    await seen.know(PLACE, 0)
    seen.interrupt()
    (trail,) = seen.gaps()

    async def receive(message: int) -> None:
        await seen.in_order(PLACE, message)
        came.append(message)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(receive(1))
        tasks.create_task(receive(2))
        await asyncio.sleep(0)
        tasks.create_task(receive(3))
        trail.close()
    assert came == [1, 2, 3]
    assert not trail.misses(2)
