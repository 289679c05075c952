"""From a message to its answer: conversations, pictures, refusals, and what people can do with an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from PIL import Image

from bot.errors import DeliveryError, EngineRefused, MessageGone
from bot.message import Address, Author, Incoming, Invocation, Place, Reply
from bot.ports import Button, Outgoing
from bot.store import events, questions
from bot.store.database import open_database, sqlite_url
from engine.api import ChatRequest, ImagePart
from tests.bot.hostile import encode
from tests.bot.rig import Chat, Rig, ScriptedEngine, attachment, echo, running
from tests.bot.rig import message as said_once
from tests.bot.samples import ANN, BEN, PLACE

GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")
DUCK = encode(Image.new("RGB", (20, 10), "brown"), "PNG")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        yield rig


def pictures(request: ChatRequest) -> int:
    contents = [message.content for message in request.messages if not isinstance(message.content, str)]
    return sum(isinstance(part, ImagePart) for content in contents for part in content)


def spoken(request: ChatRequest) -> list[str]:
    texts = []
    for message in request.messages:
        content = message.content
        texts.append(content if isinstance(content, str) else "".join(part.text for part in content if part.type == "text"))
    return texts


async def test_a_question_is_answered_as_a_reply_with_its_buttons(rig: Rig) -> None:
    asked = await rig.say("why?")
    await rig.finals(1)
    answer = rig.chat.answer("You asked: why?")
    assert (answer.buttons, rig.chat.replies["bot1"]) == ((Button.AGAIN, Button.SETTINGS), asked.id)


async def test_nothing_of_ours_blocks_the_loop(rig: Rig) -> None:
    with blockbuster_ctx("bot"):
        await rig.say("what is it?", attachments=(attachment(GOOSE),))
        await rig.finals(1)
    assert rig.chat.answer("You asked: what is it?")


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


async def test_reset_starts_afresh(rig: Rig) -> None:
    await rig.say("one")
    await rig.finals(1)
    await rig.press("reset")
    await rig.say("two")
    await rig.finals(3)
    assert spoken(rig.engine.requests[1]) == ["two"]


async def test_what_is_not_addressed_or_said_by_a_bot_is_ignored(rig: Rig) -> None:
    await rig.say("hello", address=Address.OVERHEARD)
    await rig.say("hello", author=Author("web", "robot", "Robot", is_bot=True))
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]


async def test_the_same_event_twice_is_answered_once(rig: Rig) -> None:
    await rig.core.handle(await rig.say("why?"))
    await rig.say("and now?")
    assert await rig.finals(2) == ["You asked: why?", "You asked: and now?"]


async def test_a_long_answer_is_split_and_every_part_can_be_replied_to(rig: Rig) -> None:
    rig.engine.reply = lambda _: ["A sentence about geese. "] * 20
    await rig.say("why?")
    await rig.finals(3)
    await rig.until(
        lambda: all(m.final for m in rig.chat.messages.values()) and list(rig.chat.messages.values())[-1].buttons[-1:] == (Button.SETTINGS,)
    )
    assert [bool(message.buttons) for message in rig.chat.messages.values()] == [False, False, True]
    rig.engine.reply = echo
    await rig.say("more?", reply_to=Reply("bot2", is_ours=True))
    await rig.until(lambda: len(rig.engine.requests) == 2)
    assert spoken(rig.engine.requests[1])[0] == "why?"


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


async def test_nobody_presses_another_persons_buttons(rig: Rig) -> None:
    await rig.say("why?")
    await rig.finals(1)
    own = rig.chat.answer("You asked: why?").answer_id or 0
    await rig.press("again", author=BEN, answer_id=own)
    assert "somebody else" in (await rig.finals(2))[1]
    assert len(rig.engine.requests) == 1


async def test_stopping_keeps_what_was_said(rig: Rig) -> None:
    def reply(_: ChatRequest) -> list[str]:
        return ["Half an ", "answer"]

    rig.engine.reply = reply
    rig.engine.gate.clear()
    await rig.say("why?")
    await rig.until(lambda: rig.engine.running == 1)
    await rig.press("stop")
    finals = await rig.finals(1)
    assert len(finals) == 1
    assert rig.engine.running == 0


async def test_an_edited_question_is_asked_in_its_new_words_while_it_waits(rig: Rig) -> None:
    rig.engine.rows = 1
    rig.engine.gate.clear()
    await rig.say("first")
    await rig.until(lambda: rig.engine.running == 1)
    second = await rig.say("secnod", author=BEN)
    await revise(rig, second, "second")
    rig.engine.gate.set()
    assert (await rig.finals(2))[-1] == "You asked: second"


async def revise(rig: Rig, incoming: Incoming, text: str, **more: Any) -> None:
    await rig.core.handle(replace(incoming, text=text, edited=True, **more))


@pytest.mark.parametrize("begun", [True, False])
async def test_a_photo_that_is_replaced_is_the_one_that_is_looked_at(rig: Rig, monkeypatch: pytest.MonkeyPatch, *, begun: bool) -> None:
    """However long its answer has been growing: what it says is about another picture."""
    monkeypatch.setattr(questions, "EDITABLE_SECONDS", 0.0)
    await rig.say("a goose?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    goose = url(rig.engine.requests[0])
    rig.engine.gate.clear()
    for number in range(0 if begun else rig.engine.rows):
        await rig.say(f"question {number}", author=BEN)
    first = await rig.say("what is it?", attachments=(attachment(GOOSE),))
    if begun:
        await rig.until(lambda: len(rig.engine.requests) == 2)
    await revise(rig, first, "what is it?", attachments=(attachment(DUCK),))
    rig.engine.gate.set()
    await rig.until(lambda: "You asked: what is it?" in rig.chat.finals())
    looked = [url(request) for request in rig.engine.requests if "what is it?" in str(request.messages)]
    assert looked[-1] not in {goose, ""}
    assert rig.chat.finals().count("You asked: what is it?") == 1


def url(request: ChatRequest) -> str:
    """The picture that the engine was shown last."""
    parts = [part for message in request.messages if not isinstance(message.content, str) for part in message.content]
    return next((part.image_url.url for part in reversed(parts) if isinstance(part, ImagePart)), "")


async def test_an_album_whose_photo_is_replaced_says_that_it_does_not_start_over(rig: Rig) -> None:
    rig.engine.gate.clear()
    first = await rig.say("what is it?", attachments=(attachment(GOOSE), attachment(DUCK)))
    await rig.until(lambda: rig.engine.running == 1)
    await revise(rig, first, "what is it?", attachments=(attachment(encode(Image.new("RGB", (20, 10), "green"), "PNG")),))
    assert await rig.finals(1) == ["I go on with the pictures as they were first. Ask again to have the new one looked at."]


async def test_an_answer_just_begun_begins_again_with_the_new_words(rig: Rig) -> None:
    rig.engine.gate.clear()
    first = await rig.say("how many gese?")
    await rig.until(lambda: rig.engine.running == 1)
    await revise(rig, first, "how many geese?")
    await rig.until(lambda: len(rig.engine.requests) == 2 and rig.engine.running == 1)
    rig.engine.gate.set()
    assert await rig.finals(1) == ["You asked: how many geese?"]
    assert [message.text for message in rig.chat.messages.values()] == ["You asked: how many geese?"]


async def test_an_answer_that_was_just_given_is_replaced_in_its_message(rig: Rig) -> None:
    first = await rig.say("how many gese?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    await revise(rig, first, "how many gese?")  # a click on "save"
    await revise(rig, first, "how many geese?")
    await rig.until(lambda: rig.chat.finals() == ["You asked: how many geese?"])
    assert (len(rig.engine.requests), len(rig.chat.messages)) == (2, 1)
    assert pictures(rig.engine.requests[1]) == 1
    await rig.say("and ducks?")
    assert len(await rig.finals(2)) == 2
    assert spoken(rig.engine.requests[2]) == ["how many geese?", "You asked: how many geese?", "and ducks?"]
    await revise(rig, first, "how many swans?")  # others have gone on from the answer
    assert len(await rig.finals(2)) == 2
    assert len(rig.engine.requests) == 3


async def test_an_old_answer_stays_whatever_its_question_becomes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "EDITABLE_SECONDS", 0.0)
    first = await rig.say("first")
    await rig.finals(1)
    await revise(rig, first, "second")
    await revise(rig, first, "third", author=BEN)  # not his
    await revise(rig, replace(first, id="m99", sent_at=datetime(2026, 1, 1, tzinfo=UTC)), "fourth")  # not stored
    await rig.say("last")
    assert await rig.finals(2) == ["You asked: first", "You asked: last"]


async def test_a_typed_question_is_revised_with_its_settings(rig: Rig) -> None:
    rig.engine.gate.clear()
    first = await rig.say(address=Address.COMMAND, command=Invocation("ask", {"prompt": "gese?"}))
    await rig.until(lambda: rig.engine.running == 1)
    await revise(rig, first, "", command=Invocation("reset", {}))
    await revise(rig, first, "", command=Invocation("ask", {"prompt": "geese?", "temperature": "0.5"}))
    rig.engine.gate.set()
    assert await rig.finals(1) == ["You asked: geese?"]
    assert rig.engine.requests[-1].temperature == 0.5


@pytest.mark.parametrize(("seconds", "answers"), [(5, 1), (600, 0)])
async def test_an_edit_makes_a_question_of_what_was_none_for_a_minute(rig: Rig, seconds: float, answers: int) -> None:
    sent = datetime.now(UTC) - timedelta(seconds=seconds)
    await rig.core.handle(said_once("edited", "why?", edited=True, sent_at=sent))
    await rig.core.handle(said_once("reset", edited=True, sent_at=sent, address=Address.COMMAND, command=Invocation("reset")))
    await rig.say("done?")
    await rig.until(lambda: "You asked: done?" in rig.chat.finals())
    assert (rig.chat.finals().count("You asked: why?"), len(rig.chat.finals())) == (answers, answers + 1)


async def test_what_was_refused_is_asked_once_it_is_corrected(rig: Rig) -> None:
    first = await rig.say("what is in this picture?")
    assert "Which picture?" in (await rig.finals(1))[0]
    await revise(rig, first, "what is a goose?")
    assert (await rig.finals(2))[1] == "You asked: what is a goose?"


async def test_what_the_engine_refuses_is_told_in_its_words(rig: Rig) -> None:
    rig.engine.reply = lambda _: [EngineRefused("num_beams is at most 4 here")]
    asking = await rig.say("why?")
    assert await rig.finals(1) == ["That can't be answered: num_beams is at most 4 here"]
    assert (await rig.core.queue(asking)).tokens_per_second is None  # it measures no speed


async def test_the_oldest_text_goes_when_the_context_is_full(rig: Rig) -> None:
    def reply(request: ChatRequest) -> list[str | Exception]:
        return [EngineRefused("too long", too_long=True)] if len(request.messages) > 3 else ["fits"]

    rig.engine.reply = reply
    for number, text in enumerate(["one", "two", "three"], start=1):
        await rig.say(text, attachments=(attachment(GOOSE),) if text == "one" else ())
        await rig.finals(number)
    assert pictures(rig.engine.requests[-1]) == 1
    assert "no longer fit" in list(rig.chat.messages.values())[-1].footer


async def test_a_deleted_question_is_answered_without_a_link(rig: Rig) -> None:
    rig.chat.failures = [MessageGone("the question was deleted")]
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]
    assert rig.chat.replies == {"bot1": None}


async def test_a_flood_limit_only_delays(rig: Rig) -> None:
    rig.chat.failures = [DeliveryError("slow down", retry_after=0.05)] * 3
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]


async def test_forgetting_removes_words_and_pictures(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    sha256 = (await rig.core.history(PLACE))[0].pictures[0]
    shown = await rig.core.picture(PLACE, sha256)
    assert shown is not None
    assert shown.exists()
    await rig.press("forget", asker=ANN.id)
    await rig.finals(2)
    assert (await rig.core.history(PLACE), shown.exists(), await rig.core.picture(PLACE, sha256)) == ((), False, None)


async def test_a_picture_that_was_lost_is_asked_for_again_and_holds_up_nobody(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    sha256 = (await rig.core.history(PLACE))[0].pictures[0]
    rig.files.path(sha256).unlink()
    await rig.say("how old?")
    assert "Show it to me again" in (await rig.finals(2))[1]
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(3)
    assert pictures(rig.engine.requests[-1]) == 1


async def test_a_picture_that_the_disk_does_not_take_is_refused_and_words_go_on(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("no folder can be made here")
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    assert "can't keep pictures" in (await rig.finals(1))[0]
    await rig.say("why?")
    assert (await rig.finals(2))[1] == "You asked: why?"


async def test_of_an_answer_that_is_forgotten_in_the_making_nothing_stays(rig: Rig) -> None:
    def reply(_: ChatRequest) -> Iterator[str]:
        yield "Half an "
        rig.engine.gate.clear()
        yield "answer"

    rig.engine.reply = reply
    await rig.say("why?")
    await rig.until(lambda: "Half an " in [message.text for message in rig.chat.messages.values()])
    await rig.press("forget", asker=ANN.id)
    await rig.until(lambda: len(rig.chat.messages) == 1 == len(rig.chat.finals()))
    assert rig.chat.finals()[0].startswith("Done. Deleted: 2 messages")


async def test_a_first_message_that_is_on_its_way_while_the_question_is_corrected_is_taken_back(rig: Rig) -> None:
    begun, go_on, send = asyncio.Event(), asyncio.Event(), rig.chat.send

    async def slow(place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        begun.set()
        await go_on.wait()
        return await send(place, message, reply_to=reply_to, nonce=nonce)

    rig.chat.send = slow  # type: ignore[method-assign]  # a platform that takes its time
    first = await rig.say("how many gese?")
    await begun.wait()
    await revise(rig, first, "how many geese?")
    go_on.set()
    await rig.until(lambda: len(rig.chat.messages) == 1 == len(rig.chat.finals()))
    assert rig.chat.finals() == ["You asked: how many geese?"]


async def test_history_shows_branches_with_the_platforms_own_ids(rig: Rig) -> None:
    asked = await rig.say("one")
    await rig.finals(1)
    await rig.say("two", reply_to=Reply("bot1", is_ours=True))
    await rig.finals(2)
    history = await rig.core.history(PLACE)
    assert [(m.role, m.text) for m in history][:2] == [("user", "one"), ("assistant", "You asked: one")]
    assert [m.message_ids[0] for m in history] == [asked.id, "bot1", "m2", "bot2"]
    assert [m.parent for m in history[1:]] == [m.id for m in history[:-1]]


async def test_the_answer_to_a_hidden_picture_is_hidden(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE, spoiler=True),))
    await rig.finals(1)
    await rig.say("how old?")
    await rig.finals(2)
    assert all(message.spoiler for message in rig.chat.messages.values())


async def test_the_queue_shows_ones_own_place(rig: Rig) -> None:
    rig.engine.rows = 1
    rig.engine.gate.clear()
    await rig.say("first")
    await rig.until(lambda: rig.engine.running == 1)
    second = await rig.say("second", author=BEN)
    queue = await rig.core.queue(second)
    assert (queue.waiting, queue.running, [place.position for place in queue.mine]) == (1, 1, [1])
    await rig.until(lambda: any("next" in message.text for message in rig.chat.messages.values()))


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


async def test_a_platform_that_returns_gets_what_is_owed(tmp_path: Path) -> None:
    engine, chat = ScriptedEngine(echo), Chat()
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        chat.failures = [DeliveryError("gone for a while", retry_after=600)]
        await rig.say("why?")
        await rig.until(lambda: not chat.failures)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        assert await rig.finals(1) == ["You asked: why?"]


async def test_an_event_that_is_offered_again_is_not_dealt_with_again(rig: Rig) -> None:
    await rig.say("why?")
    await rig.finals(1)
    for name in ("again", "reset", "unheard_of"):
        incoming = said_once(f"event {name}", address=Address.COMMAND, command=Invocation(name))
        await rig.core.handle(incoming)
        await rig.core.handle(incoming)
    await rig.say("done?")
    await rig.finals(5)
    assert len(rig.engine.requests) == 3
    # Two answers to the first question, one to the last, and a word to each of the other commands.
    assert (len(rig.chat.finals()), len(set(rig.chat.finals()))) == (5, 4)


@pytest.mark.parametrize(("private", "said"), [(True, 0), (False, 1)])
async def test_a_reply_that_a_kill_cut_off_is_said_at_the_next_start(tmp_path: Path, private: bool, said: int) -> None:
    """But what was for one person alone, and nobody knows whom any more, is said to nobody."""
    url, chat, engine = sqlite_url(tmp_path / "gander.db"), Chat(), ScriptedEngine(echo)
    database = await open_database(url)
    await database.write(events.take, PLACE, "cut off", "gander", 1.0, Outgoing("temperature is now 0.7.", private=private))
    await database.close()
    for start in (1, 2):
        async with running(url, tmp_path, engine, chat) as rig:
            await rig.core.handle(said_once(f"reset{start}", address=Address.COMMAND, command=Invocation("reset")))
            await rig.finals(start + said)
            while await rig.database.read(events.undelivered, PLACE.platform, "gander", inf):  # noqa: ASYNC110  # the store decides
                await asyncio.sleep(0.01)
    assert sum("temperature" in text for text in chat.finals()) == said
