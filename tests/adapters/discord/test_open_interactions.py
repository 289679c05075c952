"""Where a person brought the bot along, it has nothing but interactions: five messages and fifteen minutes each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count

import pytest

from adapters.discord import open_interactions
from adapters.discord.client import DiscordClient
from bot.errors import DeliveryError, MessageGone
from bot.message import Place
from bot.platform import Outgoing, Panel
from tests.adapters.conformance import Listener
from tests.adapters.strict.discord.interacting import interaction
from tests.adapters.strict.discord.server import CHANNEL, Failure, Wire

PLACE = Place("discord", CHANNEL, server="99")
NUMBERS = count(1)


async def ask(wire: Wire, bot: Listener) -> str:
    name = str(next(NUMBERS))
    heard = len(bot.heard)
    await wire.dispatch("INTERACTION_CREATE", interaction(name, 2, {"id": "1", "name": "ask", "type": 1, "options": []}))
    await bot.hears(heard + 1)
    return name


async def press(wire: Wire, client: DiscordClient, message_id: str) -> None:
    data = {"custom_id": "gander-more", "component_type": 2}
    name = str(next(NUMBERS))
    wire.originals[f"token{name}"] = message_id  # of a pressed button, it is the message above it
    pressed = client.wait_for("interaction", timeout=90)
    await wire.dispatch("INTERACTION_CREATE", interaction(name, 3, data) | {"message": wire.messages[message_id]})
    await pressed


async def test_an_answer_is_written_by_the_interaction_alone(wire: Wire, client: DiscordClient, bot: Listener) -> None:
    name = await ask(wire, bot)
    message = await client.platform.send(PLACE, Outgoing("A go", final=False), reply_to=name, nonce="n")
    await client.platform.edit(PLACE, message, Outgoing("A goose."))
    assert [shown["content"] for shown in wire.messages.values()] == ["A goose."]
    assert not [path for _, path, _ in wire.requests if path.startswith("/channels/")]


async def test_five_messages_are_followed_by_a_button_that_gives_more(wire: Wire, client: DiscordClient, bot: Listener) -> None:
    name = await ask(wire, bot)
    sent = [await client.platform.send(PLACE, Outgoing(f"Part {n}"), reply_to=name if n == 1 else None, nonce=str(n)) for n in range(1, 6)]
    with pytest.raises(DeliveryError) as error:
        await client.platform.send(PLACE, Outgoing("Part 6"), reply_to=None, nonce="6")
    assert error.value.retry_after is not None
    offered = wire.messages[sent[-1]]
    assert offered["content"].startswith("Part 5\n")
    assert offered["components"][0]["components"][0]["custom_id"] == "gander-more"
    await press(wire, client, sent[-1])
    last = await send_later(client, Outgoing("Part 6"), None)
    while "\n" in wire.messages[sent[-1]]["content"]:  # noqa: ASYNC110 - the fake has no event for it
        await asyncio.sleep(0.01)
    assert [wire.messages[message]["content"] for message in (*sent, last)] == [f"Part {n}" for n in range(1, 7)]


async def test_a_send_of_unknown_outcome_doubles_no_words(wire: Wire, client: DiscordClient, bot: Listener) -> None:
    """Discord takes a nonce in channels alone: an interaction's words are edited into messages whose id is known."""
    name = await ask(wire, bot)
    wire.failures["PATCH"] = [Failure(502, done=True)]
    await client.platform.send(PLACE, Outgoing("A goose."), reply_to=name, nonce="1")
    wire.failures["POST"] = [Failure(502, done=True)]  # discord.py itself tries again
    wire.failures["PATCH"] = [Failure(400, done=True)]
    with pytest.raises(DeliveryError):
        await client.platform.send(PLACE, Outgoing("Two geese."), reply_to=None, nonce="2")
    await client.platform.send(PLACE, Outgoing("Two geese."), reply_to=None, nonce="2")
    assert [shown["content"] for shown in wire.messages.values()] == ["A goose.", "…", "Two geese."]


async def test_a_message_that_was_dismissed_before_its_words_came_is_sent_anew(wire: Wire, client: DiscordClient, bot: Listener) -> None:
    name = await ask(wire, bot)
    await client.platform.send(PLACE, Outgoing("A goose."), reply_to=name, nonce="1")
    wire.failures["PATCH"] = [Failure(404, {"code": 10008, "message": "Unknown Message"})]
    with pytest.raises(MessageGone):
        await client.platform.reply_privately(PLACE, Outgoing("Only for Ann.", private=True), event=name, nonce="2")
    message = await client.platform.reply_privately(PLACE, Outgoing("Only for Ann.", private=True), event=name, nonce="2")
    assert wire.messages[message]["content"] == "Only for Ann."


async def test_the_panel_outlives_a_failed_send(wire: Wire, client: DiscordClient, bot: Listener) -> None:
    name = str(next(NUMBERS))
    await wire.dispatch("INTERACTION_CREATE", interaction(name, 2, {"id": "1", "name": "settings", "type": 1, "options": []}))
    await bot.hears()
    wire.failures["PATCH"] = [Failure(400)]
    panel = Outgoing("Settings", private=True, panel=Panel())
    with pytest.raises(DeliveryError):
        await client.platform.reply_privately(PLACE, panel, event=name, nonce="1")
    message = await client.platform.reply_privately(PLACE, panel, event=name, nonce="1")
    assert wire.messages[message]["components"]


async def test_who_waits_is_handed_over_in_time_without_anything_being_said(
    wire: Wire, client: DiscordClient, bot: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = await ask(wire, bot)
    message = await client.platform.send(PLACE, Outgoing("A goose.", answer_id=1), reply_to=answered, nonce="1")
    ended = client.platform._interactions.find(answered)
    assert ended is not None
    ended.until = 0.0
    monkeypatch.setattr(open_interactions, "GOOD_FOR_SECONDS", 0.0)
    await ask(wire, bot)
    watch = asyncio.create_task(client.platform.watch())
    async with asyncio.timeout(90):
        while not any("unless you ask for it" in shown["content"] for shown in wire.messages.values()):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.wait({watch})
    assert sorted(shown["content"].startswith("-#") for shown in wire.messages.values()) == [False, True]
    assert wire.messages[message]["content"] == "A goose."


async def test_before_its_time_is_over_it_is_handed_over(
    wire: Wire, client: DiscordClient, bot: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_interactions, "GOOD_FOR_SECONDS", 0.0)
    name = await ask(wire, bot)
    monkeypatch.setattr(open_interactions, "GOOD_FOR_SECONDS", 60.0)
    await client.platform.typing(PLACE)  # as the bot does while the question waits
    [offered] = wire.messages.values()
    assert "unless you ask for it" in offered["content"]
    await press(wire, client, offered["id"])
    message = await send_later(client, Outgoing("A goose."), name)
    assert (message, wire.messages[message]["content"]) == (offered["id"], "A goose.")


async def send_later(client: DiscordClient, message: Outgoing, reply_to: str | None) -> str:
    """Try as the bot does, until the pressed button has made a way."""
    async with asyncio.timeout(90):
        while True:
            with suppress(DeliveryError):
                return await client.platform.send(PLACE, message, reply_to=reply_to, nonce="n")
            await asyncio.sleep(0.01)
