"""Updates by webhook: one after the other to the address that was set, each again until it is taken, as Telegram does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.adapters.strict.telegram.server import BotApi

SECRET = "X-Telegram-Bot-Api-Secret-Token"


@asynccontextmanager
async def pushing(api: BotApi, address: str) -> AsyncIterator[list[int]]:
    """`address`: where the proxy in front of the bot brings what comes for its webhook. Gives what was answered, by status."""
    answered: list[int] = []
    task = asyncio.create_task(_push(api, address, answered))
    try:
        yield answered
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _push(api: BotApi, address: str, answered: list[int]) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            async with api.world.news:
                await api.world.news.wait_for(lambda: bool(api.world.updates))
            update, hook = api.world.updates[0], api.webhook
            if hook is not None:
                try:
                    async with http.post(address, json=update, headers={SECRET: str(hook.get("secret_token", ""))}) as response:
                        answered.append(response.status)
                except aiohttp.ClientError:
                    answered.append(0)
                if answered[-1] == 200:
                    api.world.updates.remove(update)
                    continue
            await asyncio.sleep(0.02)
