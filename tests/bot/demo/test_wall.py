"""What stands on a demo's wall, and what it is about."""

from __future__ import annotations

from dataclasses import replace

from bot.demo.wall import DONE, LOOKED_AT, NEXT, worth_showing
from bot.message import Reply
from bot.queue_status import QueuePosition
from tests.bot.demo.room import answered, entry, show, start
from tests.bot.rig import Rig
from tests.bot.samples import BEN, PLACE


def test_a_full_room_s_wall_shows_who_is_answered_and_the_head_of_the_line() -> None:
    waiting = [replace(entry(n), state="waiting", place=QueuePosition(n, LOOKED_AT - n, None)) for n in range(100, LOOKED_AT)]
    states = [*(entry(n) for n in range(90)), *(replace(entry(n), state="answering") for n in range(90, 100)), *waiting]
    shown = worth_showing(states)
    assert [each.entry.shown.answer for each in shown if each.state == "answering"] == list(range(90, 100))
    assert sorted(each.place.position for each in shown if each.place) == list(range(1, NEXT + 1))
    assert [each.entry.shown.answer for each in shown if each.state == "done"] == list(range(90 - DONE, 90))


async def test_a_follow_up_stands_on_the_wall_with_the_picture_that_it_is_about(rig: Rig) -> None:
    await start(rig, prompt="What?")
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What? at") is not None)
    await rig.say("and why?")
    await rig.until(lambda: answered(rig, "and why? at") is not None)
    await rig.say("unrelated", reply_to=Reply("nobody's", BEN))
    await rig.until(lambda: answered(rig, "unrelated at") is not None)
    demo = rig.core.demos.running(PLACE)
    assert demo is not None
    first, follow_up, unrelated = (each.entry.shown for each in (await rig.core.walls.read(demo)).entries)
    assert follow_up.pictures == first.pictures != ()
    assert unrelated.pictures == ()
