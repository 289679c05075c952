"""`python -m tests.cluster.throughput`: tokens a second of two engines on Ray against one, and against one without Ray.

The figures are of this machine: on two cores the engines, Ray and this program share them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import aiohttp

from bot.config.load import data_home
from bot.engines.client import EngineClient
from bot.engines.process import running_engine
from engine.api import ChatRequest, Message
from tests.cluster.conftest import running

STREAMS, ANSWERS, TOKENS = 8, 24, 100


async def tokens_a_second(engine: EngineClient) -> float:
    """Of ANSWERS answers, STREAMS at once; the first of each stream warms up."""
    requests = iter(range(ANSWERS + STREAMS))
    done: list[float] = []

    async def stream() -> None:
        for number in requests:
            said = (Message(role="user", content=f"Tell me about goose number {number}."),)
            request = ChatRequest(messages=said, max_tokens=TOKENS, min_tokens=TOKENS, temperature=0)
            async for _ in engine.stream(request):
                pass
            done.append(monotonic())

    async with asyncio.TaskGroup() as tasks:
        for _ in range(STREAMS):
            tasks.create_task(stream())
    begun = done[STREAMS - 1]
    return ANSWERS * TOKENS / (done[-1] - begun)


async def ready(engine: EngineClient, rows: int) -> None:
    while (await engine.health()).rows < rows:  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0.5)


async def on_ray(home: Path, replicas: int) -> float:
    with ExitStack() as stack:
        arguments = ("--replicas", str(replicas), "--rows", str(STREAMS // replicas), "--dtype", "auto")
        cluster = await asyncio.to_thread(stack.enter_context, running(home, *arguments))
        async with aiohttp.ClientSession() as session:
            engine = EngineClient(session, cluster.url)
            await ready(engine, STREAMS)
            return await tokens_a_second(engine)


async def alone(home: Path) -> float:
    async with running_engine(home, "pocket", ("--rows", str(STREAMS)), private=True) as child, aiohttp.ClientSession() as session:
        engine = EngineClient(session, await child.url(), child.key)
        await ready(engine, STREAMS)
        return await tokens_a_second(engine)


async def main(home: Path) -> None:
    for name, measured in (("without Ray", alone(home)), ("one on Ray", on_ray(home, 1)), ("two on Ray", on_ray(home, 2))):
        sys.stdout.write(f"{name}: {await measured:.0f} tokens/s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(data_home(os.environ)))
