"""The way to Telegram: through proxies, with tokens that are wrong, and with no token in any log, error or store."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
import structlog

from adapters.telegram.client import signed_in
from bot.config.load import secret_values
from bot.config.logging import configure_logs
from bot.config.schema import LoggingOptions
from bot.errors import ConfigError, DeliveryError
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ME
from tests.adapters.telegram.proxies import proxying
from tests.adapters.telegram.rig import config, whole


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


def everything_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_wrong_token_is_one_clear_line() -> None:
    api = BotApi(token="1:other")
    async with serving(api) as address:
        with pytest.raises(ConfigError, match="@BotFather") as refused:
            async with signed_in(config(address)):
                pass
    assert TOKEN not in str(refused.value)


async def test_a_telegram_that_is_away_at_the_start_is_one_clear_line() -> None:
    with pytest.raises(DeliveryError, match=r"^Telegram can't be reached: httpx\.ConnectError") as away:
        async with signed_in(config("http://127.0.0.1:9")):
            pass
    assert TOKEN not in str(away.value)
