"""Work beside a block: what fails there reaches whoever is in the block, whatever that one waits for."""

from __future__ import annotations

import asyncio

import pytest

from bot.background import beside, start
from bot.errors import ConfigError, EngineStartError


async def failing() -> None:
    raise EngineStartError("the engine broke")


async def lasting(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("work")


async def test_a_failure_ends_a_block_that_would_wait_for_ever() -> None:
    with pytest.raises(EngineStartError, match="the engine broke"):
        async with beside(failing()):
            await asyncio.Event().wait()


async def test_the_work_s_failure_is_told_before_what_it_caused() -> None:
    async def block() -> None:
        async with beside(failing()):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ConfigError("nothing to clean up") from None

    with pytest.raises(EngineStartError):
        await block()


async def test_the_work_ends_with_the_block_and_the_block_s_own_error_is_raised_as_it_is() -> None:
    ended: list[str] = []
    async with beside(lasting(ended)):
        await asyncio.sleep(0)
    assert ended == ["work"]

    async def block() -> None:
        async with beside(lasting(ended)):
            await asyncio.sleep(0)
            raise ConfigError("of its own")

    with pytest.raises(ConfigError, match="of its own"):
        await block()
    assert ended == ["work", "work"]


async def test_a_block_that_is_cancelled_is_cancelled() -> None:
    ended: list[str] = []

    async def block() -> None:
        async with beside(lasting(ended)):
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["work"]


async def test_a_group_that_ends_takes_no_more_work() -> None:
    ended: list[str] = []

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(last(tasks))
            await asyncio.sleep(0)
            assert start(tasks, failing()) is not None

    async def last(tasks: asyncio.TaskGroup) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert start(tasks, lasting(ended)) is None

    with pytest.raises(ExceptionGroup, match="unhandled errors in a TaskGroup"):
        await group()
    assert ended == []
