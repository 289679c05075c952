"""What people show and quote on Discord is found where it stands: in components, threads, replies, and before the question."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.errors import Refusal
from bot.platform import Outgoing
from tests.adapters.conformance import Listener, collect
from tests.adapters.discord.rig import PROXIED, Server, client_of, on_server
from tests.adapters.discord.whole import GOOSE, Whole, labels, pictures_in, whole_bot
from tests.bot.rig import asked

V2 = 1 << 15  # the flag of a message that is made of components


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_bot(tmp_path) as whole:
        whole.server.cdn.elsewhere[PROXIED] = GOOSE
        yield whole


def medium() -> dict[str, Any]:
    return {"url": "https://goose.example/goose.png", "proxy_url": PROXIED, "content_type": "image/png", "width": 20, "height": 10}


COMPOSED = {
    "gallery": {"type": 12, "id": 1, "items": [{"media": medium()}]},
    "thumbnail": {
        "type": 9,
        "id": 1,
        "components": [{"type": 10, "id": 2, "content": "a goose"}],
        "accessory": {"type": 11, "id": 3, "media": medium()},
    },
    "file": {"type": 13, "id": 1, "file": medium(), "name": "goose.png", "size": 10},
    "container": {"type": 17, "id": 1, "components": [{"type": 12, "id": 2, "items": [{"media": medium(), "spoiler": True}]}]},
}


@pytest.mark.parametrize("kind", COMPOSED)
async def test_pictures_in_components_are_pictures(whole: Whole, kind: str) -> None:
    server = whole.server
    sent = server.env.backend.create_message(server.channel.id, server.bob.id, "", components=[COMPOSED[kind]], flags=V2)
    message = next(each for each in server.channel.history() if each.id == sent.id)
    await whole.asks("what is this?", reply_to=message)
    [answer] = await whole.ends(1)
    assert len(pictures_in(whole.engine.requests[0])) == 1
    assert answer.startswith("||") is (kind == "container")


async def test_a_thread_is_about_the_picture_that_it_began_with(whole: Whole) -> None:
    server = whole.server
    photo = await server.bob.send(server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    channel = server.client.get_channel(server.channel.id)
    assert isinstance(channel, discord.TextChannel)
    await whole.bot.outside(channel.create_thread(name="geese", message=discord.Object(photo.id)))
    thread = server.channel.threads[0]
    await server.ann.send(thread, f"{server.mention} how old?")
    await whole.until(lambda: any("You asked" in message.content for message in server.said(thread)))
    assert len(pictures_in(whole.engine.requests[0])) == 1


async def test_the_words_that_somebody_replies_to_are_quoted(whole: Whole) -> None:
    words = await whole.server.bob.send(whole.server.channel, "Geese fly south.\nDucks stay.")
    await whole.asks("is that so?", reply_to=words)
    await whole.ends(1)
    assert asked(whole.engine.requests[0]) == "> Geese fly south.\n> Ducks stay.\n\nis that so?"


async def test_a_picture_that_the_asker_just_posted_is_meant_and_of_two_one_is_chosen(whole: Whole) -> None:
    server = whole.server
    await server.ann.send(server.channel, "look", attachments=[("goose.png", GOOSE)])
    await whole.asks("what is this?")
    assert "About the picture that you just showed" in (await whole.ends(1))[0]
    for _ in range(2):
        await server.ann.send(server.channel, "look", attachments=[("goose.png", GOOSE)])
    await whole.asks("and what is this?")
    await whole.says("Which picture do you mean?")
    offered = next(message for message in server.said() if "Which picture" in message.content)
    [sheet] = offered.attachments
    assert sheet.description is not None
    assert sheet.description.split(" ")[0] == "1."
    await server.ann.click(offered, label=str(labels(offered)[1]))
    await whole.ends(2)
    assert [len(pictures_in(request)) for request in whole.engine.requests] == [1, 1]


async def test_without_the_content_intent_an_empty_reply_is_no_question(bot: Listener) -> None:
    """Its ping is off, so that Discord tells nothing of its words."""
    async with on_server(client_of(bot, sees_content=False)) as server:
        await replied_silently(server)
        heard = (await bot.hears()).incoming
        assert heard.text in {"", "how old?"}
        if not heard.text:
            with pytest.raises(Refusal, match="words_unseen"):
                await collect(heard.attachments[0].read())


async def replied_silently(server: Server) -> None:
    await server.client.platform.send(server.place, Outgoing("A goose."), reply_to=None, nonce="1")
    await server.ann.send(server.channel, "how old?", reply_to=server.said()[-1])
