"""A whole bot on both platforms and the page, through good and bad days: its secrets and what people say are found nowhere that they
don't belong.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from adapters.telegram import adapter as telegram_adapter
from adapters.web import adapter as web_adapter
from bot.config.load import secret_values
from bot.config.logging import configure_logs
from bot.config.schema import Config, LoggingOptions
from bot.errors import AnswerLost, EngineRefused
from engine.api import ChatRequest
from tests.adapters.conformance import PNG
from tests.adapters.strict.discord.whole import Whole, whole
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.bot.rig import ScriptedEngine, asked

PASSWORD, KEY = "planted-page-password", "planted-engine-key-0123456789"
ODD = ("/wall/0123456789abcdef", "/api/messages?limit=x", "/static/%ff")
SAID, ANSWERED = "plantedquestion", "plantedanswer"
NAMES = {"GANDER_TELEGRAM_TOKEN": TOKEN, "GANDER_WEB_PASSWORD": PASSWORD, "GANDER_ENGINE_KEY": KEY}


def replies(request: ChatRequest) -> Sequence[str | Exception]:
    """A fault that names the engine's key and the tokens is the worst that a library could do."""
    if "refuse" in asked(request):
        return (EngineRefused(f"no {SAID}"),)
    if "break" in asked(request):
        return (ANSWERED, AnswerLost(f"Authorization: Bearer {KEY} {TOKEN}"))
    return (ANSWERED,)


async def pages(url: str) -> list[bytes]:
    """Whatever the page says to a visitor, in its bodies and headers: the page, errors, an export, metrics; and who guesses."""
    seen = list[bytes]()
    async with aiohttp.ClientSession(headers={"Origin": url}, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:

        async def ask(method: str, path: str, **more: Any) -> bytes:
            async with http.request(method, url + path, allow_redirects=False, **more) as response:
                body = await response.read()
                seen.extend((body, str(response.headers).encode()))
                return body

        await ask("POST", "/login", data={"password": "guessed"})
        await ask("POST", "/login", data={"password": PASSWORD})
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("message", json.dumps({"id": secrets.token_hex(12), "text": f"{SAID} on the page"}))
        told = json.loads(await ask("POST", "/api/messages", data=form))
        export = await ask("GET", f"/api/conversations/{told['messages'][0]['conversation']}/export")
        with zipfile.ZipFile(io.BytesIO(export)) as files:
            seen.extend(files.read(name) for name in files.namelist())
        for path in (
            "/",
            "/nowhere",
            "/api/start",
            "/metrics",
            "/openapi.json",
            "/wall/0123456789abcdef",
            "/api/messages?limit=x",
            "/static/%ff",
        ):
            await ask("GET", path)
        await ask("GET", "/metrics", headers={"Authorization": f"Bearer {PASSWORD}"})
        await ask("POST", "/api/messages", data=b"{", headers={"Content-Type": "multipart/form-data; boundary=b"})
    return seen


def found(planted: Mapping[str, str], where: bytes) -> list[str]:
    return [name for name, secret in planted.items() if secret.encode() in where]


def environments() -> Iterator[bytes]:
    """Of all our children."""
    for child in psutil.Process().children(recursive=True):
        yield json.dumps(child.environ()).encode()


async def test_secrets_and_words_are_nowhere_but_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in NAMES.items():
        monkeypatch.setenv(name, secret)
    stream, opened = io.StringIO(), list[str]()
    api = BotApi()
    async with serving(api) as address:
        options: dict[str, Any] = {"telegram": {"token": TOKEN, "server": address}, "web": {"password": PASSWORD, "port": 0}}
        beside = {
            "telegram": lambda services: telegram_adapter.run(services, lambda _: None),
            "web": lambda services: web_adapter.run(services, opened.append),
        }
        async with whole(tmp_path, ScriptedEngine(replies), beside=beside, **options) as bot:
            planted = {"discord": bot.api.token, "telegram": TOKEN, "password": PASSWORD, "key": KEY}
            configure_logs(LoggingOptions(), secret_values(Config.model_validate({**options, "engine": {"key": KEY}})), stream)
            await good_and_bad_days(bot)
            await api.world.say(api.world.private(), f"{SAID} there")
            await bot.until(lambda: any(ANSWERED in str(each.get("text")) for each in api.world.messages.values()))
            await bot.until(lambda: bool(opened))
            shown = await pages(opened[0])
            inherited = list(environments())
    assert inherited  # the decoder of pictures
    assert "job" in stream.getvalue()
    assert found({**planted, "said": SAID, "answered": ANSWERED}, stream.getvalue().encode()) == []
    for each in (*shown, *inherited, *stored(tmp_path)):
        assert found(planted, each) == []


def stored(home: Path) -> Iterator[bytes]:
    """The bytes of all files: the database and its log, exports, notes of engines."""
    yield from (path.read_bytes() for path in home.rglob("*") if path.is_file())


async def good_and_bad_days(bot: Whole) -> None:
    bot.world.asks(f"{SAID}?", pictures=[("goose.png", PNG)])
    bot.world.asks(f"refuse {SAID}")
    bot.world.asks(f"break {SAID}", pictures=[("no.png", b"no picture")])
    bot.world.asks(f"break {SAID}")
    await bot.ends(3)
