"""Messages that are edited within seconds: what they say then is what is answered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import connected, whole


async def test_an_edited_caption_is_answered_in_its_new_words_though_the_answer_had_begun(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.engine.gate.clear()
        message = await telegram.world.say(chat, "a dcuk?", photo=telegram.world.photo(PNG))
        await telegram.until(lambda: telegram.engine.running == 1)
        await telegram.world.edit(message, "a duck?")
        await telegram.until(lambda: len(telegram.engine.requests) == 2)
        telegram.engine.gate.set()
        assert await telegram.answers(chat) == ["You asked: a duck?"]
        assert "data:image/" in str(telegram.engine.requests[1])


async def test_a_caption_that_gets_its_mention_by_an_edit_is_asked(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        shown = await telegram.world.say(group, "look at that", photo=telegram.world.photo(PNG))
        await telegram.world.edit(shown, "@gander_bot look at that")
        assert [text.splitlines()[0] for text in await telegram.answers(group)] == ["You asked: look at that"]
        await telegram.world.edit(shown, "@gander_bot look at this")  # at once, and nobody has gone on from the answer
        await telegram.until(lambda: [each["text"].splitlines()[0] for each in telegram.said(group)] == ["You asked: look at this"])
        await telegram.world.say(group, "@gander_bot done?", by=BOB)
        await telegram.until(lambda: len(telegram.engine.requests) == 3)
    assert "data:image/" in str(telegram.engine.requests[0])


async def test_what_was_said_long_ago_becomes_no_question_by_an_edit(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        old = telegram.world.keep(group, ANN, text="look at that")
        old["date"] = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
        await telegram.world.edit(old, "@gander_bot look at that")
        await telegram.world.say(group, "@gander_bot and now?")
        assert await telegram.answers(group) == ["You asked: and now?"]
    assert len(telegram.engine.requests) == 1


async def test_the_caption_of_an_album_is_edited_whichever_part_it_stands_on() -> None:
    async with connected() as telegram:
        first, second = await telegram.world.album(telegram.world.private(), [PNG, PNG], "")
        await telegram.bot.hears()
        await telegram.world.edit(second, "which is the goose?")
        await telegram.bot.hears(2)
        album, edited = (heard.incoming for heard in telegram.bot.heard)
    assert (album.id, edited.id, edited.edited) == (str(first["message_id"]), str(first["message_id"]), True)
    assert edited.text == "which is the goose?"


async def test_a_command_is_not_carried_out_by_an_edit_and_ask_is(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        first, second = await telegram.world.say(chat, "hello"), await telegram.world.say(chat, "you")
        await telegram.answers(chat, 2)
        await telegram.world.edit(first, "/temperature 0.9")
        await telegram.world.edit(second, "/ask how are you?")
        await telegram.until(lambda: [each["text"] for each in telegram.said(chat)] == ["You asked: hello", "You asked: how are you?"])
    assert [request.temperature for request in telegram.engine.requests] == [None] * 3
