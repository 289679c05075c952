"""Engines share the line by room, and waits are told from what was measured."""

from __future__ import annotations

import pytest

from bot.delivery.edit_scheduler import EditScheduler
from bot.dispatch.wait_estimates import LEAST_SECONDS, MOST_SECONDS, UNKNOWN_SECONDS, Speed, Throughput, queue_positions
from bot.platform import EditBudget, Limits
from bot.queue_status import QueuePosition
from tests.bot.samples import waiting


def at_once(channel: str, number: int) -> float:
    return 0.0


def test_nothing_is_promised_before_anything_was_measured() -> None:
    found = queue_positions([waiting(1), waiting(2)], [], Speed(), rows=4, delay=at_once)
    assert found == {1: QueuePosition(1, 1, None), 2: QueuePosition(2, 2, None)}


def test_the_wait_is_what_is_ahead_at_the_measured_speed() -> None:
    speed = Speed()
    speed.record(waiting(9, cost=300), tokens=100, seconds=10.0)  # 30 expected tokens a second and row
    found = queue_positions([waiting(1), waiting(2)], [waiting(3)], speed, rows=2, delay=at_once)
    assert found == {3: QueuePosition(3, 0, 0.0), 1: QueuePosition(1, 1, 2.5), 2: QueuePosition(2, 2, 7.5)}
    assert speed.tokens_per_second(rows=2) == 20


def test_a_group_that_may_say_little_waits_for_that() -> None:
    channel = EditScheduler(Limits(text=80, budget=EditBudget(edits=2, seconds=60.0), reacts=True))
    channel.count_step(99, now=-10.0)  # something was said ten seconds ago
    speed = Speed()
    speed.record(waiting(9, cost=300), tokens=100, seconds=10.0)
    line = [waiting(number) for number in range(2, 6)]
    found = queue_positions(line, [waiting(1)], speed, rows=1, delay=lambda _, number: channel.seconds_until_shown(number, now=0.0))
    assert [found[number].seconds for number in range(1, 6)] == [0.0, 50.0, 60.0, 110.0, 120.0]


def test_speed_follows_what_changes() -> None:
    speed = Speed()
    for _ in range(20):
        speed.record(waiting(1, cost=300), tokens=100, seconds=10.0)
    for _ in range(20):
        speed.record(waiting(1, cost=300), tokens=100, seconds=5.0)
    assert speed.tokens_per_second(rows=1) == pytest.approx(20, rel=0.05)


def test_who_is_refused_hears_when_a_tenth_of_the_queue_will_have_ended() -> None:
    now = 0.0
    throughput = Throughput(lambda: now)
    assert throughput.seconds_until_room(200) == UNKNOWN_SECONDS
    for number in range(11):
        now = number * 3.0
        throughput.count()
    assert throughput.seconds_until_room(200) == 60
    assert throughput.seconds_until_room(1) == LEAST_SECONDS
    now += 1e9
    assert throughput.seconds_until_room(200) == MOST_SECONDS
