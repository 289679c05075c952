"""What `/forget` deletes and what it leaves, on each database: one's own, a channel's with its threads, a person's on a server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.command_registry import COMMANDS
from bot.commands.parser import parse_command
from bot.message import Address, Author, Invocation, Place
from bot.texts import load_texts
from tests.bot.rig import GOOSE, Rig, ScriptedEngine, attachment, echo, running

CHANNEL = Place("web", "pond", server="geese")
THREAD = replace(CHANNEL, thread="t1")
OTHER = replace(CHANNEL, channel="lake")
ELSEWHERE = replace(CHANNEL, channel="sea", server="ducks")
ANN, BEN = Author("web", "1", "Ann"), Author("web", "2", "Ben")
KEEPER = Author("web", "3", "Kim", manages=True)


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
    """What the bot says to it, and to the press of its button where it shows one."""
    before = len(rig.chat.finals())
    await command(rig, author, Invocation("forget", {"confirm": "yes", **options}))
    shown = (await rig.finals(before + 1))[-1]
    asked = next(message for message in reversed(rig.chat.messages.values()) if message.text == shown)
    if not asked.actions:
        return shown
    pressed = parse_command(asked.actions[0].command, COMMANDS, load_texts())
    assert pressed is not None
    await command(rig, author, pressed)
    done = (await rig.finals(before + 2))[-1]
    return f"{shown}\n{done.splitlines()[0]}"


def counted(said: str) -> list[tuple[str, str]]:
    """The numbers of messages that were named before, and afterwards: whoever confirms knows what goes."""
    return re.findall(r"(\d+) messages, (\d+) pictures", said)


BOTH = [ANN.name, BEN.name]


async def test_a_channel_is_forgotten_with_its_threads(rig: Rig) -> None:
    said = await forget(rig, KEEPER, what="channel")
    assert "**Ann** (2), **Ben** (2)" in said
    assert counted(said) == [("8", "0")] * 2
    assert await left(rig) == {CHANNEL.key: [], THREAD.key: [], OTHER.key: BOTH, ELSEWHERE.key: BOTH}
    assert [path.name for path in rig.files.path("ab").parent.parent.rglob("*") if path.is_file()]  # others still show the picture


async def test_a_person_is_forgotten_on_this_server_alone(rig: Rig) -> None:
    [of_ann, *_] = [said.id for said in await rig.core.history(CHANNEL) if said.role == "assistant"]
    await command(rig, KEEPER, Invocation("again", {"answer_id": of_ann}))  # it goes with the question, whoever asked for it
    await rig.finals(9)
    said = await forget(rig, KEEPER, person=ANN.id)
    assert "that I keep of **Ann** (3)" in said
    assert counted(said) == [("7", "0")] * 2
    only_ben = [BEN.name]
    assert await left(rig) == {CHANNEL.key: only_ben, THREAD.key: only_ben, OTHER.key: only_ben, ELSEWHERE.key: BOTH}


async def test_one_s_own_is_forgotten_everywhere(rig: Rig) -> None:
    assert counted(await forget(rig, ANN)) == [("8", "0")] * 2
    assert set(map(tuple, (await left(rig)).values())) == {(BEN.name,)}
    assert counted(await forget(rig, BEN)) == [("8", "1")] * 2
    assert [path for path in rig.files.path("ab").parent.parent.rglob("*") if path.is_file()] == []


async def test_who_asks_again_has_a_name_and_no_settings_of_old(rig: Rig) -> None:
    await command(rig, ANN, Invocation("settings", {"name": "system_prompt", "value": "I am Ann.", "scope": "me"}))
    await rig.finals(9)
    await forget(rig, ANN)
    await rig.say("mine", author=ANN, place=CHANNEL, attachments=(attachment(GOOSE),))
    await rig.finals(12)
    await rig.say("hers?", author=BEN, place=CHANNEL)
    await rig.finals(13)
    assert rig.chat.answer("You asked: hers?").footer == "About Ann's picture"
    assert "Ann" not in str(rig.engine.requests[-2].messages)


async def test_a_person_whom_nobody_can_find_by_name_is_not_taken_for_whoever_asks(rig: Rig) -> None:
    for name in ("@Ann", "Ben", "@ann1", "ann 1", "1st", "<@&1>", "1\u0661", "9" * 38):
        assert "names nobody for sure" in await forget(rig, KEEPER, person=name)
        assert "names nobody for sure" in await forget(rig, ANN, person=name)
    assert "a person with the id 7" in await forget(rig, KEEPER, person="7")
    assert (
        await forget(rig, ANN, person=BEN.id)
        == "Only those who manage this chat can delete what others said. /forget deletes what is yours."
    )
    assert set(map(tuple, (await left(rig)).values())) == {tuple(BOTH)}
