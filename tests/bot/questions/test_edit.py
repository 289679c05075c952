"""A question that is edited is asked in its new words, and answers that were just begun begin again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from bot.message import Address, Incoming, Invocation, Place
from bot.platform import Outgoing
from bot.store import questions
from engine.api import ChatRequest, ImagePart
from tests.bot.hostile import encode
from tests.bot.rig import DUCK, GOOSE, Rig, attachment, pictures, spoken
from tests.bot.rig import message as said_once
from tests.bot.samples import BEN


async def test_an_edited_question_is_asked_in_its_new_words_while_it_waits(rig: Rig) -> None:
    rig.engine.rows = 1
    rig.engine.gate.clear()
    await rig.say("first")
    await rig.until(lambda: rig.engine.running == 1)
    second = await rig.say("secnod", author=BEN)
    await edit(rig, second, "second")
    rig.engine.gate.set()
    assert (await rig.finals(2))[-1] == "You asked: second"


async def edit(rig: Rig, incoming: Incoming, text: str, **more: Any) -> None:
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
    await edit(rig, first, "what is it?", attachments=(attachment(DUCK),))
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
    await edit(rig, first, "what is it?", attachments=(attachment(encode(Image.new("RGB", (20, 10), "green"), "PNG")),))
    assert await rig.finals(1) == ["I go on with the pictures as they were first. Ask again to have the new one looked at."]


async def test_an_answer_just_begun_begins_again_with_the_new_words(rig: Rig) -> None:
    rig.engine.gate.clear()
    first = await rig.say("how many gese?")
    await rig.until(lambda: rig.engine.running == 1)
    await edit(rig, first, "how many geese?")
    await rig.until(lambda: len(rig.engine.requests) == 2 and rig.engine.running == 1)
    rig.engine.gate.set()
    assert await rig.finals(1) == ["You asked: how many geese?"]
    assert [message.text for message in rig.chat.messages.values()] == ["You asked: how many geese?"]


async def test_an_answer_that_was_just_given_is_replaced_in_its_message(rig: Rig) -> None:
    first = await rig.say("how many gese?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    await edit(rig, first, "how many gese?")  # a click on "save"
    await edit(rig, first, "how many geese?")
    await rig.until(lambda: rig.chat.finals() == ["You asked: how many geese?"])
    assert (len(rig.engine.requests), len(rig.chat.messages)) == (2, 1)
    assert pictures(rig.engine.requests[1]) == 1
    await rig.say("and ducks?")
    assert len(await rig.finals(2)) == 2
    assert spoken(rig.engine.requests[2]) == ["how many geese?", "You asked: how many geese?", "and ducks?"]
    await edit(rig, first, "how many swans?")  # others have gone on from the answer
    assert len(await rig.finals(2)) == 2
    assert len(rig.engine.requests) == 3


async def test_an_old_answer_stays_whatever_its_question_becomes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "EDITABLE_SECONDS", 0.0)
    first = await rig.say("first")
    await rig.finals(1)
    await edit(rig, first, "second")
    await edit(rig, first, "third", author=BEN)  # not his
    await edit(rig, replace(first, id="m99", sent_at=datetime(2026, 1, 1, tzinfo=UTC)), "fourth")  # not stored
    await rig.say("last")
    assert await rig.finals(2) == ["You asked: first", "You asked: last"]


async def test_a_typed_question_is_revised_with_its_settings(rig: Rig) -> None:
    rig.engine.gate.clear()
    first = await rig.say(address=Address.COMMAND, command=Invocation("ask", {"prompt": "gese?"}))
    await rig.until(lambda: rig.engine.running == 1)
    await edit(rig, first, "", command=Invocation("reset", {}))
    await edit(rig, first, "", command=Invocation("ask", {"prompt": "geese?", "temperature": "0.5"}))
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
    await edit(rig, first, "what is a goose?")
    assert (await rig.finals(2))[1] == "You asked: what is a goose?"


async def test_a_first_message_that_is_on_its_way_while_the_question_is_corrected_is_taken_back(rig: Rig) -> None:
    begun, go_on, send = asyncio.Event(), asyncio.Event(), rig.chat.send

    async def slow(place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        begun.set()
        await go_on.wait()
        return await send(place, message, reply_to=reply_to, nonce=nonce)

    rig.chat.send = slow  # type: ignore[method-assign]  # a platform that takes its time
    first = await rig.say("how many gese?")
    await begun.wait()
    await edit(rig, first, "how many geese?")
    go_on.set()
    await rig.until(lambda: len(rig.chat.messages) == 1 == len(rig.chat.finals()))
    assert rig.chat.finals() == ["You asked: how many geese?"]
