"""Discord in `gander run`: what is wrong at the start is one clear line for the operator."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord.http import Route
from pydantic import SecretStr

from adapters.discord.adapter import check, run, without_traceback
from adapters.services import Services, open_services
from bot.config.schema import Config, DiscordOptions
from bot.errors import ConfigError, DeliveryError
from tests.adapters.strict.discord.server import TOKEN, Wire
from tests.bot.rig import ScriptedEngine, echo


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    config = Config(discord=DiscordOptions(token=SecretStr(TOKEN)))
    async with open_services(config, tmp_path, [ScriptedEngine(echo)]) as services:
        yield services


async def test_a_wrong_token_gives_one_clear_line(wire: Wire, tmp_path: Path) -> None:
    config = Config(discord=DiscordOptions(token=SecretStr("Nzc.another.token")))
    async with open_services(config, tmp_path, [ScriptedEngine(echo)]) as services:
        with pytest.raises(ConfigError, match=r"^Discord does not know this token\. Reset it .*$") as error:
            await run(services, print)
    assert "another" not in str(error.value)


async def test_a_discord_that_is_away_at_the_start_is_one_clear_line(
    wire: Wire, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:9/api/v10")
    with pytest.raises(DeliveryError, match=r"^Discord can't be reached: ClientConnectorError$"):
        await run(services, print)


async def test_without_the_content_intent_it_says_so_once_and_works(
    wire: Wire, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    wire.refuse_content = True
    task = asyncio.create_task(run(services, print))
    async with asyncio.timeout(90):
        while len(wire.identified) < 2:
            await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    await asyncio.wait({task})
    assert capsys.readouterr().out.count("Message Content Intent") == 1


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "MTIz.b"])
def test_a_token_that_can_t_be_one_is_named_before_the_start_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="GANDER_DISCORD_TOKEN is no bot token") as error:
        check(Config(discord=DiscordOptions(token=SecretStr(token))))
    assert not token or token not in str(error.value)


def test_a_connection_that_can_t_be_had_again_at_once_is_one_line_a_try(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("discord.client")
    logger.addFilter(without_traceback)
    try:
        raise OSError("no route")
    except OSError:
        logger.exception("Attempting a reconnect in %.2fs", 1.5)
    finally:
        logger.removeFilter(without_traceback)
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [("Attempting a reconnect in 1.50s", None)]
