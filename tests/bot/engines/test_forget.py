"""What is deleted is deleted in the engines, too, even if they are away at first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from bot.engines import forget
from tests.bot.rig import GOOSE, Rig, attachment, message
from tests.bot.samples import ANN, BEN


async def test_an_engine_that_is_away_forgets_when_it_is_back(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "AWAY_SECONDS", 0.01)
    await rig.say("What?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    [shown] = [path.name for path in (tmp_path / "pictures").rglob("*") if path.is_file()]
    rig.engine.away = True
    with structlog.testing.capture_logs() as lines:
        await rig.core.actions.forget(message("f1", author=ANN))
        await _until(lambda: any(line["event"] == "engine_keeps_deleted" for line in lines))
    rig.engine.away = False
    await _until(lambda: bool(rig.engine.forgotten))
    assert rig.engine.forgotten[0] == (shown,)


async def test_what_was_being_answered_meanwhile_is_forgotten_after_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "AFTER_SECONDS", 0.01)
    rig.engine.gate.clear()
    await rig.say("Another's, which goes on", author=BEN)
    await _until(lambda: bool(rig.engine.requests))
    await rig.core.actions.forget(message("f1", author=ANN))
    await _until(lambda: len(rig.engine.forgotten) == 1)
    rig.engine.gate.set()
    await _until(lambda: len(rig.engine.forgotten) == 2)
    assert rig.engine.running == 0


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not holds():  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.01)
