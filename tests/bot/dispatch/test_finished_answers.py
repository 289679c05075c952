"""An end that is shown costs no transaction of its own, and a kill before the store knows shows it in the same message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from bot.dispatch import lease
from bot.dispatch.finished_answers import FinishedAnswers
from bot.store.tables import JobRow, JobState
from tests.bot.rig import Chat, ScriptedEngine, echo, running


def states(connection: Connection) -> Sequence[str]:
    return connection.scalars(select(JobRow.state).order_by(JobRow.id)).all()


async def test_the_store_is_told_with_the_next_job_and_at_the_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 3_600.0)
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say("first")
        await rig.finals(1)
        engine.gate.clear()
        await rig.say("second")
        await rig.until(lambda: engine.running == 1)
        assert await rig.database.read(states) == [JobState.DONE, JobState.RUNNING]
        engine.gate.set()
        await rig.core.drain()
        assert await rig.database.read(states) == [JobState.DONE, JobState.DONE]


async def test_after_a_kill_the_end_is_shown_again_where_it_is_shown(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_: FinishedAnswers) -> None:
        """Nothing more is written."""

    engine, chat = ScriptedEngine(echo), Chat()
    engine.gate.set()
    with monkeypatch.context() as until_killed:
        until_killed.setattr(FinishedAnswers, "finish_shown", killed)
        async with running(database_url, tmp_path, engine, chat) as rig:
            await rig.say("why?")
            await rig.finals(1)
            assert await rig.database.read(states) == [JobState.ANSWERED]
    calls = len(chat.calls)
    async with running(database_url, tmp_path, engine, chat) as rig:
        await rig.until(lambda: len(chat.calls) > calls)
        await rig.core.drain()
        assert await rig.database.read(states) == [JobState.DONE]
    assert [message.text for message in chat.messages.values()] == ["You asked: why?"]
    assert len(engine.requests) == 1
