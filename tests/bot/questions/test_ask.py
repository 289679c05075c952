"""Which conversation a question continues, which picture it is about, and what keeps it from being asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.message import Author, Reply
from bot.platform import Button
from bot.store.database import sqlite_url
from tests.bot.rig import DUCK, GOOSE, Rig, ScriptedEngine, attachment, echo, pictures, running, spoken
from tests.bot.samples import ANN, BEN


async def test_a_mention_goes_on_in_the_places_conversation_and_whoever_asks_sees_it(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    await rig.say("how old?", author=BEN)
    await rig.finals(2)
    assert spoken(rig.engine.requests[1]) == ["what is it?", "You asked: what is it?", "how old?"]
    assert pictures(rig.engine.requests[1]) == 1
    assert rig.chat.answer("You asked: how old?").footer == "About Ann's picture"


async def test_a_new_picture_starts_a_new_conversation(rig: Rig) -> None:
    for picture in (GOOSE, DUCK):
        await rig.say("what is it?", attachments=(attachment(picture),))
        await rig.until(lambda: not rig.engine.running)
    await rig.finals(2)
    assert [pictures(request) for request in rig.engine.requests] == [1, 1]
    assert rig.engine.requests[0].prompt_cache_key != rig.engine.requests[1].prompt_cache_key


async def test_a_reply_goes_on_there_and_nobody_elses_branch_leaks_in(rig: Rig) -> None:
    await rig.say("first")
    await rig.finals(1)
    await rig.say("second", author=BEN)
    await rig.finals(2)
    await rig.say("third", reply_to=Reply("bot1", is_ours=True))
    await rig.finals(3)
    assert spoken(rig.engine.requests[2]) == ["first", "You asked: first", "third"]


async def test_a_picture_in_the_replied_to_message_is_seen_and_not_its_text(rig: Rig) -> None:
    reply = Reply("stranger1", Author("web", "eve", "Eve"), (attachment(GOOSE),))
    await rig.say("what is it?", reply_to=reply)
    await rig.finals(1)
    assert pictures(rig.engine.requests[0]) == 1
    await rig.say("and this?", author=BEN, reply_to=Reply("stranger1", Author("web", "eve", "Eve"), (attachment(GOOSE),)))
    await rig.finals(2)
    assert (pictures(rig.engine.requests[1]), spoken(rig.engine.requests[1])) == (1, ["and this?"])


async def test_a_picture_of_nobody_known_is_an_earlier_one(rig: Rig) -> None:
    await rig.say("what is it?", reply_to=Reply("stranger1", None, (attachment(GOOSE),)))
    await rig.finals(1)
    await rig.say("how old?", author=BEN)
    await rig.finals(2)
    assert rig.chat.answer("You asked: how old?").footer == "About a picture that was shown before"


async def test_a_picture_without_words_is_described(rig: Rig) -> None:
    await rig.say(attachments=(attachment(GOOSE),))
    assert await rig.finals(1) == ["You asked: What is in this picture?"]


async def test_a_picture_is_asked_for_only_when_the_question_speaks_of_one(rig: Rig) -> None:
    await rig.say("what is in this picture?")
    assert "Which picture?" in (await rig.finals(1))[0]
    await rig.say("how do I draw a picture of a goose?")
    assert (await rig.finals(2))[1].startswith("You asked")


@pytest.mark.parametrize(("memory", "turns"), [("shared", 5), ("personal", 3), ("replies", 1)])
async def test_memory_decides_what_a_mention_continues(rig: Rig, memory: str, turns: int) -> None:
    manager = Author("web", "ann", "Ann", manages=True)
    await rig.press("settings", author=manager, name="memory", value=memory, scope="channel")
    await rig.finals(1)
    for number, (text, author) in enumerate([("one", ANN), ("two", BEN), ("three", ANN)], start=2):
        await rig.say(text, author=author)
        await rig.finals(number)
    assert len(spoken(rig.engine.requests[2])) == turns


async def test_after_the_idle_window_a_mention_starts_afresh(tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, idle_seconds=0.0) as rig:
        await rig.say("one")
        await rig.finals(1)
        await rig.say("two")
        await rig.finals(2)
    assert spoken(engine.requests[1]) == ["two"]


async def test_an_answer_that_ran_into_its_limit_says_so_and_goes_on(rig: Rig) -> None:
    rig.engine.finish = "length"
    await rig.say("tell me a story")
    await rig.finals(1)
    answer = rig.chat.answer("You asked: tell me a story")
    assert (answer.buttons[0], answer.footer) == (Button.CONTINUE, "Cut off at its limit of 5 tokens.")
    rig.engine.finish = "stop"
    await rig.press("continue", answer_id=answer.answer_id or 0)
    await rig.finals(2)
    assert spoken(rig.engine.requests[1])[:2] == ["tell me a story", "You asked: tell me a story"]
    await rig.press("continue")
    assert "complete" in (await rig.finals(3))[2]


async def test_again_answers_the_same_question_beside_the_first_answer(rig: Rig) -> None:
    await rig.say("why?")
    await rig.finals(1)
    await rig.press("again", temperature=1)
    await rig.finals(2)
    assert (spoken(rig.engine.requests[1]), rig.engine.requests[1].temperature) == (["why?"], 1)


async def test_a_picture_that_the_disk_does_not_take_is_refused_and_words_go_on(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("no folder can be made here")
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    assert "can't keep pictures" in (await rig.finals(1))[0]
    await rig.say("why?")
    assert (await rig.finals(2))[1] == "You asked: why?"


async def test_the_answer_to_a_hidden_picture_is_hidden(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE, spoiler=True),))
    await rig.finals(1)
    await rig.say("how old?")
    await rig.finals(2)
    assert all(message.spoiler for message in rig.chat.messages.values())


async def test_a_full_queue_refuses_politely(tmp_path: Path) -> None:
    from bot.config.schema import LimitOptions

    engine = ScriptedEngine(echo)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, limits=LimitOptions(questions_per_person=1)) as rig:
        await rig.say("one")
        await rig.say("two")
        assert "still working" in (await rig.finals(1))[0]
        engine.gate.set()
        await rig.finals(2)
    assert [spoken(request) for request in engine.requests] == [["one"]]
