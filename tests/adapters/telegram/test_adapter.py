"""Telegram in `gander run`: a token that does not work any more is one clear line, and takes nobody else with it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from adapters.services import open_services
from adapters.telegram import adapter
from adapters.web import adapter as web
from bot.errors import ConfigError
from tests.adapters.strict.telegram.server import ApiError, BotApi, serving
from tests.adapters.telegram.rig import config, whole
from tests.adapters.web.browserless import Visitor
from tests.bot.rig import ScriptedEngine, echo


async def test_a_token_that_is_taken_back_ends_polling_with_the_same_line(tmp_path: Path) -> None:
    api = BotApi()
    api.refuse("getUpdates", ApiError("Unauthorized", 401))
    async with serving(api) as address, open_services(config(address), tmp_path, [ScriptedEngine(echo)]) as services:
        with pytest.raises(ConfigError, match="@BotFather"):
            await adapter.run(services, lambda url: None)


@pytest.mark.parametrize("code", [401, 404])
async def test_a_token_that_worked_and_is_refused_for_a_while_takes_nobody_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr("adapters.run.PAUSES_SECONDS", (0.0, 0.1))
    pages: asyncio.Queue[str] = asyncio.Queue()
    page = partial(web.run, opened=pages.put_nowait)
    async with whole(tmp_path, beside={"web": page}, web={"port": 0}) as telegram, Visitor(await pages.get()) as visitor:
        refusal = ApiError("Unauthorized" if code == 401 else "Not Found", code)
        telegram.api.refuse("getUpdates", *[refusal] * 2)
        telegram.api.refuse("getMe", *[refusal] * 2)
        chat = telegram.world.private()
        await telegram.world.say(chat, "Still there?")
        assert await telegram.answers(chat) == ["You asked: Still there?"]
        await visitor.ask("And the page?")
        await telegram.until(lambda: len(telegram.engine.requests) == 2)
