"""The connection to Discord: what is told over it is heard in its order, whatever it loses or refuses."""

from __future__ import annotations

import asyncio

import pytest

from adapters.discord.client import DiscordClient
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import ANN, CHANNEL, SERVER, Failure, Wire, connected, message_payload


@pytest.mark.parametrize("failure", [Failure(429, {"retry_after": 300.0, "global": False}), Failure(400, {"code": 50035}), Failure(503)])
async def test_commands_that_discord_does_not_take_yet_delay_nothing(wire: Wire, bot: Listener, failure: Failure) -> None:
    wire.failures["PUT"] = [failure] * 9
    async with connected(new_client(bot, Cdn(), **AT_ONCE)):
        await wire.dispatch("MESSAGE_CREATE", message_payload("5000", ANN, "hello") | {"channel_id": CHANNEL})
        assert (await bot.hears()).incoming.text == "hello"
    assert len(wire.failures["PUT"]) < 9


async def test_what_is_deleted_in_an_archived_thread_is_found_there(client: DiscordClient, wire: Wire, bot: Listener) -> None:
    """Of which a new connection is told nothing."""
    await wire.dispatch("MESSAGE_DELETE", {"id": "1", "channel_id": "11", "guild_id": SERVER})
    await wire.dispatch("MESSAGE_DELETE_BULK", {"ids": ["3", "2"], "channel_id": "12", "guild_id": SERVER})
    async with asyncio.timeout(90):
        while len(bot.withdrawn) < 3:  # noqa: ASYNC110  # the connection tells when it likes
            await asyncio.sleep(0.01)
    assert sorted(bot.withdrawn) == [("discord:10/11", "1"), ("discord:12", "2"), ("discord:12", "3")]


async def test_a_dropped_connection_is_resumed_and_nothing_is_missed(
    client: DiscordClient, wire: Wire, bot: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    wire.missed = [message_payload("1", ANN, "still there?")]
    await wire.drop()
    assert (await bot.hears()).incoming.text == "still there?"
    assert [session["session_id"] for session in wire.resumed] == ["s"]
    assert len(wire.identified) == 1
    assert capsys.readouterr().out.count("the connection to Discord is lost") == 1
