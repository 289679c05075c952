"""Updates by webhook: Telegram's are taken, nobody else's are."""

from __future__ import annotations

import asyncio
from contextlib import closing
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest

from adapters.telegram import webhook
from adapters.telegram.webhook import HEADER, LARGEST_UPDATE
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import TOKEN
from tests.adapters.strict.telegram.world import Json
from tests.adapters.telegram.rig import whole


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
        async with http.post(address, data=BytesIO(bytes(LARGEST_UPDATE + 1)), headers=secret) as response:
            assert response.status == 413
        for coding in ("gzip", "deflate"):
            async with http.post(address, json=update, headers=secret, compress=coding) as response:
                assert response.status == 415
        assert await telegram.answers(chat) == ["You asked: By webhook?"]
    assert TOKEN not in str(telegram.api.webhook)


async def test_who_sends_an_update_too_slowly_is_hung_up(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_SECONDS", 0.1)
    options = {"webhook_url": "https://goose.example/", "webhook_port": port}
    async with whole(tmp_path, telegram=options) as telegram:
        assert telegram.api.webhook is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            secret = f"{HEADER}: {telegram.api.webhook['secret_token']}\r\n"
            writer.write(f"POST / HTTP/1.1\r\nHost: here\r\n{secret}Content-Length: 99\r\n\r\n{{".encode())
            assert await reader.read() == b""  # the test's own limit fails it otherwise


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
