"""The engines of our own on the devices that are configured: one on each where the model fits on one, else one over all.

`gander model plan` says what fits: the engine knows the model and the cards.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bot.config.schema import EngineOptions
from bot.engines.environment import engine_environment
from bot.engines.process import EngineChild, supervised
from bot.errors import EngineStartError


class Arrangement(BaseModel):
    """What `gander model plan` says of several devices."""

    engines: list[tuple[str, ...]]


@asynccontextmanager
async def running_engines(
    home: Path, options: EngineOptions, *, private: bool = False, lasting: bool = False
) -> AsyncIterator[Sequence[EngineChild]]:
    """Engines that are listening and supervised inside the block, and stopped after it. Raises EngineStartError.

    `private`, `lasting`: see EngineChild.
    """
    groups = await arrange(home, options) if len(options.devices) > 1 else [options.devices]
    engines = [options.model_copy(update={"devices": devices}) for devices in groups]
    each = [
        EngineChild(home, options.model, (*engine.arguments, *engine.adapter_arguments), private=private, lasting=lasting)
        for engine in engines
    ]
    async with supervised(each) as children:
        yield children


async def arrange(home: Path, options: EngineOptions) -> list[tuple[str, ...]]:
    """The devices of each engine. Raises EngineStartError with the engine's own words."""
    arguments = (sys.executable, "-P", "-m", "engine", "model", "plan", options.model, "--json", *options.arguments)
    process = await asyncio.create_subprocess_exec(*arguments, stdout=PIPE, stderr=PIPE, env=engine_environment(home))
    said, complaint = await process.communicate()
    try:
        return Arrangement.model_validate_json(said).engines
    except ValidationError:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineStartError(f"The engine can't say how to use {', '.join(options.devices)}: {last}") from None
