"""What every adapter must do, whatever its platform: subclass `Conformance`, offer a fixture `rig`, and all of it runs.

A rig stands on the other side of the adapter: it acts as people do on the platform (or on the most faithful stand-in
for it) and sees what they see.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.api import Remembered, Ticket
from bot.arrival import Arrival
from bot.errors import MessageGone
from bot.message import Address, Author, Incoming, Place
from bot.platform import Button, Outgoing, Platform
from bot.questions.arrival_order import ArrivalOrder

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the bot was handed: the event, and the bytes of its attachments, read as the bot reads them."""

    incoming: Incoming
    pictures: tuple[bytes, ...]


@dataclass
class Listener:
    """bot.api.Bot, the side of the bot: it keeps what an adapter hands over, and answers nothing."""

    heard: list[Heard] = field(default_factory=list)
    attached: list[Platform] = field(default_factory=list)
    moves: list[tuple[Place, Place]] = field(default_factory=list)
    closings: list[Place] = field(default_factory=list)
    kept: list[Ticket] = field(default_factory=list)
    seen: dict[Place, str] = field(default_factory=dict)
    withdrawn: list[tuple[str, str]] = field(default_factory=list)  # places and messages
    arrivals: ArrivalOrder = field(default_factory=ArrivalOrder)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def attach(self, platform: Platform) -> None:
        self.attached.append(platform)

    def detach(self, platform: Platform) -> None:
        self.attached.remove(platform)

    def arriving(self, place: Place, event: str, author: Author) -> AbstractContextManager[Arrival]:
        return self.arrivals.arriving(place.key, event, author.key)

    async def handle(self, incoming: Incoming) -> None:
        shown = incoming.attachments if incoming.address is not Address.OVERHEARD else ()
        files = [await collect(attachment.read()) for attachment in shown]
        await self.arrivals.turn(incoming.arrival, follows=True)
        async with self._arrived:
            self.heard.append(Heard(incoming, tuple(files)))
            self._arrived.notify_all()

    async def hears(self, count: int = 1) -> Heard:
        """The `count`-th event, as soon as it has come by the platform's way."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.heard) >= count)
            return self.heard[count - 1]

    async def withdraw(self, place: Place, message_id: str, *, answers: bool) -> tuple[str, ...]:
        self.withdrawn.append((place.key, message_id))
        return ()

    async def moved(self, old: Place, new: Place) -> None:
        self.moves.append((old, new))

    async def closed(self, place: Place, *, server: bool = False) -> None:
        self.closings.append(place)

    async def joined(self, place: Place, author: Author, locale: str | None) -> None: ...

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        return {}

    async def keep_ticket(self, place: Place, event: str, data: Mapping[str, str | int], seconds: float) -> None:
        self.kept.append(Ticket(place, event, data, seconds, taken=False, reply_pending=False, message_ids=()))

    async def tickets(self, platform: str) -> tuple[Ticket, ...]:
        return tuple(self.kept)

    async def keep_seen(self, events: Mapping[Place, str]) -> None:
        self.seen |= events

    async def last_seen(self, platform: str) -> Mapping[Place, str]:
        return self.seen

    async def history(self, place: Place, limit: int = 200) -> tuple[Remembered, ...]:
        return ()

    async def picture(self, place: Place, sha256: str) -> Path | None:
        return None


async def collect(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


class Rig(ABC):
    """One place of the platform with one person in it."""

    platform: Platform
    place: Place
    bot: Listener
    addressed: Address = Address.PRIVATE  # how a plain message in `place` reaches the bot

    @abstractmethod
    async def say(self, text: str, pictures: tuple[bytes, ...] = (), reply_to: str | None = None) -> None:
        """The person writes. Returns when the platform has taken it."""

    @abstractmethod
    async def press(self, message_id: str, button: Button, answer_id: int) -> None:
        """The person presses a button (or types what stands for it) under a message."""

    @abstractmethod
    async def shown(self) -> dict[str, str]:
        """The bot's messages that are to be seen now, by id."""

    async def pinged(self) -> list[str]:
        """Everybody whom the bot's messages notified."""
        return []


class Conformance:
    """Tests of one adapter against `rig`, which the subclass offers as a fixture."""

    async def test_shows_what_is_sent(self, rig: Rig) -> None:
        first = await rig.platform.send(rig.place, Outgoing("One goose."), reply_to=None, nonce="n1")
        second = await rig.platform.send(rig.place, Outgoing("Two geese."), reply_to=None, nonce="n2")
        shown = await rig.shown()
        assert "One goose." in shown[first]
        assert "Two geese." in shown[second]

    async def test_sends_a_nonce_once(self, rig: Rig) -> None:
        if not rig.platform.limits.deduplicates:
            pytest.skip("this platform can't recognise a repeated send")
        first = await rig.platform.send(rig.place, Outgoing("Once."), reply_to=None, nonce="same")
        second = await rig.platform.send(rig.place, Outgoing("Once."), reply_to=None, nonce="same")
        assert first == second
        assert sum("Once." in text for text in (await rig.shown()).values()) == 1

    async def test_edits_in_place(self, rig: Rig) -> None:
        message = await rig.platform.send(rig.place, Outgoing("Draft", final=False), reply_to=None, nonce="n")
        await rig.platform.edit(rig.place, message, Outgoing("Finished."))
        shown = await rig.shown()
        assert "Finished." in shown[message]
        assert not any("Draft" in text for text in shown.values())

    async def test_takes_an_edit_that_changes_nothing(self, rig: Rig) -> None:
        message = await rig.platform.send(rig.place, Outgoing("Same."), reply_to=None, nonce="n")
        await rig.platform.edit(rig.place, message, Outgoing("Same."))
        assert "Same." in (await rig.shown())[message]

    async def test_deletes(self, rig: Rig) -> None:
        message = await rig.platform.send(rig.place, Outgoing("Away with it."), reply_to=None, nonce="n")
        await rig.platform.delete(rig.place, message)
        assert message not in await rig.shown()

    async def test_says_that_an_edited_message_is_gone(self, rig: Rig) -> None:
        message = await rig.platform.send(rig.place, Outgoing("Away with it."), reply_to=None, nonce="n")
        await rig.platform.delete(rig.place, message)
        with pytest.raises(MessageGone):
            await rig.platform.edit(rig.place, message, Outgoing("Still there?"))

    async def test_takes_the_longest_text_that_it_claims_to_take(self, rig: Rig) -> None:
        limit = rig.platform.limits.text
        message = await rig.platform.send(rig.place, Outgoing("g" * limit), reply_to=None, nonce="n")
        assert "g" * limit in (await rig.shown())[message].replace("\n", "")

    async def test_pings_nobody(self, rig: Rig) -> None:
        text = "@everyone @here @someone <@1> <@&2> tg://user?id=3"
        await rig.platform.send(rig.place, Outgoing(text), reply_to=None, nonce="n")
        assert await rig.pinged() == []

    async def test_typing_is_a_courtesy(self, rig: Rig) -> None:
        await rig.platform.typing(rig.place)
        assert await rig.shown() == {}

    async def test_hands_over_what_was_said(self, rig: Rig) -> None:
        await rig.say("How many geese?")
        incoming = (await rig.bot.hears()).incoming
        assert (incoming.text, incoming.address, incoming.command) == ("How many geese?", rig.addressed, None)
        assert incoming.place.key == rig.place.key
        assert incoming.author.platform == rig.platform.name
        assert incoming.sent_at.utcoffset() == timedelta(0)
        assert not incoming.author.is_bot

    async def test_gives_every_message_a_key_of_its_own(self, rig: Rig) -> None:
        await rig.say("First")
        await rig.bot.hears(1)
        await rig.say("Second")
        await rig.bot.hears(2)
        assert rig.bot.heard[0].incoming.key != rig.bot.heard[1].incoming.key

    async def test_hands_over_pictures_whole(self, rig: Rig) -> None:
        await rig.say("What is this?", pictures=(PNG, PNG + b"\0"))
        heard = await rig.bot.hears()
        assert heard.pictures == (PNG, PNG + b"\0")
        assert heard.incoming.text == "What is this?"

    async def test_hands_over_a_picture_without_words(self, rig: Rig) -> None:
        await rig.say("", pictures=(PNG,))
        heard = await rig.bot.hears()
        assert (heard.incoming.text, heard.pictures) == ("", (PNG,))

    async def test_names_the_message_that_is_replied_to(self, rig: Rig) -> None:
        message = await rig.platform.send(rig.place, Outgoing("A goose.", answer_id=7), reply_to=None, nonce="n")
        await rig.shown()
        await rig.say("And that one?", reply_to=message)
        reply = (await rig.bot.hears()).incoming.reply_to
        assert reply is not None
        assert reply.message_id == message

    async def test_turns_a_pressed_button_into_its_command(self, rig: Rig) -> None:
        if not rig.platform.limits.buttons:
            pytest.skip("this platform has no buttons")
        message = await rig.platform.send(rig.place, Outgoing("A goose.", (Button.AGAIN,), 7), reply_to=None, nonce="n")
        await rig.press(message, Button.AGAIN, 7)
        incoming = (await rig.bot.hears()).incoming
        assert incoming.address is Address.COMMAND
        assert incoming.command is not None
        assert (incoming.command.name, incoming.command.options["answer_id"]) == ("again", 7)
