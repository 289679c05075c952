"""Engines share the line by room, and waits are told from what was measured."""

from __future__ import annotations

import pytest

from bot.contracts import QueuePosition
from bot.delivery.edit_scheduler import EditScheduler
from bot.dispatch.engine_pool import EnginePool, PooledEngine
from bot.dispatch.wait_estimates import Speed, places
from bot.ports import EditBudget, Limits
from bot.store.jobs import WaitingJob
from engine.api import Health
from tests.bot.rig import ScriptedEngine, echo


def waiting(number: int, cost: int = 300, rows: int = 1, person: str = "ann") -> WaitingJob:
    return WaitingJob(number, number, "c", person, cost, rows)


def at_once(channel: str, number: int) -> float:
    return 0.0


def pooled(rows: int, *running: WaitingJob) -> PooledEngine:
    health = Health(status="ready", model="m", device="d", memory_bytes=0, rows=rows)
    return PooledEngine(ScriptedEngine(echo), health, {job.id: job for job in running})


def test_nothing_is_promised_before_anything_was_measured() -> None:
    found = places([waiting(1), waiting(2)], [], Speed(), rows=4, delay=at_once)
    assert found == {1: QueuePosition(1, 1, None), 2: QueuePosition(2, 2, None)}


def test_the_wait_is_what_is_ahead_at_the_measured_speed() -> None:
    speed = Speed()
    speed.record(waiting(9, cost=300), tokens=100, seconds=10.0)  # 30 expected tokens a second and row
    found = places([waiting(1), waiting(2)], [waiting(3)], speed, rows=2, delay=at_once)
    assert found == {3: QueuePosition(3, 0, 0.0), 1: QueuePosition(1, 1, 2.5), 2: QueuePosition(2, 2, 7.5)}
    assert speed.tokens_per_second(rows=2) == 20


def test_a_group_that_may_say_little_waits_for_that() -> None:
    channel = EditScheduler(Limits(text=80, budget=EditBudget(edits=2, seconds=60.0), marks=True))
    channel.count_step(99, now=-10.0)  # something was said ten seconds ago
    speed = Speed()
    speed.record(waiting(9, cost=300), tokens=100, seconds=10.0)
    line = [waiting(number) for number in range(2, 6)]
    found = places(line, [waiting(1)], speed, rows=1, delay=lambda _, number: channel.seconds_until_shown(number, now=0.0))
    assert [found[number].seconds for number in range(1, 6)] == [0.0, 50.0, 60.0, 110.0, 120.0]


def test_speed_follows_what_changes() -> None:
    speed = Speed()
    for _ in range(20):
        speed.record(waiting(1, cost=300), tokens=100, seconds=10.0)
    for _ in range(20):
        speed.record(waiting(1, cost=300), tokens=100, seconds=5.0)
    assert speed.tokens_per_second(rows=1) == pytest.approx(20, rel=0.05)


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
