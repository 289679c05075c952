"""Plays the rooms through the real core, store and engine, and waits until everything is answered."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from time import monotonic

from adapters.run import running
from adapters.services import open_engines, open_services
from bot.config.schema import Config
from bot.event_handler import EventHandler
from bot.message import Author
from tests.load.chat import NAME, LoadChat
from tests.load.held_watch import watching_held
from tests.load.people import IN_A_ROOM, rooms
from tests.load.report import Report, report

PATIENCE_SECONDS = 300.0  # for what is still in line when everybody has left


@dataclass(frozen=True, slots=True)
class Load:
    """`speed`: the stand-in's words a second in each of its `rows`; `every`: seconds between one person's questions."""

    people: int
    seconds: float
    every: float
    engine: str  # stand-in, or the name of a model
    speed: float
    rows: int
    limits: Mapping[str, float] = field(default_factory=dict)  # options of that section
    in_a_room: int = IN_A_ROOM  # people; a room is written to once a second, as Discord allows


async def play(load: Load, home: Path, engine_home: Path, seed: int) -> Report:
    random, chat = Random(seed), LoadChat()
    async with AsyncExitStack() as stack:
        options = await stack.enter_async_context(engine_options(load))
        engines = await stack.enter_async_context(open_engines(options, engine_home))
        services = await stack.enter_async_context(open_services(options, home, engines))
        await stack.enter_async_context(running(services))
        services.bot.attach(chat)
        await loaded(services.bot)
        places = rooms(services.bot, chat, load.people, load.in_a_room, random)
        for room in places:
            await room.open()
        async with watching_held(services.bot) as held:
            async with asyncio.TaskGroup() as everybody:
                for number in range(load.people):
                    person = Author(NAME, f"p{number}", f"Person {number}")
                    everybody.create_task(places[number % len(places)].live(person, load.seconds, load.every))
            await settled(chat)
            await services.bot.drain()  # what is shown is still to be written down
    return replace(report(list(chat.questions.values())), held=held)


@asynccontextmanager
async def engine_options(load: Load) -> AsyncIterator[Config]:
    """The configuration that leads to the engine; the stand-in lives as long as the block."""
    access = {"access": {"everyone": True}, "limits": dict(load.limits)}
    if load.engine != "stand-in":
        yield Config.model_validate({"engine": {"model": load.engine}, **access})
        return
    arguments = ("-m", "tests.end_to_end.stand_in_engine", "0", str(load.rows), str(1 / load.speed))
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    if child.stdout is None:
        raise RuntimeError("the stand-in has no standard output")
    try:
        port = int(await child.stdout.readline())
        yield Config.model_validate({"engine": {"url": f"http://127.0.0.1:{port}"}, **access})
    finally:
        child.terminate()
        await child.wait()


async def loaded(core: EventHandler) -> None:
    """Wait until an engine is ready: loading a model is not what is measured."""
    while not any(engine.health and engine.health.status == "ready" for engine in await core.actions.engines()):  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0.2)


async def settled(chat: LoadChat) -> None:
    """Wait until nothing is owed, or for so long that it is lost."""
    until = monotonic() + PATIENCE_SECONDS
    while monotonic() < until and chat.owes:  # noqa: ASYNC110 - what is seen is in no one's hands to announce
        await asyncio.sleep(0.2)
