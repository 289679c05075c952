"""Updates by webhook: Telegram's are taken, nobody else's are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from adapters.telegram import webhook
from adapters.telegram.webhook import HEADER, LARGEST_UPDATE
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import TOKEN
from tests.adapters.strict.telegram.world import Json
from tests.adapters.telegram.rig import whole
from tests.every_route import assert_bounded, assert_hung_up, noting_servers


async def test_the_webhook_takes_what_telegram_sends_and_nothing_else(tmp_path: Path, port: int) -> None:
    address = f"http://127.0.0.1:{port}/hooks/goose"
    options = {"webhook_url": "https://goose.example/hooks/goose", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram, aiohttp.ClientSession() as http:
        assert telegram.api.webhook is not None
        secret = {HEADER: str(telegram.api.webhook["secret_token"])}
        chat = telegram.world.private()
        await telegram.world.say(chat, "By webhook?")
        update = telegram.world.updates[0]
        for headers, status in (({}, 403), ({HEADER: "guessed"}, 403), ({HEADER: "\udcff"}, 403), (secret, 200), (secret, 200)):
            async with http.post(address, json=update, headers=headers) as response:
                assert response.status == status
        async with http.post(address, data=b"no json", headers=secret) as response:
            assert response.status == 400
        assert await telegram.answers(chat) == ["You asked: By webhook?"]
    assert TOKEN not in str(telegram.api.webhook)


async def test_each_route_has_a_length_and_a_time(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options, url = {"webhook_url": "https://goose.example/", "webhook_port": port}, f"http://127.0.0.1:{port}"
    with noting_servers(monkeypatch) as servers:
        async with whole(tmp_path, telegram=options) as telegram:
            assert telegram.api.webhook is not None
            secret = {HEADER: str(telegram.api.webhook["secret_token"])}
            (app,) = servers
            await assert_bounded(url, app, {"/": LARGEST_UPDATE}, 0, secret)
            monkeypatch.setattr(webhook, "BODY_SECONDS", 0.1)
            await assert_hung_up(url, app, secret)


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
