"""Room is shared between people: next is who holds least, and one person never holds all of it."""

from __future__ import annotations

import asyncio

from bot.media.fair_semaphore import FairSemaphore


async def test_who_holds_least_is_next_whoever_came_first() -> None:
    semaphore, order = FairSemaphore(2), list[str]()

    async def take(whose: str, name: str) -> None:
        async with semaphore.inside(whose):
            order.append(name)

    async with semaphore.inside("ann"):
        async with semaphore.inside("ann"):
            waiting = [("ann", "ann's third"), ("ann", "ann's fourth"), ("ben", "ben's first")]
            tasks = [asyncio.create_task(take(whose, name)) for whose, name in waiting]
            await asyncio.sleep(0)
            assert order == []
        await asyncio.gather(*tasks)
    assert order == ["ben's first", "ann's third", "ann's fourth"]


async def test_one_person_never_holds_more_than_their_part() -> None:
    semaphore = FairSemaphore(10, each=4)
    entered = asyncio.Event()

    async def second() -> None:
        async with semaphore.inside("ann", 2):
            entered.set()

    async with asyncio.TaskGroup() as tasks:
        async with semaphore.inside("ann", 3):
            tasks.create_task(second())
            async with semaphore.inside("ben", 4):
                assert not entered.is_set()
        await entered.wait()


async def test_what_is_heavier_than_a_persons_part_counts_as_that_and_who_gives_up_leaves_room() -> None:
    semaphore = FairSemaphore(4)
    async with semaphore.inside("ann", 100):
        waiting = asyncio.create_task(semaphore.inside("ben", 1).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    async with semaphore.inside("cleo", 4):  # all of the room: nobody holds any of it
        assert waiting.cancelled()
