"""One round of crash tests: questions, kills and misfortunes drawn from one number, then what people see and the database holds."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.chats import Chat
from tests.chaos.databases import REPEATS, Store
from tests.chaos.misfortunes import Pace, calm, kill_at_random, misfortunes_at_random
from tests.chaos.stage import Stage, set_up

SETTLE_SECONDS = 300.0
QUIET_SECONDS = 1.0  # after which a second copy would have come


@dataclass
class Outcome:
    """What a round ended with; sums of several add up. All but the first six, and the orphans that `repeats` count, should be 0."""

    questions: int = 0
    answered: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    repeats: int = 0  # sends that were repeated since a kill or a lost reply left open whether they were carried out
    pressed: int = 0  # buttons, each of which did what it says
    lost: int = 0  # questions without a whole answer
    doubled: int = 0  # whole answers beyond the first
    disordered: int = 0  # answers that did not see just those before them
    orphans: int = 0  # messages that look as if they were still being written
    dead_buttons: int = 0
    owed: int = 0  # jobs and replies that are not done
    damaged: int = 0  # databases that don't pass their check
    ended: int = 0  # bots that ended by themselves
    notes: list[str] = field(default_factory=list)  # of what is wrong

    @property
    def good(self) -> bool:
        """Whether every question has one answer, in its order, and nothing is left over but what a kill left in doubt."""
        return self.orphans <= self.repeats and not (
            self.lost or self.doubled or self.disordered or self.dead_buttons or self.owed or self.damaged or self.ended
        )

    def add(self, other: Outcome) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def lines(self) -> list[str]:
        numbers = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        each = [f"{sum(part.values())} {word} ({', '.join(f'{name} {count}' for name, count in sorted(part.items()))})"
                for word, part in (("kills", self.kills), ("misfortunes", self.troubles))]  # fmt: skip
        return [*each, ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers.items()), *self.notes]


async def play(home: Path, store: Store, seed: int, questions: int, pace: Pace) -> Outcome:
    """A round. The same seed draws the same; what falls together differs from run to run."""
    draw = random.Random(seed)
    async with set_up(home, store, random.Random(seed + 1)) as stage:
        for number, chat in enumerate(stage.chats):  # everybody is known to the bot before it is killed for the first time
            await chat.ask(number, draw)
        await _until_answered(stage)
        troubles = [
            asyncio.create_task(kill_at_random(stage, random.Random(seed + 2), pace)),
            asyncio.create_task(misfortunes_at_random(stage, random.Random(seed + 3), pace)),
        ]
        try:
            await asyncio.wait({asyncio.create_task(_ask(stage, draw, questions, pace)), *troubles}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in troubles:
                task.cancel()
            ends = await asyncio.gather(*troubles, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        await _recover(stage)
        await _until_answered(stage)
        await asyncio.sleep(QUIET_SECONDS)
        return await _judge(stage, draw)


async def _ask(stage: Stage, draw: random.Random, questions: int, pace: Pace) -> None:
    """The chats ask side by side, each one thing after the other."""
    asking: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as tasks:
        for number in range(len(stage.chats), questions):
            chat = draw.choice(stage.chats)
            before = asking.get(chat.name)
            asking[chat.name] = tasks.create_task(_after(before, chat, number, draw))
            await asyncio.sleep(draw.expovariate(1 / pace.asking))


async def _after(before: asyncio.Task[None] | None, chat: Chat, number: int, draw: random.Random) -> None:
    if before is not None:
        await before
    await chat.ask(number, draw)


async def _recover(stage: Stage) -> None:
    """All misfortunes are over."""
    calm(stage)
    if stage.killing is not None:
        await stage.killing


async def _until_answered(stage: Stage) -> None:
    """Until all is answered and nothing is owed, or long enough: what is missing then is lost."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while await _missing(stage) or await stage.store.owed():
                if stage.bot.ended_by_itself:
                    return
                await asyncio.sleep(0.25)
    except TimeoutError:
        return


async def _missing(stage: Stage) -> int:
    return sum([len({*chat.asked} - {final.question for final in await chat.finals()}) for chat in stage.chats])


async def _judge(stage: Stage, draw: random.Random) -> Outcome:
    found = Outcome(kills=Counter(stage.kills), troubles=Counter(stage.troubles), ended=int(stage.bot.ended_by_itself))
    for chat in stage.chats:
        finals = await chat.finals()
        times = Counter(final.question for final in finals)
        found.questions += len(chat.asked)
        found.answered += len(times)
        found.lost += len({*chat.asked} - {*times})
        found.doubled += sum(times.values()) - len(times)
        if twice := sorted(number for number, count in times.items() if count > 1):
            found.notes.append(f"{chat.name}: doubled {twice}")
        orders = {final.question: final.order for final in finals}
        if wrong := disorder(chat.asked, orders, fresh="clock_jumps" in stage.troubles):
            found.disordered += wrong
            found.notes.append(f"{chat.name}: {[(number, orders.get(number)) for number in chat.asked]}")
        found.orphans += chat.growing()
    found.repeats = int(await stage.store.query(REPEATS))
    for chat in stage.chats:
        pressed = await _press(chat, draw)
        found.pressed, found.dead_buttons = found.pressed + pressed, found.dead_buttons + (not pressed)
    await _until_answered(stage)
    found.owed = await stage.store.owed()
    found.damaged = int(not await stage.store.intact())
    return found


def disorder(asked: list[int], orders: dict[int, int], fresh: bool) -> int:
    """How many answers do not follow on the one before. `fresh`: a conversation may have begun anew, as when a clock jumps by hours."""
    wrong, before = 0, 0
    for number in asked:
        order = orders.get(number, before + 1)
        wrong += order != before + 1 and not (fresh and order == 1)
        before = order
    return wrong


async def _press(chat: Chat, draw: random.Random) -> bool:
    """Whether a button below an answer does what it says."""
    before = len(await chat.finals())
    if not await chat.press_again(draw):
        return False
    try:
        async with asyncio.timeout(SETTLE_SECONDS / 5):
            while len(await chat.finals()) <= before:  # noqa: ASYNC110  # another process decides
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True
