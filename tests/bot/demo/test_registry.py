"""While a demo runs in a channel every picture there is answered, within a slow mode, also after a restart."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from bot.demo import registry
from bot.demo.registry import DemoRegistry
from bot.message import Address
from bot.store.database import sqlite_url
from tests.bot.demo.room import PRESENTER, answered, reply, show, start, texts
from tests.bot.rig import Chat, Rig, ScriptedEngine, asked, running
from tests.bot.samples import BEN, PLACE


async def test_only_while_a_demo_runs_are_pictures_answered_without_a_mention(rig: Rig) -> None:
    await show(rig, "white")
    await start(rig, prompt="Funny?")
    await show(rig, "black")
    await rig.say("just talking", address=Address.OVERHEARD)
    await rig.until(lambda: answered(rig, "Funny? at") is not None)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("That was the demo" in text for text in texts(rig)))
    await show(rig, "red")
    await rig.say("why?")
    await rig.until(lambda: any("why? at" in text for text in texts(rig)))
    assert [asked(request) for request in rig.engine.requests] == ["Funny?", "why?"]


async def test_a_demo_goes_on_after_a_restart(tmp_path: Path) -> None:
    engine, url, chat = ScriptedEngine(reply), sqlite_url(tmp_path / "gander.db"), Chat()
    engine.gate.set()
    async with running(url, tmp_path, engine, chat) as rig:
        await start(rig, prompt="Still?")
    async with running(url, tmp_path, engine, chat) as rig:
        rig.ids = count(100)  # what was said before is known
        await rig.until(lambda: rig.core.demos.running(PLACE) is not None)
        await show(rig, "white")
        await rig.until(lambda: answered(rig, "Still? at") is not None)
        assert [asked(request) for request in engine.requests] == ["Still?"]


async def test_slow_mode_tells_a_person_once_and_never_the_presenter(rig: Rig) -> None:
    await start(rig, prompt="Slow?", slow=60)
    for colour in ("white", "black", "red"):
        await show(rig, colour)
    await show(rig, "green", PRESENTER)
    await show(rig, "blue", PRESENTER)
    await show(rig, "grey", BEN)
    await rig.until(lambda: sum("Slow? at" in text for text in texts(rig)) == 4)
    told = [found for text in texts(rig) if (found := re.search(r"Slow mode is on: your next picture in (\d+) seconds", text))]
    assert len(told) == 1
    assert 0 < int(told[0][1]) <= 60


async def test_a_demo_moves_with_its_channel(rig: Rig) -> None:
    await start(rig, prompt="Moved?")
    await rig.core.moved(PLACE, replace(PLACE, channel="meadow"))
    assert rig.core.demos.running(PLACE) is None
    assert rig.core.demos.running(replace(PLACE, channel="meadow")) is not None


async def test_what_another_bot_on_the_database_began_and_ended_is_known_soon(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FRESH_SECONDS", 0.01)
    other = DemoRegistry(rig.database)
    following = asyncio.create_task(other.follow())
    await start(rig, prompt="Funny?")
    await rig.until(lambda: other.runs_in(PLACE))
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: not other.runs_in(PLACE))
    following.cancel()
    await asyncio.wait({following})
