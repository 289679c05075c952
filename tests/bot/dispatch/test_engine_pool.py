"""Jobs go to the engine with most room, and one in trouble is asked ever less often, which the log says once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import structlog

from bot.dispatch import engine_pool
from bot.dispatch.engine_pool import EnginePool, PooledEngine
from bot.errors import EngineRefused, Fault
from bot.store.jobs import WaitingJob
from engine.api import Health
from tests.bot import other_servers as others
from tests.bot.other_servers import OtherServer, bot_on
from tests.bot.rig import ScriptedEngine, echo
from tests.bot.samples import waiting


def pooled(rows: int, *running: WaitingJob) -> PooledEngine:
    health = Health(status="ready", model="m", device="d", memory_bytes=0, rows=rows)
    return PooledEngine(ScriptedEngine(echo), health, {job.id: job for job in running})


def test_a_question_goes_to_the_emptiest_engine_that_has_room() -> None:
    busy, free, small = pooled(4, waiting(1, rows=3)), pooled(4, waiting(2)), pooled(2)
    pool = EnginePool([busy, free, small])
    assert pool.best(waiting(5)) is free
    assert pool.best(waiting(5, rows=4)) is None
    assert (pool.rows, pool.rows_by_person()) == (10, {"ann": 4})


def test_more_beams_than_any_engine_has_rows_run_alone() -> None:
    busy, small, idle = pooled(4, waiting(2)), pooled(2), pooled(3)
    assert EnginePool([busy, small, idle]).best(waiting(1, rows=5)) is idle
    assert EnginePool([busy]).best(waiting(1, rows=5)) is None


def test_a_lost_engine_has_no_room() -> None:
    lost = pooled(4)
    lost.answer_failed()
    assert (lost.rows, EnginePool([lost]).best(waiting(1)), EnginePool([lost]).best(waiting(1, rows=9))) == (0, None, None)


@pytest.mark.parametrize(
    ("server", "model", "told"),
    [
        (OtherServer(models=others.WRONG_KEY, models_status=401), "", "my key is not accepted"),
        (OtherServer(models="<html>Sign in</html>"), "", "something else answers"),
        (OtherServer(models=others.OLLAMA), "gemma", "no model of that name"),
    ],
)
async def test_trouble_that_stays_is_logged_at_the_first_look_and_told_to_who_asks(
    tmp_path: Path, server: OtherServer, model: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bot_on(server, tmp_path, model) as rig:
        await rig.say("what?")
        assert told in (await rig.finals(1))[0]
        (state,) = await rig.core.actions.engines()
        assert state.fault is not None
    assert server.requests == []
    assert capsys.readouterr().out.count("engine_refuses") >= 1
    assert "sk-1234" not in "".join(message.text for message in rig.chat.messages.values())


async def test_a_used_up_quota_is_asked_once_and_said(tmp_path: Path) -> None:
    server = OtherServer(refuse=lambda sent: (429, others.QUOTA))
    async with bot_on(server, tmp_path) as rig:
        await rig.say("what?")
        assert "account is used up" in (await rig.finals(1))[0]
    assert len(server.requests) == 1


async def test_a_rate_that_is_exceeded_is_waited_for(tmp_path: Path) -> None:
    limit = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    server = OtherServer(headers={"Retry-After": "0.2"})
    server.refuse = lambda sent: (429, limit) if len(server.requests) == 1 else None
    async with bot_on(server, tmp_path) as rig:
        await rig.say("what?")
        assert await rig.finals(1) == ["One goose."]
    assert len(server.requests) == 2


async def test_the_model_is_named_in_the_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_pool, "READY_POLL", 0.01)
    server = OtherServer(models=others.OLLAMA)
    stream = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    try:
        async with bot_on(server, tmp_path, "llava") as rig:
            await rig.until(lambda: server.looks > 3)
    finally:
        structlog.reset_defaults()
    assert stream.getvalue().count("engine_ready") == 1
    assert "llava:latest" in stream.getvalue()


def test_looks_that_fail_come_ever_less_often() -> None:
    pooled = engine_pool.PooledEngine(ScriptedEngine(lambda _: ()))
    pauses = []
    for _ in range(30):
        pooled.check_failed(EngineRefused("no", fault=Fault.KEY))
        pauses.append(pooled.pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (engine_pool.AWAY_POLL, engine_pool.FAULTY_LONGEST)
