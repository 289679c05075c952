"""Pace, queue places and caps, with a clock of our own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.access import rate_limits as limits
from bot.access.policy import Allowance, Policy, allowance
from bot.access.policy_store import PolicyStore
from bot.access.rate_limits import PersonLimits
from bot.config.schema import AccessOptions, LimitOptions, RoleLimits
from bot.errors import Ignored, Refusal
from bot.store.database import Database, open_database, sqlite_url
from bot.store.jobs import QueueLoad
from tests.bot.people import ADA, BOB, said
from tests.bot.rig import ScriptedEngine, echo, running
from tests.bot.samples import ANN, BEN, PLACE

OPTIONS = LimitOptions(burst=3, cooldown_seconds=2, questions_per_person=2, questions_overall=10, caps={"beams": 4, "max_new_tokens": 500})
ROLES = {
    "discord:fan": RoleLimits(burst=5, caps={"beams": 6}),
    "discord:crew": RoleLimits(cooldown_seconds=0, caps={"beams": 5, "temperature": 1}),
    "telegram:crew": RoleLimits(caps={"beams": 10}),
}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[Database]:
    """One database is enough for what is kept in memory."""
    database = await open_database(sqlite_url(tmp_path / "gander.db"))
    yield database
    await database.close()


def limits_of(database: Database, options: LimitOptions = OPTIONS, clock: Clock | None = None) -> PersonLimits:
    return PersonLimits(options, PolicyStore(database, AccessOptions(), options), clock or Clock())


async def count_until_refused(person: PersonLimits, most: int = 50) -> int:
    for count in range(most):
        try:
            await person.check(said(ADA))
        except Refusal:
            return count
    return most


async def test_a_burst_is_let_through_and_then_the_wait_is_named(quick: Database) -> None:
    clock = Clock()
    person = limits_of(quick, clock=clock)
    for _ in range(3):
        await person.check(said(ADA))
    clock.now += 0.5
    with pytest.raises(Refusal) as refused:
        await person.check(said(ADA))
    assert (refused.value.key, refused.value.values) == ("limits.too_fast", {"count": 2})
    clock.now += 1.5
    await person.check(said(ADA))


async def test_a_person_who_goes_on_is_told_in_one_message_that_counts_the_rest(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(database_url, tmp_path, engine, limits=LimitOptions(burst=1, cooldown_seconds=1_000)) as rig:
        for _ in range(5):
            await rig.say("hello")
        left_out = "3 more of yours came since then: I left them out, so send them again."
        told = rf"A little slower, please: try again in (1000|9\d\d) seconds\. {left_out}"  # by the clock

        def shown() -> list[str]:
            return sorted(each.text for each in rig.chat.messages.values())

        await rig.until(lambda: any(re.fullmatch(told, text) for text in shown()))
        await rig.until(lambda: shown()[1:] == ["You asked: hello"])


async def test_the_next_time_it_is_told_again(quick: Database) -> None:
    clock = Clock()
    person = limits_of(quick, clock=clock)
    for _ in range(2):
        clock.now += 1_000
        assert await count_until_refused(person) == 3
        with pytest.raises(Ignored):
            await person.check(said(ADA))


async def test_rest_fills_up_to_the_burst_and_not_beyond(quick: Database) -> None:
    clock = Clock()
    person = limits_of(quick, clock=clock)
    await count_until_refused(person)
    clock.now += 1_000
    assert await count_until_refused(person) == 3


async def test_one_person_does_not_slow_another(quick: Database) -> None:
    person = limits_of(quick)
    await count_until_refused(person)
    await person.check(said(BOB))


async def test_a_role_without_cooldown_is_never_slowed(quick: Database) -> None:
    person = limits_of(quick, OPTIONS.model_copy(update={"roles": ROLES}))
    crew = replace(ADA, roles=frozenset({"crew"}))
    for _ in range(50):
        await person.check(said(crew))


def test_the_most_generous_role_counts_and_no_role_adds_a_cap_that_others_lack() -> None:
    options = OPTIONS.model_copy(update={"roles": ROLES})
    assert allowance(options, ADA).caps == {"beams": 4, "max_new_tokens": 500}
    both = allowance(options, replace(ADA, roles=frozenset({"fan", "crew", "unheard of"})))
    assert (both.burst, both.cooldown_seconds, both.caps) == (5, 0, {"beams": 6, "max_new_tokens": 500})


async def test_the_queue_refuses_at_its_two_limits(quick: Database) -> None:
    person = limits_of(quick)
    person.admit(QueueLoad(mine=1, overall=9), said(ADA))
    for load, key in ((QueueLoad(2, 2), "limits.enough_of_yours"), (QueueLoad(0, 10), "limits.queue_full")):
        with pytest.raises(Refusal) as refused:
            person.admit(load, said(ADA))
        assert refused.value.key == key


async def test_a_clock_that_went_forwards_and_back_locks_nobody_out(quick: Database) -> None:
    clock = Clock()
    person = limits_of(quick, clock=clock)
    clock.now += 100_000
    assert await count_until_refused(person) == OPTIONS.burst
    clock.now -= 100_000
    assert await count_until_refused(person) == 0
    clock.now += OPTIONS.burst * OPTIONS.cooldown_seconds
    assert await count_until_refused(person) == OPTIONS.burst


async def test_people_who_rested_are_forgotten(quick: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SWEEP_AT", 3)
    clock = Clock()
    person = limits_of(quick, clock=clock)
    for name in ("a", "b", "c"):
        await person.check(said(replace(ADA, id=name)))
    clock.now += 60
    await person.check(said(ADA))
    assert list(person._buckets) == [ADA.key]


def test_rules_make_an_allowance_smaller_and_never_larger() -> None:
    frame = Allowance(3, 2.0, {"beams": 4, "max_new_tokens": 500})
    policy = Policy(cooldown_seconds=30, caps={"beams": 2}, roles={"discord:fan": RoleLimits(cooldown_seconds=0, caps={"beams": 9})})
    assert frame.restricted_by(policy, ADA) == Allowance(3, 2.0, {"beams": 2, "max_new_tokens": 500})
    assert [policy.question_pause(each) for each in (ADA, replace(ADA, roles=frozenset({"fan"})))] == [30, 0]
    assert frame.restricted_by(policy, replace(ADA, roles=frozenset({"fan"}))) == frame


async def test_seconds_between_two_questions_are_just_that(database_url: str, tmp_path: Path) -> None:
    """Whatever else a person does counts for nothing, and nothing else is refused."""
    engine = ScriptedEngine(echo)
    engine.gate.set()
    keeper = replace(ANN, manages=True)
    async with running(database_url, tmp_path, engine) as rig:

        async def says(words: str) -> None:
            await rig.until(lambda: any(words in said for said in rig.chat.finals()))

        await rig.press("setup", author=keeper, rule="cooldown", amount="30")
        await says("seconds between two questions: 30")
        for topic in ("beams", "temperature"):
            await rig.press("help", author=keeper, topic=topic)
            await says(f"/{topic}")
        await rig.say("first?", author=keeper)
        await says("You asked: first?")
        await rig.say("at once?", author=keeper)
        await says("Here 30 seconds lie between two questions of a person: yours can come in")
        await rig.say("by somebody else?", author=BEN)
        await rig.say("elsewhere?", author=keeper, place=replace(PLACE, channel="lake", server="ducks"))
        await says("You asked: by somebody else?")
        await says("You asked: elsewhere?")
        assert "You asked: at once?" not in rig.chat.finals()


async def test_who_asks_too_fast_can_stop_what_is_being_written(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda request: ["Half", " an answer"])
    async with running(database_url, tmp_path, engine, limits=LimitOptions(burst=1, cooldown_seconds=1_000)) as rig:
        await rig.say("slow?")
        await rig.until(lambda: engine.running == 1)
        await rig.say("more?")
        assert "A little slower" in (await rig.finals(1))[0]
        await rig.press("stop")
        await rig.until(lambda: engine.running == 0)
        assert "Stopped." in await rig.finals(2)


async def test_what_was_sent_while_the_bot_was_away_counts_when_it_was_sent(quick: Database) -> None:
    """Ten questions an hour apart, all of which come now."""
    clock = Clock()
    clock.now = 1_000_000.0
    person = limits_of(quick, OPTIONS.model_copy(update={"cooldown_seconds": 1800}), clock)
    for hour in range(10, 0, -1):
        sent = replace(said(ADA), sent_at=datetime.fromtimestamp(clock.now - hour * 3600, UTC))
        await person.check(sent)
        person.admit(QueueLoad(mine=10 - hour, overall=9), sent)
    assert await count_until_refused(person) == OPTIONS.burst


async def test_what_was_sent_at_once_while_the_bot_was_away_is_still_too_fast(quick: Database) -> None:
    clock = Clock()
    clock.now = 1_000_000.0
    person = limits_of(quick, OPTIONS.model_copy(update={"burst": 10}), clock)
    sent = [replace(said(ADA), sent_at=datetime.fromtimestamp(clock.now - 3600 + n, UTC)) for n in range(3)]
    for each in sent:
        await person.check(each)
    for each in sent[: OPTIONS.questions_per_person]:
        person.admit(QueueLoad(mine=0, overall=0), each)
    with pytest.raises(Refusal, match=r"limits\.enough_of_yours"):
        person.admit(QueueLoad(mine=0, overall=0), sent[-1])


async def test_what_is_too_old_is_said_once_a_place(quick: Database) -> None:
    clock = Clock()
    clock.now = 1_000_000.0
    person = limits_of(quick, clock=clock)
    old = replace(said(ADA), sent_at=datetime.fromtimestamp(clock.now - 13 * 3600, UTC))
    with pytest.raises(Refusal, match=r"limits\.too_old"):
        await person.check(old)
    with pytest.raises(Ignored):
        await person.check(replace(old, author=BOB))
    with pytest.raises(Refusal, match=r"limits\.too_old"):
        await person.check(replace(old, place=replace(old.place, channel="elsewhere")))
    await person.check(replace(old, edited=True))


class Ticking(Clock):
    """Goes on between some looks and not between others, as real ones do."""

    looks = 0

    def __call__(self) -> float:
        self.looks += 1
        self.now += 0.000_1 if self.looks % 3 == 0 else 0
        return self.now


async def test_a_clock_that_goes_on_makes_nobody_late(quick: Database) -> None:
    """What is sent now spends of today's, however often the clock is looked at meanwhile."""
    assert [await count_until_refused(limits_of(quick, clock=Ticking())) for _ in range(3)] == [OPTIONS.burst] * 3
