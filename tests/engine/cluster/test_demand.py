"""What waits at the bots decides how many replicas are wanted, for as long as they say so."""

from __future__ import annotations

from engine.cluster.demand import KNOWN_SECONDS, Demand, replicas_wanted


def test_bots_add_up_and_a_silent_one_counts_no_more() -> None:
    now = 0.0
    demand = Demand(lambda: now)
    demand.say("a", 5)
    demand.say("b", 7)
    demand.say("a", 3)
    assert demand.waiting() == 10
    now = KNOWN_SECONDS / 2
    demand.say("b", 1)
    now = KNOWN_SECONDS + 1
    assert demand.waiting() == 1


def test_what_runs_and_what_waits_is_given_room() -> None:
    assert [replicas_wanted(running, waiting, 64) for running, waiting in ((0, 0), (64, 0), (64, 1), (64, 640))] == [0, 1, 2, 11]
