"""What the bot lacks in a channel of Discord is said to those who manage it, with the way to grant it."""

from __future__ import annotations

from pathlib import Path

import discord

from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import client_of, on_server
from tests.adapters.discord.whole import whole_bot


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
