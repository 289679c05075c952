"""What `gander doctor` finds beyond this machine: whether the platforms take their tokens, and whether the engines answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence

import aiohttp

from adapters.cli.doctor_findings import Finding
from adapters.registry import configured, load
from bot.config.load import check_ready_for_public
from bot.config.schema import Config
from bot.engines.client import EngineClient
from bot.errors import BotError, ConfigError, DeliveryError, EngineRefused

PATIENCE_SECONDS = 20.0  # with each of them
TITLES = {"discord": "Discord", "telegram": "Telegram"}


async def look_elsewhere(config: Config) -> Sequence[Finding]:
    """All of them are asked at once."""
    platforms = [name for name in configured(config) if name in TITLES]
    findings = await asyncio.gather(*(_within(look) for look in (*_platforms(platforms, config), *_engines(config))))
    return [*findings, *_access(config)]


def _platforms(names: Iterable[str], config: Config) -> Iterable[tuple[str, Coroutine[None, None, Finding]]]:
    return [(TITLES[name], _look_at_platform(name, config)) for name in names]


def _engines(config: Config) -> Iterable[tuple[str, Coroutine[None, None, Finding]]]:
    return [("engine", _look_at_engine(url, config)) for url in config.engine.remote]


async def _within(look: tuple[str, Coroutine[None, None, Finding]]) -> Finding:
    what, looking = look
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await looking
    except TimeoutError:
        return Finding(what, f"no answer within {PATIENCE_SECONDS:.0f} s", "Check the network, and network.proxy.", missing=True)


async def _look_at_platform(name: str, config: Config) -> Finding:
    try:
        account = await load(name).account(config)
    except ConfigError as error:
        return Finding(TITLES[name], str(error), missing=True)
    except DeliveryError as error:
        return Finding(TITLES[name], str(error), "Check the network, and network.proxy.", missing=True)
    return Finding(TITLES[name], f"signed in as {account}")


async def _look_at_engine(url: str, config: Config) -> Finding:
    key = config.engine.key.get_secret_value() if config.engine.key else None
    async with aiohttp.ClientSession() as session:
        client = EngineClient(session, url, key, model=config.engine.wanted)
        try:
            health = await client.health()
        except EngineRefused as error:
            return Finding("engine", str(error), missing=True)
        except BotError as error:
            return Finding("engine", str(error).rstrip("."), "Start it, or mend engine.url.", missing=True)
    if health.status == "failed":
        return Finding("engine", f"{client.name} can't answer: {health.detail}", "Its own log says more.", missing=True)
    return Finding("engine", f"{health.model} at {client.name}, {health.status}")


def _access(config: Config) -> Sequence[Finding]:
    try:
        check_ready_for_public(config)
    except ConfigError as error:
        return [Finding("access", str(error), missing=True)]
    return []
