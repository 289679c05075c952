"""Finds out that an engine of ours hangs: its process lives, and does not say how it is, or says that it can't go on."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final

from bot.errors import BotError
from engine.api import Health

LOOK_SECONDS: Final = 5.0  # between two looks
MISSES: Final = 3  # in a row: a machine that is very busy may miss one
OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # a look that this process could not make says nothing of the engine


async def until_hung(look: Callable[[], Awaitable[Health]]) -> str:
    """Wait until an engine hangs; the reason. `look`: asks for its health, and raises BotError where that fails."""
    misses = 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (reason := await fault(look)) is None:
            misses = 0
        elif (misses := misses + 1) == MISSES:
            return reason


async def fault(look: Callable[[], Awaitable[Health]]) -> str | None:
    """What is wrong with the engine now, if anything."""
    try:
        health = await look()
    except BotError as error:
        cause = error.__cause__
        return None if isinstance(cause, OSError) and cause.errno in OURS else str(error)
    return (health.detail or "it failed") if health.status == "failed" else None
