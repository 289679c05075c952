"""Two bots on one PostgreSQL: one polls Telegram, and when it dies the other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.run import running
from adapters.services import open_services
from adapters.telegram import adapter
from bot.dispatch import lease
from tests.adapters.standin import StandIn
from tests.adapters.strict.program import Program
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ME
from tests.adapters.telegram.rig import config
from tests.bot.postgres import Server
from tests.bot.rig import UNHURRIED, ScriptedEngine, asked, echo

CONFIG = """
[telegram]
server = "{telegram}"
[engine]
url = "{engine}/v1"
[web]
enabled = false
[access]
everyone = true
[store]
pictures = "{pictures}"
[limits]
burst = 1000
cooldown_seconds = 0
questions_per_person = 1000
"""
OWED = "SELECT (SELECT count(*) FROM job WHERE state != 'done') + (SELECT count(*) FROM kept_update)"


@asynccontextmanager
async def bot(name: str, url: str, telegram: str, home: Path) -> AsyncIterator[ScriptedEngine]:
    """One of several on a database, until the end of the block, where it stops at once."""
    engine = ScriptedEngine(echo)
    engine.gate.set()
    options = config(telegram, limits=UNHURRIED.model_dump(), store={"url": url, "pictures": home / "pictures"})
    async with (
        open_services(options, home / name, [engine], name) as services,
        running(services, {"telegram": partial(adapter.run, services, lambda address: None)}),
    ):
        yield engine


async def test_one_of_two_bots_polls_and_the_other_goes_on(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "DEAD_SECONDS", 6.0)  # both share a process, which a busy machine holds up
    api = BotApi()
    chat = api.world.private()

    def said() -> list[str]:
        return [each["text"] for (where, _), each in api.world.messages.items() if where == chat and each["from"] == ME]

    async with serving(api) as telegram, AsyncExitStack() as first:
        polling = await first.enter_async_context(bot("one", postgres_url, telegram, tmp_path))
        await until(lambda: bool(api.called("getUpdates")))
        with capture_logs() as logged:
            async with bot("two", postgres_url, telegram, tmp_path) as standing_by:
                await until(lambda: any(each["event"] == "standing_by" for each in logged))
                await api.world.say(chat, "first?")
                await until(lambda: said() == ["You asked: first?"])
                polling.gate.clear()
                await api.world.say(chat, "second?")
                await until(lambda: polling.running == 1)
                await first.aclose()
                await api.world.say(chat, "third?")
                await until(lambda: len(said()) == 3)
    assert sorted(said()) == [f"You asked: {each}?" for each in ("first", "second", "third")]
    assert [asked(each) for each in standing_by.requests] == ["second?", "third?"]


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not seen():  # noqa: ASYNC110  # what is seen is in no one's hands to announce
            await asyncio.sleep(0.01)


@pytest.mark.sweep
async def test_the_other_goes_on_when_the_poller_is_killed(postgres_server: Server, postgres_url: str, tmp_path: Path) -> None:
    api, standin = BotApi(), StandIn(words=("One ", "goose."), pause=0.05)
    environ = {"GANDER_TELEGRAM_TOKEN": TOKEN, "GANDER_STORE_URL": postgres_url}
    async with serving(api) as telegram, standin.serving() as engine:
        homes = [tmp_path / name for name in ("one", "two")]
        for home in homes:
            home.mkdir()
            (home / "gander.toml").write_text(CONFIG.format(telegram=telegram, engine=engine, pictures=tmp_path / "pictures"))
        one, two = (Program(home=home, environ=environ, log=home / "log") for home in homes)
        chat = api.world.private()

        def said() -> list[str]:
            return [each["text"] for (where, _), each in api.world.messages.items() if where == chat and each["from"] == ME]

        async with one:
            await one.until(lambda: bool(api.called("getUpdates")))
            async with two:
                await two.until(lambda: b"standing_by" in (homes[1] / "log").read_bytes())
                await api.world.say(chat, "first?")
                await one.until(lambda: said() == ["One goose."])
                standin.pause = 600.0
                await api.world.say(chat, "second?")
                await one.until(lambda: len(standin.requests) == 2)
                one.kill()
                standin.pause = 0.05
                await api.world.say(chat, "third?")
                await two.until(lambda: said() == ["One goose."] * 3 and postgres_server.ask(postgres_url, OWED) == "0")
                questions = [each["messages"][-1]["content"] for each in standin.requests]
                assert questions == ["first?", "second?", "second?", "third?"]
                assert said() == ["One goose."] * 3
