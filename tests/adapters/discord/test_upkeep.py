"""What those who run the bot see: its links, what it lacks, and one clear line for what is wrong."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import discord
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from adapters.cli.discord_commands import app
from adapters.discord.adapter import check, without_traceback
from adapters.discord.invite import NEEDED
from bot.config.schema import Config, DiscordOptions
from bot.errors import ConfigError
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import client_of, on_server
from tests.adapters.discord.whole import whole_bot

TOKEN = f"{urlsafe_b64encode(b'123456789012345678').decode().rstrip('=')}.abc.def"


def test_invite_asks_for_exactly_what_is_needed() -> None:
    shown = CliRunner().invoke(app, ["invite"], env={"GANDER_DISCORD_TOKEN": TOKEN})
    server, personal = (parse_qs(urlsplit(line.split(": ", 1)[1]).query) for line in shown.output.splitlines())
    assert server["client_id"] == personal["client_id"] == ["123456789012345678"]
    assert discord.Permissions(int(server["permissions"][0])) == NEEDED
    assert server["scope"] == ["bot applications.commands"]
    assert personal["integration_type"] == ["1"]


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "MTIz.b"])
def test_a_token_that_can_t_be_one_is_named_before_the_start_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match="GANDER_DISCORD_TOKEN is no bot token") as error:
        check(Config(discord=DiscordOptions(token=SecretStr(token))))
    assert not token or token not in str(error.value)


async def test_diagnose_names_what_is_missing_and_how_to_grant_it(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, sees_content=False) as whole:
        server = whole.server
        me = server.guild.me
        assert me is not None
        lacking = discord.PermissionOverwrite(read_message_history=False, send_messages_in_threads=False)
        quiet = server.guild.create_text_channel("quiet", overwrites={me: lacking})
        keeper = server.keeper()
        text = await whole.told(await keeper.slash(quiet, "diagnose"))
        assert "Read Message History" in text
        assert "Send Messages in Threads" in text
        assert "View Channel" not in text
        assert "Edit Channel → Permissions" in text
        assert "Message Content Intent" in text
        assert f"discord:{quiet.id}" in text
        assert f"discord:{server.guild.id}" in text
        assert "every permission" in await whole.told(await keeper.slash(server.channel, "diagnose"))
        await keeper.send(quiet, f"{server.mention} /diagnose")  # typed, as where commands are switched off
        await whole.until(lambda: any("Read Message History" in message.content for message in server.said(quiet)))
        assert "diagnose" in await whole.told(await keeper.slash(quiet, "help"))


async def test_upkeep_is_for_those_who_manage_channels() -> None:
    async with on_server(client_of(Listener())) as server:
        assert "diagnose" not in server.ann.available_commands(server.channel)
        assert "setup" not in server.ann.available_commands(server.channel)


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
