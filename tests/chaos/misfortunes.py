"""What befalls the bot, its engine, its database and the platforms while people ask. All of it is over when its function returns."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.stage import Stage

VICTIMS = (("bot",), ("engine",), ("bot", "engine"), ("database",), ("bot", "database"))
LET_START = 0.8  # of the kills: a bot that serves
JUMPS = (-7_200.0, -60.0, 60.0, 7_200.0, 100_000.0)  # seconds


@dataclass(frozen=True)
class Pace:
    """How fast it all comes, in seconds: `between` two kills and between two misfortunes, between two questions (`asking`, on average),
    how `long` a misfortune lasts, at most, how long a platform is `down`, and how long an engine is `stopped`."""

    between: tuple[float, float] = (2.0, 10.0)
    asking: float = 2.5
    long: float = 8.0
    down: float = 60.0
    stopped: float = 50.0


BRIEF = Pace(between=(0.7, 1.8), asking=0.8, long=2.0, down=3.0, stopped=2.0)


async def disk_full(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.fill_disk(full=True)
    await asyncio.sleep(draw.uniform(0.5, pace.long))
    stage.fill_disk(full=False)


async def database_locked(stage: Stage, draw: random.Random, pace: Pace) -> None:
    async with stage.turns, stage.store.locked():  # a server that is killed meanwhile would not be one that is locked
        await asyncio.sleep(draw.uniform(0.5, pace.long))


async def clock_jumps(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.set_clock(draw.choice(JUMPS))
    await asyncio.sleep(draw.uniform(0.5, pace.long))
    stage.set_clock(0)


async def telegram_down(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.telegram.down = True
    await asyncio.sleep(pace.down)
    stage.telegram.down = False


async def discord_down(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.discord.down = True
    await asyncio.sleep(pace.down)
    stage.discord.down = False


async def replies_lost(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.telegram.deaf = stage.discord.deaf = True
    await asyncio.sleep(draw.uniform(0.5, pace.long))
    stage.telegram.deaf = stage.discord.deaf = False


async def engine_without_memory(stage: Stage, draw: random.Random, pace: Pace) -> None:
    stage.engine.signal(signal.SIGUSR1)
    await asyncio.sleep(draw.uniform(0.5, pace.long))


async def engine_stopped(stage: Stage, draw: random.Random, pace: Pace) -> None:
    async with stage.turns:
        stage.engine.signal(signal.SIGSTOP)
        await asyncio.sleep(draw.uniform(0.5, pace.stopped))
    if draw.random() < 0.5:
        stage.engine.signal(signal.SIGCONT)
    else:  # as whoever watches over it does in the end
        await stage.kill("engine")


MISFORTUNES: tuple[Callable[[Stage, random.Random, Pace], Awaitable[None]], ...] = (
    disk_full,
    database_locked,
    clock_jumps,
    telegram_down,
    discord_down,
    replies_lost,
    engine_without_memory,
    engine_stopped,
)


async def kill_at_random(stage: Stage, draw: random.Random, pace: Pace) -> None:
    """Until cancelled. Mostly the bot is let start first, or a slow machine would see nothing but starts."""
    while True:
        if draw.random() < LET_START:
            await stage.until_served()
        await asyncio.sleep(draw.uniform(*pace.between))
        await stage.kill(*draw.choice(VICTIMS))


async def misfortunes_at_random(stage: Stage, draw: random.Random, pace: Pace) -> None:
    """Each once in a random order, and again, until cancelled."""
    while True:
        for befall in draw.sample(MISFORTUNES, len(MISFORTUNES)):
            await asyncio.sleep(draw.uniform(*pace.between))
            stage.troubles[befall.__name__] = stage.troubles.get(befall.__name__, 0) + 1
            await befall(stage, draw, pace)


def calm(stage: Stage) -> None:
    """Whatever was under way is over."""
    stage.set_clock(0)
    stage.fill_disk(full=False)
    stage.engine.signal(signal.SIGCONT)
    stage.telegram.down = stage.telegram.deaf = stage.discord.down = stage.discord.deaf = False
