"""The platform under the misfortunes of the wire: repeated sends, rate limits, bad gateways, closed connections, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.discord.client import DiscordClient
from bot.errors import DeliveryError, FileRefused, MessageGone
from bot.message import Place
from bot.platform import Outgoing
from bot.store.database import sqlite_url
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import ANN, CHANNEL, Failure, Wire, connected, message_payload
from tests.bot.rig import ScriptedEngine, echo, running

PLACE = Place("discord", CHANNEL, private=True)


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
