"""What `/forget` deletes and what it leaves, on each database: one's own, a channel's with its threads, a person's on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from bot.message import Address, Author, Invocation, Place
from tests.bot.hostile import encode
from tests.bot.rig import Rig, ScriptedEngine, attachment, echo, running

CHANNEL = Place("web", "pond", server="geese")
THREAD = replace(CHANNEL, thread="t1")
OTHER = replace(CHANNEL, channel="lake")
ELSEWHERE = replace(CHANNEL, channel="sea", server="ducks")
ANN, BEN = Author("web", "1", "Ann"), Author("web", "2", "Ben")
KEEPER = Author("web", "3", "Kim", manages=True)
GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")


@pytest.fixture
async def rig(database_url: str, tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        for number, place in enumerate((CHANNEL, THREAD, OTHER, ELSEWHERE)):
            for author in (ANN, BEN):
                await rig.say(author.id, author=author, place=place, attachments=(attachment(GOOSE),))
            await rig.finals(2 * (number + 1))
        yield rig


async def left(rig: Rig) -> dict[str, list[str]]:
    """Who is still on record as having asked, by place."""
    places = (CHANNEL, THREAD, OTHER, ELSEWHERE)
    return {each.key: [said.author for said in await rig.core.history(each) if said.role == "user"] for each in places}


async def command(rig: Rig, author: Author, invocation: Invocation) -> None:
    await rig.say(author=author, place=CHANNEL, address=Address.COMMAND, command=invocation)


async def forget(rig: Rig, author: Author, **options: str) -> str:
    """What the bot says to it."""
    before = len(rig.chat.finals())
    await command(rig, author, Invocation("forget", {"confirm": "yes", **options}))
    return (await rig.finals(before + 1))[-1]


BOTH = [ANN.name, BEN.name]


async def test_a_channel_is_forgotten_with_its_threads(rig: Rig) -> None:
    assert await forget(rig, KEEPER, what="channel") == "Done. Deleted: 8 messages, 0 pictures."
    assert await left(rig) == {CHANNEL.key: [], THREAD.key: [], OTHER.key: BOTH, ELSEWHERE.key: BOTH}
    assert [path.name for path in rig.files.path("ab").parent.parent.rglob("*") if path.is_file()]  # others still show the picture


async def test_a_person_is_forgotten_on_this_server_alone(rig: Rig) -> None:
    [of_ann, *_] = [said.id for said in await rig.core.history(CHANNEL) if said.role == "assistant"]
    await command(rig, KEEPER, Invocation("again", {"answer_id": of_ann}))  # it goes with the question, whoever asked for it
    await rig.finals(9)
    assert await forget(rig, KEEPER, person=ANN.id) == "Done. Deleted: 7 messages, 0 pictures."
    only_ben = [BEN.name]
    assert await left(rig) == {CHANNEL.key: only_ben, THREAD.key: only_ben, OTHER.key: only_ben, ELSEWHERE.key: BOTH}


async def test_one_s_own_is_forgotten_everywhere(rig: Rig) -> None:
    assert await forget(rig, ANN) == "Done. Deleted: 8 messages, 0 pictures."
    assert set(map(tuple, (await left(rig)).values())) == {(BEN.name,)}
    assert await forget(rig, BEN) == "Done. Deleted: 8 messages, 1 pictures."
    assert [path for path in rig.files.path("ab").parent.parent.rglob("*") if path.is_file()] == []


async def test_who_asks_again_has_a_name_and_no_settings_of_old(rig: Rig) -> None:
    await command(rig, ANN, Invocation("settings", {"name": "system_prompt", "value": "I am Ann.", "scope": "me"}))
    await rig.finals(9)
    await forget(rig, ANN)
    await rig.say("mine", author=ANN, place=CHANNEL, attachments=(attachment(GOOSE),))
    await rig.finals(11)
    await rig.say("hers?", author=BEN, place=CHANNEL)
    await rig.finals(12)
    assert rig.chat.answer("You asked: hers?").footer == "About Ann's picture"
    assert "Ann" not in str(rig.engine.requests[-2].messages)


async def test_a_person_whom_nobody_can_find_by_name_is_not_taken_for_whoever_asks(rig: Rig) -> None:
    assert "by name" in await forget(rig, KEEPER, person="@Ann")
    assert "by name" in await forget(rig, ANN, person="Ben")
    assert set(map(tuple, (await left(rig)).values())) == {tuple(BOTH)}
