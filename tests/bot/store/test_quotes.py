"""Whoever is quoted in a question can have their words deleted from it, on each database, also while it waits for its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.message import Author, Incoming, Reply
from tests.bot.questions.test_delete import ANN, BEN, CHANNEL, ELSEWHERE, KEEPER, forget
from tests.bot.rig import Rig, ScriptedEngine, asked, echo, running

CARL = Author("web", "4", "Carl")


@pytest.fixture
async def rig(database_url: str, tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        yield rig


async def quoting(rig: Rig, author: Author, words: str, question: str, **more: object) -> Incoming:
    """Ann asks `question` and quotes what `author` said."""
    reply = Reply(f"by {author.id}", author, words=words)
    return await rig.say(question, author=ANN, reply_to=reply, **{"place": CHANNEL, **more})


async def questions(rig: Rig) -> list[str]:
    return [said.text for place in (CHANNEL, ELSEWHERE) for said in await rig.core.history(place) if said.role == "user"]


async def test_a_quote_goes_with_whom_it_quotes_and_the_question_stays(rig: Rig) -> None:
    await quoting(rig, BEN, "Geese fly south.\n\nDucks stay.", "is that so?\n\n> my own line")
    await quoting(rig, CARL, "Swans sing.", "is that so, too?", locale="zh-CN")
    await rig.finals(2)
    await forget(rig, BEN)
    blanked, kept = await questions(rig)
    assert blanked == "> [quoted words deleted]\n\nis that so?\n\n> my own line"
    assert kept == "> Swans sing.\n\nis that so, too?"
    await forget(rig, CARL)
    assert (await questions(rig))[1] == "> [引用的话已删除]\n\nis that so, too?"
    await forget(rig, ANN)
    assert await questions(rig) == []


async def test_a_question_that_waits_is_asked_without_the_words(rig: Rig) -> None:
    rig.engine.away = True
    await quoting(rig, BEN, "Geese fly south.", "is that so?")
    await forget(rig, BEN)
    assert rig.engine.requests == []
    rig.engine.away = False
    await rig.until(lambda: bool(rig.engine.requests))
    assert asked(rig.engine.requests[0]) == "> [quoted words deleted]\n\nis that so?"


async def test_the_marked_words_of_somebody_else_are_theirs(rig: Rig) -> None:
    """Of a message in another chat the platform may tell who wrote it, and nothing to reply to."""
    await rig.say("is that so?", author=ANN, place=CHANNEL, reply_to=Reply("", quote="Geese fly south.", quoted=BEN))
    await rig.finals(1)
    await forget(rig, BEN)
    assert await questions(rig) == ["> [quoted words deleted]\n\nis that so?"]


async def test_a_manager_deletes_somebodys_quotes_on_one_server(rig: Rig) -> None:
    await quoting(rig, BEN, "Geese fly south.", "is that so?")
    await quoting(rig, BEN, "Ducks stay.", "is that so?", place=ELSEWHERE)
    await rig.finals(2)
    shown = await forget(rig, KEEPER, person=BEN.id)
    assert "Deleted" in shown
    assert await questions(rig) == ["> [quoted words deleted]\n\nis that so?", "> Ducks stay.\n\nis that so?"]


async def test_an_edit_quotes_whom_the_new_message_quotes(rig: Rig) -> None:
    rig.engine.away = True
    first = await quoting(rig, BEN, "Geese fly south.", "is that so?")
    await rig.core.handle(replace(first, text="is that really so?", edited=True))
    await forget(rig, BEN)
    assert await questions(rig) == ["> [quoted words deleted]\n\nis that really so?"]
