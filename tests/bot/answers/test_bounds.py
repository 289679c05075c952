"""An answer ends, whatever its server does."""

from __future__ import annotations

import asyncio
from itertools import repeat
from pathlib import Path

import pytest

from bot.answer_settings import AnswerSettings
from bot.answers import bounds
from bot.dispatch import dispatcher, engine_pool
from bot.errors import AnswerLost
from tests.bot.rig import ScriptedEngine, echo, running


async def test_a_server_that_ignores_the_number_of_tokens_is_cut_off(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _: repeat("for ever and ever " * 50))
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("how long?")
        await rig.until(
            lambda: any("Continue" in str(button) or button == "continue" for each in rig.chat.messages.values() for button in each.buttons)
        )
        assert engine.running == 0
    told = sum(len(message.text) for message in rig.chat.messages.values())
    assert told <= bounds.MOST_CHARACTERS + 2_000


def test_the_bound_leaves_room_for_every_token() -> None:
    assert bounds.most_characters(AnswerSettings(max_new_tokens=10)) == bounds.LEAST_CHARACTERS
    assert bounds.most_characters(AnswerSettings(max_new_tokens=4_000)) == 64_000
    assert bounds.most_characters(AnswerSettings()) == bounds.MOST_CHARACTERS


async def test_an_engine_that_falls_silent_is_asked_how_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.01), ("LEAST_SILENCE", 0.05), ("MOST_SILENCE", 0.5)):
        monkeypatch.setattr(bounds, name, seconds)
    engine = ScriptedEngine(echo)
    watching = asyncio.create_task(bounds.watch_silence(engine, lambda: 0))
    with pytest.raises(AnswerLost, match="sent nothing"):
        await watching  # it says that it is well, for as long as it is believed
    engine.away = True
    with pytest.raises(AnswerLost, match="away"):
        await bounds.watch_silence(engine, lambda: 0)


async def test_a_question_whose_engine_hangs_is_asked_again(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.01), ("LEAST_SILENCE", 0.05)):
        monkeypatch.setattr(bounds, name, seconds)
    monkeypatch.setattr(engine_pool, "AWAY_POLL", 0.02)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.02)
    engine = ScriptedEngine(echo)
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("why?")
        await rig.until(lambda: engine.running == 1)  # and sends no word, since the gate is closed
        engine.away = True
        await rig.until(lambda: engine.running == 0)
        engine.away = False
        engine.gate.set()
        assert await rig.finals(1) == ["You asked: why?"]
        assert len(engine.requests) == 2
