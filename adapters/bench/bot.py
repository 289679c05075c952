"""The bot under measurement, in a process of its own: `python -m adapters.bench.bot HOME ENGINE_URL`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from adapters.bench.platform import Room
from adapters.registry import MODULES, load
from adapters.run import serve
from adapters.services import open_engines
from bot.config.logging import configure_logs
from bot.config.schema import Config
from bot.errors import ConfigError

MANY = 100_000  # questions at once: that the bot refuses is not what is measured


async def main(home: Path, engine: str) -> None:
    for name in MODULES:  # they take their time and memory, as if their tokens were set
        with suppress(ConfigError):  # not installed
            load(name)
    limits = {"questions_overall": MANY, "questions_per_person": MANY, "cooldown_seconds": 0}
    config = Config.model_validate({"engine": {"url": engine}, "access": {"everyone": True}, "limits": limits})
    configure_logs(config.logging)
    async with open_engines(config, home) as engines:
        await serve(config, home, engines, {"bench": Room()}, print, "bench")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
