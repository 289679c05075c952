"""The adapter under the wire's misfortunes: repeated sends, rate limits, bad gateways, lost connections, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord.http import Route
from pydantic import SecretStr

from adapters.discord.adapter import run
from adapters.discord.client import DiscordClient
from adapters.discord.download import allowed
from adapters.discord.link_previews import PATIENCE_SECONDS, Unfurling
from adapters.services import Services, open_services
from bot.config.schema import Config, DiscordOptions
from bot.errors import ConfigError, DeliveryError, FileRefused, MessageGone
from bot.message import Place
from bot.platform import Outgoing
from bot.store.database import sqlite_url
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, PROXIED, Cdn, new_client
from tests.adapters.strict.discord.server import ANN, CHANNEL, SERVER, TOKEN, Failure, Wire, connected, message_payload
from tests.bot.rig import ScriptedEngine, echo, running

PLACE = Place("discord", CHANNEL, private=True)


@pytest.mark.parametrize("failure", [Failure(429, {"retry_after": 300.0, "global": False}), Failure(400, {"code": 50035}), Failure(503)])
async def test_commands_that_discord_does_not_take_yet_delay_nothing(wire: Wire, bot: Listener, failure: Failure) -> None:
    wire.failures["PUT"] = [failure] * 9
    async with connected(new_client(bot, Cdn(), **AT_ONCE)):
        await wire.dispatch("MESSAGE_CREATE", message_payload("5000", ANN, "hello") | {"channel_id": CHANNEL})
        assert (await bot.hears()).incoming.text == "hello"
    assert len(wire.failures["PUT"]) < 9


async def test_a_repeated_send_is_shown_once(client: DiscordClient, wire: Wire) -> None:
    names = {await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n1") for _ in range(2)}
    assert list(wire.messages) == [*names]
    assert [body["allowed_mentions"] for body in wire.posted()] == [{"parse": []}] * 2


async def test_a_bad_gateway_is_tried_again_under_the_same_nonce(client: DiscordClient, wire: Wire) -> None:
    wire.failures["POST"] = [Failure(502)]
    await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n1")
    assert [body["nonce"] for body in wire.posted()] == ["n1", "n1"]
    assert len(wire.messages) == 1


async def test_a_short_rate_limit_is_waited_for(client: DiscordClient, wire: Wire) -> None:
    wire.failures["POST"] = [Failure(429, {"retry_after": 0.05, "global": False, "message": "slow down"})]
    name = await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n1")
    assert wire.messages[name]["content"] == "A goose."


async def test_a_long_rate_limit_is_handed_to_the_core(client: DiscordClient, wire: Wire) -> None:
    wire.failures["POST"] = [Failure(429, {"retry_after": 300.0, "global": False, "message": "slow down"})]
    with pytest.raises(DeliveryError) as error:
        await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n1")
    assert error.value.retry_after == 300.0


LONG = Outgoing("Much of it.", whole="Much of it, and the rest.\n" * 1_000)


@pytest.mark.parametrize("failures", [[], [Failure(429, {"retry_after": 0.05, "global": False, "message": "slow down"})], [Failure(502)]])
async def test_a_file_is_uploaded_whole_whatever_the_wire_does(client: DiscordClient, wire: Wire, failures: list[Failure]) -> None:
    wire.failures["POST"] = list(failures)
    name = await client.platform.send(PLACE, LONG, reply_to=None, nonce="n1")
    assert wire.files[name] == {"answer.md": LONG.whole.encode()}
    assert len(wire.posted()) == 1 + len(failures)
    assert len(wire.messages) == 1
    assert wire.messages[name]["content"] == "Much of it.\n-# The answer goes on in the file."


async def test_a_file_comes_and_goes_with_an_edit(client: DiscordClient, wire: Wire) -> None:
    name = await client.platform.send(PLACE, Outgoing("Much"), reply_to=None, nonce="n1")
    wire.failures["PATCH"] = [Failure(502)]
    await client.platform.edit(PLACE, name, LONG)
    assert wire.files[name] == {"answer.md": LONG.whole.encode()}
    await client.platform.edit(PLACE, name, Outgoing("Little"))
    assert [body["attachments"] for method, _, body in wire.requests if method == "PATCH"][-1] == []


async def test_a_file_that_is_gone_meanwhile_is_left_out(client: DiscordClient, tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"gone\.html"):
        await client.platform.send(PLACE, Outgoing("Here", files=(tmp_path / "gone.html",)), reply_to=None, nonce="n1")


async def test_what_is_said_over_a_closed_connection_waits_for_the_next(wire: Wire, bot: Listener) -> None:
    client = new_client(bot, Cdn(), **AT_ONCE)
    async with connected(client):
        name = await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n1")
    with pytest.raises(DeliveryError):
        await client.platform.send(PLACE, Outgoing("A goose."), reply_to=None, nonce="n2")
    with pytest.raises(DeliveryError):
        await client.platform.edit(PLACE, name, Outgoing("Two geese."))


async def test_what_was_deleted_is_said_to_be_gone(client: DiscordClient) -> None:
    with pytest.raises(MessageGone):
        await client.platform.edit(PLACE, "1", Outgoing("A goose."))


async def test_pain_a_sign_that_fails_holds_up_no_answer(wire: Wire, tmp_path: Path) -> None:
    """It types until there is something to read; this Discord has no way to."""
    engine = ScriptedEngine(echo)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig, connected(new_client(rig.core, Cdn(), **AT_ONCE)):
        await wire.dispatch("MESSAGE_CREATE", message_payload("1", ANN, "how many geese?"))
        await rig.until(lambda: ("POST", f"/channels/{CHANNEL}/typing") in [(method, path) for method, path, _ in wire.requests])
        assert wire.messages == {}
        engine.gate.set()
        await rig.until(lambda: bool(wire.messages))
        assert [message["content"] for message in wire.messages.values()] == ["You asked: how many geese?"]


async def test_pain_9_the_final_answer_outlives_a_flood_limit(wire: Wire, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        client = new_client(rig.core, Cdn(), **AT_ONCE)
        async with connected(client):
            wire.failures["POST"] = [Failure(429, {"retry_after": 0.2, "global": True, "message": "slow down"}), Failure(502)]
            wire.failures["PATCH"] = [Failure(429, {"retry_after": 0.2, "global": False, "message": "slow down"}), Failure(502)]
            await wire.dispatch("MESSAGE_CREATE", message_payload("1", ANN, "how many geese?"))
            await rig.until(lambda: any(message["content"] for message in wire.messages.values()))
            [shown] = wire.messages.values()
            assert shown["content"] == "You asked: how many geese?"


LINK = "what is https://goose.example/ ?"
THUMBNAIL = {"url": "https://goose.example/goose.png", "proxy_url": PROXIED, "width": 2, "height": 1}
UNFURLED = {"embeds": [{"type": "image", "thumbnail": THUMBNAIL}]}


async def test_a_link_s_picture_is_waited_for(client: DiscordClient, wire: Wire, bot: Listener) -> None:
    message = message_payload("1", ANN, LINK)
    await wire.dispatch("MESSAGE_CREATE", message)
    await wire.dispatch("MESSAGE_UPDATE", message | UNFURLED)
    incoming = (await bot.hears()).incoming
    assert (incoming.text, incoming.edited) == (LINK, False)
    assert bot.heard[0].pictures == (b"goose",)
    await wire.dispatch("MESSAGE_CREATE", message_payload("2", ANN, "next"))
    assert (await bot.hears(2)).incoming.text == "next"  # and the update was no question of its own


@pytest.mark.parametrize(("form", "name"), [(1, "9.png"), (2, "9.png"), (4, "9.gif")])
async def test_a_sticker_is_a_picture(wire: Wire, bot: Listener, form: int, name: str) -> None:
    host = "media.discordapp.net" if form == 4 else "cdn.discordapp.com"
    url = f"https://{host}/stickers/{name}"
    async with connected(new_client(bot, Cdn(elsewhere={url: b"goose"}), **AT_ONCE)):
        await wire.dispatch(
            "MESSAGE_CREATE", message_payload("1", ANN, "") | {"sticker_items": [{"id": "9", "name": "g", "format_type": form}]}
        )
        await bot.hears()
    assert allowed(url)
    assert bot.heard[0].pictures == (b"goose",)


async def test_a_change_does_not_overtake_its_message(client: DiscordClient, wire: Wire, bot: Listener) -> None:
    message = message_payload("1", ANN, LINK)
    await wire.dispatch("MESSAGE_CREATE", message)
    await wire.dispatch("MESSAGE_UPDATE", message | {"content": "what is it?", "edited_timestamp": "2026-01-01T00:00:01+00:00"})
    await wire.dispatch("MESSAGE_UPDATE", message | UNFURLED)
    await bot.hears(2)
    assert [(heard.incoming.text, heard.incoming.edited) for heard in bot.heard] == [(LINK, False), ("what is it?", True)]


async def test_a_link_without_a_picture_holds_up_nothing_for_long(
    client: DiscordClient, wire: Wire, bot: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_unfurling", Unfurling(patience=0.05))
    await wire.dispatch("MESSAGE_CREATE", message_payload("1", ANN, LINK))
    assert (await bot.hears()).incoming.attachments == ()
    assert PATIENCE_SECONDS == 2.0


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


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    config = Config(discord=DiscordOptions(token=SecretStr(TOKEN)))
    async with open_services(config, tmp_path, [ScriptedEngine(echo)]) as services:
        yield services


async def test_a_wrong_token_gives_one_clear_line(wire: Wire, tmp_path: Path) -> None:
    config = Config(discord=DiscordOptions(token=SecretStr("Nzc.another.token")))
    async with open_services(config, tmp_path, [ScriptedEngine(echo)]) as services:
        with pytest.raises(ConfigError, match=r"^Discord does not know this token\. Reset it .*$") as error:
            await run(services, print)
    assert "another" not in str(error.value)


async def test_a_discord_that_is_away_at_the_start_is_one_clear_line(
    wire: Wire, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:9/api/v10")
    with pytest.raises(DeliveryError, match=r"^Discord can't be reached: ClientConnectorError$"):
        await run(services, print)


async def test_without_the_content_intent_it_says_so_once_and_works(
    wire: Wire, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    wire.refuse_content = True
    task = asyncio.create_task(run(services, print))
    async with asyncio.timeout(90):
        while len(wire.identified) < 2:
            await asyncio.wait({task}, timeout=0.01)
    task.cancel()
    await asyncio.wait({task})
    assert capsys.readouterr().out.count("Message Content Intent") == 1
