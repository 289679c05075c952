"""Two processes of `gander run` on one PostgreSQL: the poller of Telegram is killed, and the other goes on."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.standin import StandIn
from tests.adapters.strict.program import Program
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ME
from tests.bot.postgres import Server

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
