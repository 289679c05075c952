"""Answers as people on Discord see them: every pain of the bots that exist is a test by its name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import discord
import pytest
from simcord.backend.errors import OptionError

from bot.config.schema import DiscordOptions
from bot.store import jobs
from engine.api import ChatRequest
from tests.adapters.discord.whole import DUCK, GOOSE, Whole, labels, pictures_in, whole_bot
from tests.bot.rig import asked

PHOTO = (("goose.png", GOOSE),)
GEESE = [f"{number} geese went by.\n\n" for number in range(525)]


def lengthy(request: ChatRequest) -> Sequence[str | Exception]:
    return ["```py\n", *(f"line_{number} = {number}\n" for number in range(400)), "```\nThat is all."]


async def test_pain_7_the_new_picture_is_answered_and_not_an_old_one(whole: Whole) -> None:
    server = whole.server
    await server.ann.send(server.channel, f"{server.mention} first", attachments=PHOTO)
    await whole.ends(1)
    await server.ann.send(server.channel, f"{server.mention} second", attachments=[("duck.png", DUCK)])
    await whole.ends(2)
    assert [len(pictures_in(request)) for request in whole.engine.requests] == [1, 1]
    assert pictures_in(whole.engine.requests[0]) != pictures_in(whole.engine.requests[1])


async def test_pain_8_a_picture_is_fetched_before_it_waits(whole: Whole) -> None:
    whole.engine.gate.clear()
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} what is this?", attachments=PHOTO)
    fetched = list(whole.server.cdn.fetched)
    whole.engine.gate.set()
    await whole.ends(1)
    assert len(fetched) == 1
    assert whole.server.cdn.fetched == fetched


async def test_pain_10_a_long_answer_is_split_and_its_code_stays_code(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, lengthy) as whole:
        await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} count")
        await whole.ends(1)
        said = [message.content for message in whole.server.said()]
    assert len(said) > 2
    assert all(len(part) <= 2000 and part.count("```") == 2 for part in said)
    assert [f"line_{number} = {number}" for number in range(400)] == [
        line for part in said for line in part.splitlines() if line.startswith("line_")
    ]
    assert said[-1].endswith("That is all.")


def endless(request: ChatRequest) -> Sequence[str | Exception]:
    return GEESE


@pytest.mark.parametrize("may_attach", [True, False])
async def test_an_endless_answer_goes_into_a_file_where_it_may(tmp_path: Path, *, may_attach: bool) -> None:
    async with whole_bot(tmp_path, endless) as whole:
        server, me = whole.server, whole.server.guild.me
        assert me is not None
        pond = server.guild.create_text_channel("pond", overwrites={me: discord.PermissionOverwrite(attach_files=may_attach)})
        await server.ann.send(pond, f"{server.mention} count")
        await whole.until(lambda: any("Again" in labels(message) for message in server.said(pond)))
        said = server.said(pond)
        files = [await attachment.read() for message in said for attachment in message.attachments]
    if may_attach:
        assert [len(message.attachments) for message in said] == [0, 0, 0, 0, 1]
        assert said[-1].content.endswith("-# The answer goes on in the file.")
        assert files == ["".join(GEESE).encode()]
    else:
        assert len(said) > 5
        assert said[-1].content.rstrip().endswith("524 geese went by.")
        assert files == []


async def test_pain_12_who_waits_sees_their_place(whole: Whole) -> None:
    whole.engine.gate.clear()
    server = whole.server
    for number in range(whole.engine.rows + 1):
        await server.ann.send(server.channel, f"{server.mention} question {number}")
    await whole.says("You are next")
    whole.engine.gate.set()
    assert len(await whole.ends(whole.engine.rows + 1)) == whole.engine.rows + 1


async def test_the_answer_to_a_spoiler_is_a_spoiler(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} what?", attachments=[("SPOILER_goose.png", GOOSE)])
    assert (await whole.ends(1))[0] == "||You asked: what?||"


async def test_the_answer_says_whose_picture_it_is_about(whole: Whole) -> None:
    server = whole.server
    await server.bob.send(server.channel, f"{server.mention} what is this?", attachments=PHOTO)
    await whole.ends(1)
    await server.ann.send(server.channel, f"{server.mention} and how old is it?")
    assert "-# About bob's picture" in (await whole.ends(2))[1]


async def test_a_reply_to_anyone_s_picture_is_answered(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=PHOTO)
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} what is this?", reply_to=photo)
    await whole.ends(1)
    assert len(pictures_in(whole.engine.requests[0])) == 1


async def test_a_file_that_is_no_picture_gets_one_kind_line(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, whole.server.mention, attachments=[("notes.txt", b"dear diary")])
    await whole.says("“notes.txt” isn't a picture or a film that I can read.")
    assert len(whole.server.said()) == 1


async def test_a_file_beside_a_picture_gets_its_line_and_the_picture_its_answer(whole: Whole) -> None:
    await whole.asks("what is this?", attachments=[("notes.txt", b"dear diary"), *PHOTO, ("more.txt", b"dear diary")])
    assert await whole.ends(1) == ["You asked: what is this?"]
    await whole.says("“notes.txt” isn't a picture or a film that I can read.")
    assert len(pictures_in(whole.engine.requests[0])) == 1
    assert len(whole.server.said()) == 2


async def test_a_message_that_is_edited_while_it_waits_is_asked_as_it_is_then(whole: Whole) -> None:
    whole.engine.gate.clear()
    server = whole.server
    for number in range(whole.engine.rows):
        await server.bob.send(server.channel, f"{server.mention} question {number}")
    message = await server.ann.send(server.channel, f"{server.mention} how many gese?")
    await server.ann.edit(message, f"{server.mention} how many geese?")
    whole.engine.gate.set()
    answers = await whole.ends(whole.engine.rows + 1)
    assert "You asked: how many geese?" in answers
    assert "You asked: how many gese?" not in answers


async def test_a_message_that_is_edited_when_its_answer_has_begun_is_answered_anew(whole: Whole) -> None:
    whole.engine.gate.clear()
    message = await whole.asks("how many gese?")
    await whole.until(lambda: whole.engine.running == 1)
    await whole.server.ann.edit(message, f"{whole.server.mention} how many geese?")
    whole.engine.gate.set()
    assert await whole.ends(1) == ["You asked: how many geese?"]
    await whole.server.ann.edit(message, f"{whole.server.mention} how many swans?")
    await whole.says("You asked: how many swans?")
    assert len(whole.server.said()) == 1


async def test_a_deleted_question_is_not_answered_and_not_kept(whole: Whole) -> None:
    whole.engine.gate.clear()
    server = whole.server
    message = await server.ann.send(server.channel, f"{server.mention} what is this?", attachments=PHOTO)
    await server.ann.delete(message)
    whole.engine.gate.set()
    await whole.until(lambda: whole.engine.running == 0)
    assert await whole.rig.core.history(server.place) == ()
    assert [path for path in whole.rig.files.path("ab").parent.parent.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("delete_answers", [True, False])
async def test_an_answer_goes_with_its_question_if_configured(tmp_path: Path, *, delete_answers: bool) -> None:
    async with whole_bot(tmp_path, options=DiscordOptions(delete_answers=delete_answers)) as whole:
        message = await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
        await whole.ends(1)
        await whole.server.ann.delete(message)
        assert len(whole.server.said()) == (0 if delete_answers else 1)


async def test_a_thread_is_answered_in_the_thread(whole: Whole) -> None:
    server = whole.server
    channel = server.client.get_channel(server.channel.id)
    assert isinstance(channel, discord.TextChannel)
    await whole.bot.outside(channel.create_thread(name="geese", type=discord.ChannelType.public_thread))
    thread = server.channel.threads[0]
    await server.ann.send(thread, f"{server.mention} hello")
    await whole.until(lambda: any("You asked" in message.content for message in server.said(thread)))


async def test_other_bots_get_no_answer(whole: Whole) -> None:
    robot = whole.server.guild.add_member(whole.server.env.create_user("robot", bot=True))
    await robot.send(whole.server.channel, f"{whole.server.mention} hello")
    assert whole.server.said() == []


async def test_pain_11_one_person_does_not_starve_another(whole: Whole) -> None:
    whole.engine.gate.clear()
    server = whole.server
    for number in range(whole.engine.rows + 3):  # each with a picture: conversations of their own, which need not wait for each other
        await server.bob.send(server.channel, f"{server.mention} bob's {number}", attachments=PHOTO)
    await server.ann.send(server.channel, f"{server.mention} ann's only one", attachments=PHOTO)
    # Until the rows are taken, and what they have no room for is stored.
    while whole.engine.running < whole.engine.rows or len(await whole.rig.database.read(jobs.all_waiting)) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    whole.engine.gate.set()
    await whole.until(lambda: len(whole.engine.requests) == whole.engine.rows + 4)
    assert [asked(request) for request in whole.engine.requests].index("ann's only one") <= whole.engine.rows + 1


async def test_pain_15_beams_are_capped_and_explained(whole: Whole) -> None:
    with pytest.raises(OptionError, match="must be ≤ 5"):
        await whole.server.ann.slash(whole.server.channel, "beams", value=10, scope="me")
    await whole.asks("/beams 10")
    await whole.says("beams goes up to 5 here.")
    explained = await whole.told(await whole.server.ann.slash(whole.server.channel, "beams"))
    assert "answers that grow side by side" in explained
    assert "From 1 to 5." in explained


async def test_where_it_may_not_speak_nothing_breaks(whole: Whole) -> None:
    me = whole.server.guild.me
    assert me is not None
    mute = whole.server.guild.create_text_channel("mute", overwrites={me: discord.PermissionOverwrite(send_messages=False)})
    await whole.server.ann.send(mute, f"{whole.server.mention} hello")
    await whole.until(lambda: whole.engine.running == 0 and len(whole.engine.requests) == 1)
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
    await whole.ends(1)
    assert whole.server.said(mute) == []


async def test_where_it_may_not_read_history_it_answers_all_the_same(whole: Whole) -> None:
    me = whole.server.guild.me
    assert me is not None
    channel = whole.server.guild.create_text_channel("new", overwrites={me: discord.PermissionOverwrite(read_message_history=False)})
    await whole.server.ann.send(channel, f"{whole.server.mention} hello")
    await whole.until(lambda: any("You asked: hello" in message.content for message in whole.server.said(channel)))
