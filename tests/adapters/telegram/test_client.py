"""The way to Telegram and back: webhook, proxies, wrong tokens, other pollers, chats that close or move, and secrets."""

from __future__ import annotations

import asyncio
import io
import logging
import socket
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import structlog

from adapters.telegram.client import signed_in
from adapters.telegram.webhook import HEADER
from adapters.web import adapter as web
from bot.config.load import secret_values
from bot.config.logging import configure_logs
from bot.config.schema import LoggingOptions
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import TOKEN, ApiError, BotApi, serving
from tests.adapters.strict.telegram.world import ME, Json
from tests.adapters.telegram.proxies import proxying
from tests.adapters.telegram.rig import config, whole
from tests.adapters.web.browserless import Visitor


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_webhook_takes_what_telegram_sends_and_nothing_else(tmp_path: Path, port: int) -> None:
    address = f"http://127.0.0.1:{port}/hooks/goose"
    options = {"webhook_url": "https://goose.example/hooks/goose", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram, aiohttp.ClientSession() as http:
        assert telegram.api.webhook is not None
        secret = {HEADER: str(telegram.api.webhook["secret_token"])}
        chat = telegram.world.private()
        await telegram.world.say(chat, "By webhook?")
        update = telegram.world.updates[0]
        for headers, status in (({}, 403), ({HEADER: "guessed"}, 403), (secret, 200), (secret, 200)):
            async with http.post(address, json=update, headers=headers) as response:
                assert response.status == status
        async with http.post(address, data=b"no json", headers=secret) as response:
            assert response.status == 400
        assert await telegram.answers(chat) == ["You asked: By webhook?"]
    assert TOKEN not in str(telegram.api.webhook)


async def test_an_album_by_webhook_is_one_question(tmp_path: Path, port: int) -> None:
    options = {"webhook_url": "https://goose.example/", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram, aiohttp.ClientSession() as http:
        chat = telegram.world.private()
        await telegram.world.album(chat, [PNG, PNG], "Both?")

        async def post(update: Json) -> int:
            secret = {HEADER: str((telegram.api.webhook or {})["secret_token"])}
            async with http.post(f"http://127.0.0.1:{port}/", json=update, headers=secret) as response:
                return response.status

        assert await asyncio.gather(*map(post, telegram.world.updates)) == [200, 200]
        assert await telegram.answers(chat) == ["You asked: Both?"]
    assert str(telegram.engine.requests[0]).count("data:image/") == 2


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


async def test_commands_that_can_not_be_offered_delay_nothing(tmp_path: Path) -> None:
    api = BotApi(held={"setMyCommands": asyncio.Event()})
    async with whole(tmp_path, api=api) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Heard?")
        assert await telegram.answers(chat) == ["You asked: Heard?"]
    assert api.called("setMyCommands")
    assert not api.commands


@pytest.mark.parametrize("socks", [False, True])
async def test_everything_goes_through_the_proxy(socks: bool) -> None:
    api = BotApi()
    async with serving(api) as target, proxying(target, socks=socks) as (address, proxy):
        async with signed_in(config("http://telegram.invalid", network={"proxy": address})) as account:
            api.world.private()
            file = await account.client.get_file(api.world.file(PNG))
            assert (await account.http.get(str(file.file_path))).content == PNG
            assert account.me.username == ME["username"]
        assert set(proxy.asked) == {"telegram.invalid"}


async def test_the_token_is_in_no_log_no_error_and_no_store(tmp_path: Path) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        async with serving(BotApi()) as address:
            configure_logs(LoggingOptions(level="debug"), secret_values(config(address)), stream)
        async with whole(tmp_path) as telegram:
            chat = telegram.world.private()
            telegram.world.files.clear()
            await telegram.world.say(chat, "Lost?", photo=telegram.world.photo(PNG))
            telegram.world.files.clear()
            said = await telegram.answers(chat)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    assert "getUpdates" in stream.getvalue()
    stored = b"".join(path.read_bytes() for path in everything_in(tmp_path))
    assert TOKEN not in stream.getvalue()
    assert TOKEN not in "".join(said)
    assert TOKEN.encode() not in stored


async def test_a_server_of_ones_own_hands_over_files_from_this_machine(tmp_path: Path) -> None:
    api = BotApi(disk=tmp_path)
    async with whole(tmp_path / "home", api=api, telegram={"local_files": True}) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Seen?", photo=telegram.world.photo(PNG))
        assert await telegram.answers(chat) == ["You asked: Seen?"]
    assert "data:image/png" in str(telegram.engine.requests[0])


@pytest.mark.parametrize(("refusal", "words"), [("file is too big", "too large"), ("wrong file_id", "could not be fetched")])
async def test_a_file_that_telegram_keeps_is_explained(tmp_path: Path, refusal: str, words: str) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.refuse("getFile", ApiError(f"Bad Request: {refusal}"))
        await telegram.world.say(chat, "Seen?", photo=telegram.world.photo(PNG))
        assert words in (await telegram.answers(chat))[0]


def everything_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
