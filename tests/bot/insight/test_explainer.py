"""Answers can be asked about while they are kept: by whoever asked, and by whoever has the link below the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.errors import EngineRefused
from bot.store.database import sqlite_url
from engine.explanation import ExplainRequest
from tests.bot.insight.explained import explained
from tests.bot.rig import GOOSE, Rig, ScriptedEngine, Valve, attachment, echo, running
from tests.bot.samples import PLACE

PAGE = "https://gander.example"


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo, explained=explained())
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        rig.core.explainer.page = PAGE
        yield rig


async def test_the_link_below_an_answer_leads_to_how_it_came_about(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    answer = rig.chat.answer("You asked: what is it?")
    [link] = [action for action in answer.actions if action.url]
    assert (link.label, link.url.rpartition("/")[0]) == ("How?", f"{PAGE}/how")
    number = rig.core.explainer.answer_of(link.url.rpartition("/")[2])
    assert number is not None
    assert number == answer.answer_id
    how = await rig.core.explainer.how(number, PLACE.key)
    assert how is not None
    assert (how.question, how.explained) == ("what is it?", explained())
    first, asked = rig.engine.requests
    assert isinstance(asked, ExplainRequest)
    assert (asked.answer, asked.messages) == ("You asked: what is it?", first.messages)
    await rig.core.explainer.how(number)
    assert len(rig.engine.requests) == 2  # a second look computes nothing
    assert await rig.core.explainer.how(number, "web:elsewhere") is None
    assert rig.core.explainer.answer_of("0123456789abcdef") is None


async def test_what_was_deleted_is_not_explained(rig: Rig) -> None:
    asked = await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    number = rig.chat.answer("You asked: what is it?").answer_id
    assert number is not None
    assert await rig.core.explainer.how(number) is not None
    await rig.core.withdraw(PLACE, asked.id, answers=True)
    assert await rig.core.explainer.how(number) is None
    assert rig.core.explainer.token(number) is None


async def test_a_growing_answer_is_explained_once_for_all_who_look_on(rig: Rig) -> None:
    rig.engine.gate = valve = Valve(1)
    rig.engine.reply = lambda _: ("A grey", " goose", ".")
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    explainer, number = rig.core.explainer, 2
    async with asyncio.timeout(90):
        while (how := await explainer.so_far(number)) is None:  # noqa: ASYNC110 - the first word is in no one's hands to announce
            await asyncio.sleep(0.01)
    assert how.explained == explained()
    await asyncio.gather(*(explainer.so_far(number) for _ in range(5)))
    assert [request.answer for request in rig.engine.requests if isinstance(request, ExplainRequest)] == ["A grey"]
    assert await explainer.how(number) is None  # not finished
    valve.set()
    await rig.finals(1)
    assert await explainer.so_far(number) is None


@pytest.mark.parametrize("what", ["spoiler", "not offered", "engine"])
async def test_no_button_where_there_is_nothing_to_see(rig: Rig, what: str) -> None:
    """Of a picture that is covered, of a bot that shall not offer it, of an engine that can't say."""
    rig.core.explainer.offered = what != "not offered"
    await rig.say("what is it?", attachments=(attachment(GOOSE, spoiler=what == "spoiler"),))
    await rig.finals(1)
    answer = rig.chat.answer("You asked: what is it?")
    if what != "engine":
        assert answer.actions == ()
        return
    rig.engine.explained = None
    assert answer.answer_id is not None
    with pytest.raises(EngineRefused):
        await rig.core.explainer.how(answer.answer_id)
