"""Engines come and go, rows are limited, and a restart goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from bot.dispatch import dispatcher, engine_pool, lease, losses, waiting_notes
from bot.errors import AnswerLost, EngineUnavailable
from bot.message import Address, Author, Invocation, Place
from bot.platform import EditBudget, Limits
from bot.store import deliveries
from engine.api import ChatRequest
from tests.bot.rig import Chat, ScriptedEngine, asked, echo, message, running


def failing(*errors: Exception) -> Callable[[ChatRequest], Sequence[str | Exception]]:
    """An engine that fails in the middle of its first answers, and then recovers."""
    left = list(errors)

    def reply(request: ChatRequest) -> Sequence[str | Exception]:
        return ["Half an ", left.pop(0)] if left else [f"You asked: {asked(request)}"]

    return reply


@pytest.mark.parametrize("error", [AnswerLost("it crashed"), EngineUnavailable("it is loading")])
async def test_an_answer_that_an_engine_lost_is_made_again_in_the_same_message(database_url: str, tmp_path: Path, error: Exception) -> None:
    engine = ScriptedEngine(failing(error))
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("why?")
        assert await rig.finals(1) == ["You asked: why?"]
        assert list(rig.chat.messages) == ["bot1"]


@pytest.mark.parametrize(("words", "said"), [(["a\0", " goose"], "a goose"), ([" ", "\n"], "I have nothing to say to that.")])
async def test_what_no_platform_or_database_takes_is_left_out(database_url: str, tmp_path: Path, words: list[str], said: str) -> None:
    engine, chat = ScriptedEngine(lambda _: words), Chat()
    engine.gate.set()
    async with running(database_url, tmp_path, engine, chat) as rig:
        await rig.say("why?")
        assert await rig.finals(1) == [said]


async def test_a_question_that_an_engine_dies_of_while_others_are_answered_is_given_up(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_pool, "AWAY_POLL", 0.05)
    monkeypatch.setattr(losses, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(losses, "OWN_SECONDS", 0.0)
    engine = ScriptedEngine(lambda request: [AnswerLost("it crashed")] if asked(request) == "poison" else ["Honk."])
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("poison")
        for number in range(losses.OWN_LOSSES):
            await rig.until(lambda lost=number: [asked(request) for request in engine.requests].count("poison") > lost)  # type: ignore[misc]
            await rig.say("why?", author=Author("web", f"p{number}", "P"), place=Place("web", f"c{number}"))
            await rig.until(lambda told=number: rig.chat.finals().count("Honk.") > told or "I tried" in str(rig.chat.finals()))  # type: ignore[misc]
        await rig.until(lambda: any("I tried " in said for said in rig.chat.finals()))


async def test_while_nobody_is_answered_no_question_is_at_fault(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_pool, "AWAY_POLL", 0.01)
    monkeypatch.setattr(engine_pool, "FAULTY_LONGEST", 0.01)
    monkeypatch.setattr(losses, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(losses, "OWN_SECONDS", 0.0)
    engine = ScriptedEngine(failing(*[AnswerLost("Internal Server Error")] * 30))
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        for number in range(3):
            await rig.say(f"question {number}", author=Author("web", f"p{number}", "P"))
        assert sorted(await rig.finals(3)) == [f"You asked: question {number}" for number in range(3)]


async def test_a_question_that_the_bot_itself_dies_of_is_given_up_after_an_hour(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, chat = ScriptedEngine(echo), Chat()
    async with running(database_url, tmp_path, engine, chat) as rig:
        await rig.say("why?")
    for _ in range(dispatcher.MAX_ATTEMPTS + 1):
        async with running(database_url, tmp_path, engine, chat) as rig:
            await rig.until(lambda: engine.running == 1)
    assert chat.finals() == []  # a bot that crashed may have done so for any other reason
    monkeypatch.setattr(dispatcher, "ATTEMPTS_SECONDS", 0.0)
    async with running(database_url, tmp_path, engine, chat) as rig:
        assert "I tried 6 times" in (await rig.finals(1))[0]


async def test_who_waits_for_an_engine_that_is_away_is_told_and_then_answered(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(waiting_notes, "NOTICEABLE_SECONDS", 0.0)
    monkeypatch.setattr(engine_pool, "AWAY_POLL", 0.02)
    engine = ScriptedEngine(echo, away=True)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("why?")
        await rig.until(lambda: any("My engine is not ready" in message.text for message in rig.chat.messages.values()))
        engine.away = False
        assert await rig.finals(1) == ["You asked: why?"]
        assert len(rig.chat.messages) == 1


@pytest.mark.parametrize(("rows", "beams", "most"), [(2, 1, 2), (4, 2, 2), (3, 2, 1), (1, 3, 1)])
async def test_no_engine_gets_more_rows_than_it_has(database_url: str, tmp_path: Path, rows: int, beams: int, most: int) -> None:
    engine = ScriptedEngine(echo, rows=rows)
    async with running(database_url, tmp_path, engine) as rig:
        for number in range(6):
            ask = Invocation("ask", {"prompt": "why?", "beams": beams})
            author, place = Author("web", f"p{number}", "P"), Place("web", f"c{number}")
            await rig.say(author=author, place=place, address=Address.COMMAND, command=ask)
        await rig.until(lambda: engine.running == most)
        engine.gate.set()
        await rig.until(lambda: len(rig.chat.finals()) == 6)
    assert engine.most == most


async def test_nothing_starts_while_no_engine_answers(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo, away=True)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        asking = await rig.say("why?")
        assert (await rig.core.actions.queue(asking)).waiting == 1
        assert [state.health for state in await rig.core.actions.engines()] == [None]
        engine.away = False
        assert await rig.finals(1) == ["You asked: why?"]


async def test_an_engine_that_asks_for_a_rest_gets_it(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_pool, "AWAY_POLL", 0.01)
    engine, times = ScriptedEngine(failing(EngineUnavailable("too many requests", retry_after=0.4))), []
    engine.gate.set()
    answers = engine.reply

    def reply(request: ChatRequest) -> Iterable[str | Exception]:
        times.append(monotonic())
        return answers(request)

    engine.reply = reply
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("why?")
        await rig.finals(1)
    assert times[1] - times[0] >= 0.4


async def test_a_restart_goes_on_in_the_message_that_was_begun(database_url: str, tmp_path: Path) -> None:
    engine, chat = ScriptedEngine(lambda _: ["Half an ", "answer"]), Chat()
    engine.gate.set()

    def pause(_: ChatRequest) -> list[str]:
        engine.gate.clear()
        return ["Half an ", "answer"]

    async with running(database_url, tmp_path, engine, chat) as rig:
        await rig.say("why?")
        await rig.finals(1)
        engine.reply = pause
        await rig.say("and?")
        engine.gate.set()
        await rig.until(lambda: engine.running == 1)
    engine.reply = lambda _: ["A whole answer"]
    engine.gate.set()
    async with running(database_url, tmp_path, engine, chat) as rig:
        await rig.finals(2)
        assert await rig.database.read(deliveries.repeats) == 0
    assert [message.text for message in chat.messages.values()] == ["Half an answer", "A whole answer"]


async def test_a_graceful_stop_finishes_what_runs_and_starts_nothing(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo, rows=1)
    async with running(database_url, tmp_path, engine) as rig:
        for text in ("first", "second"):
            await rig.say(text)
        await rig.until(lambda: engine.running == 1)
        engine.gate.set()
        await rig.core.drain()
        assert rig.chat.finals() == ["You asked: first"]
        assert (await rig.core.actions.queue(await rig.say("third"))).waiting == 2


async def test_one_busy_channel_does_not_flood_its_platform(database_url: str, tmp_path: Path) -> None:
    chat = Chat(limits=Limits(text=200, budget=EditBudget(edits=2, seconds=0.3)))
    engine = ScriptedEngine(lambda request: [f"{n} " for n in range(100)])
    engine.gate.set()
    async with running(database_url, tmp_path, engine, chat) as rig:
        for number in range(4):
            await rig.say(f"question {number}")
        await rig.finals(4)
    calls = rig.chat.calls
    assert all(later - earlier >= 0.29 for earlier, later in zip(calls, calls[2:], strict=False))


async def test_of_two_bots_on_one_database_the_one_that_was_asked_answers(database_url: str, tmp_path: Path) -> None:
    """Its pictures are on its own disk, and its page is in its own process."""
    busy, idle = ScriptedEngine(echo, away=True), ScriptedEngine(echo)
    idle.gate.set()
    async with (
        running(database_url, tmp_path / "one", busy, name="one") as one,
        running(database_url, tmp_path / "two", idle, Chat(ids=count(100)), name="two") as two,
    ):
        await one.say("why?")
        await two.core.handle(message("other", "and?", place=Place("web", "pond")))
        assert await two.finals(1) == ["You asked: and?"]
        assert (len(idle.requests), one.chat.finals()) == (1, [])
        busy.away = False
        busy.gate.set()
        assert await one.finals(1) == ["You asked: why?"]


async def test_a_bot_that_is_dead_is_stood_in_for(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(database_url, tmp_path, ScriptedEngine(echo, away=True), name="one") as one:
        await one.say("why?")
    monkeypatch.setattr(lease, "DEAD_SECONDS", 0.1)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.01)
    async with running(database_url, tmp_path, engine, name="two") as two:
        assert await two.finals(1) == ["You asked: why?"]
