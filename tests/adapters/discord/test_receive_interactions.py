"""A command is acknowledged at once, and answered where those who should see it do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bot.arrival import Arrival
from bot.message import Author, Place
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, PROXIED, Cdn, new_client
from tests.adapters.discord.whole import GOOSE, Whole, pictures_in
from tests.adapters.strict.discord.interacting import interaction
from tests.adapters.strict.discord.server import ANN, Wire, connected, message_payload


async def test_ask_shows_the_answer_to_all_and_sees_the_picture(whole: Whole) -> None:
    whole.engine.gate.clear()
    result = await whole.server.ann.slash(whole.server.channel, "ask", prompt="what is this?", image=("goose.png", GOOSE))
    assert result.deferred
    whole.engine.gate.set()
    assert not result.ephemeral
    await whole.says("You asked: what is this?")
    assert len(pictures_in(whole.engine.requests[0])) == 1


async def test_pain_what_concerns_one_person_is_shown_to_them_alone(whole: Whole) -> None:
    result = await whole.server.ann.slash(whole.server.channel, "temperature", value=0.7, scope="me")
    await whole.until(lambda: result.response is not None and "0.7" in result.response.content)
    assert result.ephemeral


async def test_a_refusal_of_a_public_command_is_shown_to_the_person_alone(whole: Whole) -> None:
    result = await whole.server.ann.slash(whole.server.channel, "ask")
    await whole.until(lambda: bool(result.followups))
    assert [message.ephemeral for message in result.followups] == [True]
    assert result.response is None


async def test_a_command_is_acknowledged_before_its_picture_is_read(wire: Wire, bot: Listener) -> None:
    """Discord waits three seconds for the first sign, and a picture may take longer."""
    signs: list[int] = []

    class Slow(Cdn):
        async def fetch(self, url: str) -> AsyncIterator[bytes]:
            signs.extend(body["type"] for _, path, body in wire.requests if path.endswith("/callback"))
            yield b"goose"

    attached = {"id": "3", "filename": "goose.png", "size": 5, "url": PROXIED, "proxy_url": PROXIED, "content_type": "image/png"}
    option = {"name": "image", "type": 11, "value": "3"}
    data = {"id": "1", "name": "ask", "type": 1, "options": [option], "resolved": {"attachments": {"3": attached}}}
    async with connected(new_client(bot, Slow(), **AT_ONCE)):
        await wire.dispatch("INTERACTION_CREATE", interaction("1", 2, data))
        assert (await bot.hears()).pictures == (b"goose",)
    assert signs == [5]  # "thinking"


@dataclass
class StoreAway(Listener):
    """A bot whose store takes no tickets until it is `back`."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    back: asyncio.Event = field(default_factory=asyncio.Event)
    came: list[str] = field(default_factory=list)  # events, also those that are not handled yet

    def arriving(self, place: Place, event: str, author: Author) -> AbstractContextManager[Arrival]:
        self.came.append(event)
        return super().arriving(place, event, author)

    async def keep_ticket(self, place: Place, event: str, data: Mapping[str, str | int], seconds: float) -> None:
        self.asked.set()
        await self.back.wait()
        await super().keep_ticket(place, event, data, seconds)


async def test_a_command_keeps_its_place_in_line_while_it_can_not_be_stored(wire: Wire) -> None:
    bot = StoreAway()
    ask = {"id": "1", "name": "ask", "type": 1, "options": [{"name": "prompt", "type": 3, "value": "first"}]}
    async with connected(new_client(bot, Cdn(), **AT_ONCE)):
        await wire.dispatch("INTERACTION_CREATE", interaction("1", 2, ask))
        await bot.asked.wait()
        await wire.dispatch("MESSAGE_CREATE", message_payload("2", ANN, "second"))
        while len(bot.came) < 2 and not bot.heard:  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.01)
        bot.back.set()
        await bot.hears(2)
    assert [heard.incoming.id for heard in bot.heard] == ["1", "2"]
