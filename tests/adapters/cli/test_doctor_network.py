"""What `gander doctor` finds beyond this machine: whether platforms take their tokens, and whether engines answer."""

from __future__ import annotations

import pytest

from adapters.cli.doctor_network import look_elsewhere
from bot.config.schema import Config
from tests.adapters.cli.test_doctor import ANYBODY, of, telegram
from tests.adapters.strict.discord.api import TOKEN as DISCORD_TOKEN
from tests.adapters.strict.discord.api import DiscordApi
from tests.adapters.strict.discord.api import serving as serving_discord
from tests.adapters.strict.discord.redirected import redirect
from tests.adapters.strict.telegram.server import TOKEN as TELEGRAM_TOKEN
from tests.adapters.strict.telegram.server import BotApi
from tests.adapters.strict.telegram.server import serving as serving_telegram
from tests.bot.other_servers import OLLAMA, WRONG_KEY, OtherServer


async def test_telegram_says_who_the_bot_is_or_that_the_token_is_wrong() -> None:
    async with serving_telegram(BotApi()) as url:
        right, wrong = [await look_elsewhere(telegram(url, token)) for token in (TELEGRAM_TOKEN, TELEGRAM_TOKEN[:-1] + "x")]
    assert of(right, "Telegram").found.startswith("signed in as @")
    assert of(wrong, "Telegram").missing
    assert "@BotFather" in of(wrong, "Telegram").found


async def test_a_platform_that_can_not_be_reached_is_no_wrong_token() -> None:
    finding = of(await look_elsewhere(telegram("http://127.0.0.1:9", TELEGRAM_TOKEN)), "Telegram")
    assert finding.found.count("can't be reached") == 1
    assert "network.proxy" in finding.remedy


async def test_discord_says_who_the_bot_is_or_that_the_token_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving_discord(DiscordApi()) as address:
        redirect(address, monkeypatch.setattr)
        right, wrong = [await look_elsewhere(discord(token)) for token in (DISCORD_TOKEN, "Nzc.wrong.token")]
    assert of(right, "Discord").found.startswith("signed in as ")
    assert "does not know this token" in of(wrong, "Discord").found
    redirect("127.0.0.1:9", monkeypatch.setattr)
    assert of(await look_elsewhere(discord(DISCORD_TOKEN)), "Discord").found.count("can't be reached") == 1


def discord(token: str) -> Config:
    return Config.model_validate({"discord": {"token": token}, "web": {"enabled": False}, "access": ANYBODY})


@pytest.mark.parametrize(
    ("server", "model", "said", "missing"),
    [
        (OtherServer(models=OLLAMA), "llava", "llava:latest at ", False),
        (OtherServer(models=OLLAMA), "gemma", "one of: nomic-embed-text:latest", True),
        (OtherServer(models=WRONG_KEY, models_status=401), "", "GANDER_ENGINE_KEY", True),
        (OtherServer(models="<html>"), "", "no OpenAI-compatible server", True),
    ],
)
async def test_an_engine_elsewhere_names_its_model_or_what_is_wrong(server: OtherServer, model: str, said: str, missing: bool) -> None:
    async with server.serving() as url:
        engine = {"url": url} | ({"model": model} if model else {})
        finding = of(await look_elsewhere(Config.model_validate({"engine": engine})), "engine")
    assert said in finding.found
    assert finding.missing is missing
