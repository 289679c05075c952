"""An update is confirmed to Telegram when it is stored and not before, by polling and by webhook."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from adapters.telegram.client import signed_in
from adapters.telegram.panels import Panels
from adapters.telegram.polling import Poller
from adapters.telegram.webhook import HEADER, Webhook
from bot.message import Incoming
from bot.texts import load_texts
from tests.adapters.conformance import Listener
from tests.adapters.strict.telegram.server import BotApi, serving
from tests.adapters.strict.telegram.world import ANN, BOB, Json
from tests.adapters.telegram.rig import config, inbox, whole


@dataclass
class SlowStore(Listener):
    """A core whose store is busy with what Ann says until it is `free`."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, incoming: Incoming) -> None:
        if incoming.author.id == str(ANN["id"]):
            self.begun.set()
            await self.free.wait()
        await super().handle(incoming)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_polling_confirms_nothing_that_is_not_stored_and_holds_up_nobody_else() -> None:
    api, bot = BotApi(), SlowStore()
    async with serving(api) as address, signed_in(config(address)) as account, asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(Poller(account.client, inbox(account, bot, Panels(load_texts())), poll_seconds=1).run())
        await api.world.say(api.world.private(ANN), "slow")
        await bot.begun.wait()
        first = api.world.updates[0]["update_id"]
        for number in range(3):
            await api.world.say(api.world.private(BOB), f"quick {number}", by=BOB)
        await bot.hears(3)
        assert [heard.incoming.text for heard in bot.heard] == ["quick 0", "quick 1", "quick 2"]
        assert _offsets(api)[-1] <= first
        waiting = [each["update_id"] for each in api.world.updates]
        assert (waiting[0], len(waiting)) == (first, 4)
        bot.free.set()
        await bot.hears(4)
        async with asyncio.timeout(10):
            while api.world.updates:  # noqa: ASYNC110  # the server learns of it by the next request
                await asyncio.sleep(0.01)
        polling.cancel()
    assert [heard.incoming.text for heard in bot.heard][3:] == ["slow"]
    assert _offsets(api)[-1] == waiting[-1] + 1


async def test_the_webhook_answers_when_the_update_is_stored(port: int) -> None:
    api, bot = BotApi(), SlowStore()
    async with _by_webhook(api, bot, port) as http:
        await api.world.say(api.world.private(ANN), "slow")
        answering = asyncio.create_task(_post(api, http, api.world.updates[0]))
        await bot.begun.wait()
        assert bot.heard == []
        assert not answering.done()
        bot.free.set()
        assert await answering == 200
        assert [heard.incoming.text for heard in bot.heard] == ["slow"]


async def test_an_update_that_could_not_be_stored_is_refused_to_the_webhook(port: int) -> None:
    class Broken(Listener):
        async def handle(self, incoming: Incoming) -> None:
            raise OSError("the disk is full")

    api, bot = BotApi(), Broken()
    async with _by_webhook(api, bot, port) as http:
        await api.world.say(api.world.private(ANN), "again")
        assert await _post(api, http, api.world.updates[0]) == 500
    assert bot.heard == []


async def test_the_same_update_twice_at_once_is_answered_once(tmp_path: Path, port: int) -> None:
    options = {"webhook_url": f"https://goose.example:{port}/", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Twice?")
        await telegram.world.say(chat, "/temperature 0.7")
        posts = [_post(telegram.api, http, update) for update in telegram.world.updates * 3]
        assert await asyncio.gather(*posts) == [200] * 6
        await telegram.answers(chat, 2)
        await telegram.until(lambda: not any(telegram.world.reactions.values()))
    texts = sorted(each["text"] for each in telegram.said(chat))
    assert [text.splitlines()[0] for text in texts] == ["You asked: Twice?", "temperature is now 0.7 for this chat."]


@asynccontextmanager
async def _by_webhook(api: BotApi, bot: Listener, port: int) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(api) as address:
        options = config(address, {"webhook_url": "https://goose.example/", "webhook_port": port})
        async with signed_in(options) as account, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            hook = Webhook(account.client, inbox(account, bot, Panels(load_texts())), options.telegram)
            running = asyncio.create_task(hook.run())
            async with asyncio.timeout(10):
                while api.webhook is None:  # noqa: ASYNC110  # the server is told when all is ready
                    await asyncio.sleep(0.01)
            yield http
            running.cancel()
            await asyncio.wait({running})


async def _post(api: BotApi, http: aiohttp.ClientSession, update: Json) -> int:
    async with http.post("/", json=update, headers={HEADER: str((api.webhook or {})["secret_token"])}) as response:
        return response.status


def _offsets(api: BotApi) -> list[int]:
    return [int(params.get("offset", 0)) for params in api.called("getUpdates")]
