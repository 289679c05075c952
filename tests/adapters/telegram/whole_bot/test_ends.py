"""The end of a long answer stays with its question, and what was deleted stays away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import Whole, whole
from tests.bot.rig import ScriptedEngine, Valve

LONG = "A goose. " * 1_200


async def parts(telegram: Whole, chat: int, number: int) -> list[int]:
    await telegram.until(lambda: len(telegram.said(chat)) == number and "reply_markup" in telegram.said(chat)[-1])
    return [each["message_id"] for each in telegram.said(chat)]


async def test_every_part_of_an_answer_stays_among_the_comments_of_a_channels_post(tmp_path: Path) -> None:
    async with whole(tmp_path, ScriptedEngine(lambda _: (LONG,))) as telegram:
        group = telegram.world.group()
        post = telegram.world.keep(group, BOB, text="The channel's post", is_automatic_forward=True)
        question = await telegram.world.say(group, "@gander_bot tell!", message_thread_id=post["message_id"], reply_to_message=post)
        names = await parts(telegram, group, 3)
    said = telegram.said(group)
    assert [each["reply_to_message"]["message_id"] for each in said] == [question["message_id"], *names[:-1]]
    assert {each["message_thread_id"] for each in said} == {post["message_id"]}


async def test_every_part_of_an_answer_stays_in_its_topic(tmp_path: Path) -> None:
    async with whole(tmp_path, ScriptedEngine(lambda _: (LONG,))) as telegram:
        forum = telegram.world.group(forum=True)
        topic = telegram.world.keep(forum, BOB, forum_topic_created={"name": "Geese", "icon_color": 0})
        where = {"message_thread_id": topic["message_id"], "is_topic_message": True, "reply_to_message": topic}
        await telegram.world.say(forum, "@gander_bot tell!", **where)
        await parts(telegram, forum, 3)
    assert {each["message_thread_id"] for each in telegram.said(forum)} == {topic["message_id"]}


async def test_parts_of_an_answer_in_private_need_no_links(tmp_path: Path) -> None:
    async with whole(tmp_path, ScriptedEngine(lambda _: (LONG,))) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "tell!")
        await parts(telegram, chat, 3)
    assert ["reply_to_message" in each for each in telegram.said(chat)] == [True, False, False]


@pytest.mark.parametrize("words", [1, 2])
async def test_a_growing_answer_that_a_moderator_deletes_stops_and_stays_away(tmp_path: Path, words: int) -> None:
    """Telegram tells of no deletion: the next change of the message meets nothing."""
    valve = Valve(0)
    async with whole(tmp_path, ScriptedEngine(lambda _: ["One ", "white ", "goose."], gate=valve)) as telegram:
        valve.clear()
        group = telegram.world.group()
        await telegram.world.say(group, "@gander_bot what is this?", by=ANN)
        valve.let(1)
        await telegram.until(lambda: len(telegram.said(group)) == 1)
        del telegram.world.messages[group, telegram.said(group)[0]["message_id"]]
        valve.let(words)
        if words == 2:
            valve.let(1)
        await telegram.until(lambda: telegram.engine.running == 0)
        telegram.engine.reply = lambda _: ["Done."]
        valve.set()
        await telegram.world.say(group, "@gander_bot and now?", by=BOB)
        await telegram.until(lambda: "Done." in [each["text"] for each in telegram.said(group)])
        assert len(telegram.said(group)) == 1
