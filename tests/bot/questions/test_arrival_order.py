"""A place keeps its order, and no slow file, no person and no reply holds up anybody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from PIL import Image
from sqlalchemy import select

from bot import arrival
from bot.arrival import PATIENCE_SECONDS
from bot.message import Address, Attachment, Author, Incoming, Invocation, Place, Reply
from bot.questions.arrival_order import ArrivalOrder
from bot.store.tables import MessageRow
from tests.bot.hostile import encode
from tests.bot.rig import GOOSE, Rig, asked, attachment, message
from tests.bot.samples import ANN, BEN, PLACE

CLEO = Author("web", "cleo", "Cleo")


@dataclass
class Slow:
    """A file whose bytes come when they may."""

    data: bytes = GOOSE
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def attachment(self) -> Attachment:
        return Attachment("goose.png", self._read, len(self.data), "image/png")

    async def _read(self) -> AsyncIterator[bytes]:
        self.asked.set()
        await self.go_on.wait()
        yield self.data


async def begin(rig: Rig, slow: Slow, text: str = "slow", author: Author = ANN, name: str = "slow") -> asyncio.Task[None]:
    """Somebody asks about a file that takes long; it is being fetched."""
    incoming = message(name, text, author=author, attachments=(slow.attachment(),))
    task = asyncio.create_task(rig.core.handle(incoming))
    await slow.asked.wait()
    return task


async def test_a_stalled_file_holds_up_nobody_else_in_its_channel(rig: Rig) -> None:
    slow = Slow()
    task = await begin(rig, slow)
    await rig.say("words", author=BEN)
    await rig.say("a picture", author=CLEO, attachments=(attachment(GOOSE),))
    assert sorted(await rig.finals(2)) == ["You asked: a picture", "You asked: words"]
    assert not task.done()
    slow.go_on.set()
    await task
    await rig.finals(3)


async def test_what_its_own_author_says_behind_a_stalled_file_holds_up_nobody_else_either(rig: Rig) -> None:
    slow = Slow()
    tasks = [await begin(rig, slow), asyncio.create_task(rig.core.handle(message("more", "and one more thing")))]
    await asyncio.sleep(0)  # it arrives
    await rig.say("words", author=BEN)
    assert await rig.finals(1) == ["You asked: words"]
    assert not any(task.done() for task in tasks)
    slow.go_on.set()
    await asyncio.gather(*tasks)
    await rig.finals(3)


async def test_files_are_fetched_beside_each_other_and_stored_in_their_order(rig: Rig) -> None:
    files = [Slow() for _ in range(25)]
    tasks = [await begin(rig, slow, str(n), Author("web", f"p{n}", f"P{n}"), f"m{n}") for n, slow in enumerate(files)]
    for slow in reversed(files):
        slow.go_on.set()
    await asyncio.gather(*tasks)
    await rig.finals(25)
    stored = select(MessageRow.text).where(MessageRow.role == "user").order_by(MessageRow.id)
    texts = await rig.database.read(lambda connection: list(connection.scalars(stored)))
    assert texts == [str(number) for number in range(25)]


async def test_only_files_and_commands_lose_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database or a platform is away, those who came later wait as long as it takes."""
    monkeypatch.setattr(arrival, "PATIENCE_SECONDS", 0.01)
    order = ArrivalOrder()
    with order.arriving("pond", "1", "ann") as first, order.arriving("pond", "2", "ben") as second:
        later = asyncio.create_task(order.turn(second, follows=True))
        assert not (await asyncio.wait({later}, timeout=0.2))[0]
        with first.slow():
            await later
        later = asyncio.create_task(order.turn(second, follows=True))
        assert not (await asyncio.wait({later}, timeout=0.2))[0]
        with first.slow():  # a command, which turns out to be a question
            async with first.wanted():
                assert not (await asyncio.wait({later}, timeout=0.2))[0]
        assert not later.done()
        first.end()
        await later


@pytest.mark.parametrize("seed", range(20))
async def test_what_comes_at_once_keeps_its_order_whoever_is_read_first(seed: int) -> None:
    draw, order, stored = random.Random(seed), ArrivalOrder(), list[int]()

    async def take(number: int, person: str, reads: int) -> None:
        with order.arriving(PLACE.key, str(number), person) as event:
            async with order.wanted(event):
                for _ in range(reads):
                    await asyncio.sleep(0)
                await order.turn(event, follows=True)
                stored.append(number)
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for number in range(12):
            tasks.create_task(take(number, draw.choice(("ann", "ben")), draw.randrange(6)))
    assert stored == list(range(12))


async def test_what_the_same_person_says_next_goes_on_from_their_slow_picture(rig: Rig) -> None:
    slow = Slow()
    task = await begin(rig, slow, "what is this?")
    then = asyncio.create_task(rig.say("and how old?"))
    await rig.say("elsewhere", place=Place("web", "pond"))
    await asyncio.sleep(PATIENCE_SECONDS + 0.1)
    assert not then.done()
    slow.go_on.set()
    await asyncio.gather(task, then)
    await rig.finals(3)
    assert "data:image/png" in str(next(each for each in rig.engine.requests if asked(each) == "and how old?"))


async def test_a_reply_waits_for_the_message_that_it_replies_to(rig: Rig) -> None:
    slow = Slow()
    task = await begin(rig, slow)
    reply = asyncio.create_task(rig.say("who?", author=BEN, reply_to=Reply("slow", ANN, (slow.attachment(),))))
    slow.go_on.set()
    await asyncio.gather(task, reply)
    await rig.finals(2)
    assert sum("who?" in asked(request) for request in rig.engine.requests) == 1
    assert sum("data:image/png" in str(request) for request in rig.engine.requests) == 2


async def test_who_was_overtaken_does_not_take_the_conversation_back(rig: Rig) -> None:
    slow = Slow()
    task = await begin(rig, slow)
    await rig.say("newer", author=BEN)
    slow.go_on.set()
    await task
    await rig.finals(2)
    await rig.say("and then?", author=CLEO)
    await rig.finals(3)
    assert [str(each.content) for each in rig.engine.requests[-1].messages] == ["newer", "You asked: newer", "and then?"]


async def test_stop_passes_at_once_and_stops_what_is_still_being_fetched(rig: Rig) -> None:
    task = await begin(rig, Slow())
    await rig.press("stop")
    await task
    assert await rig.finals(1) == ["Stopped."]
    assert rig.engine.requests == []


async def test_a_command_whose_picture_is_being_fetched_ends_with_words_when_it_is_stopped(rig: Rig) -> None:
    slow = Slow()
    ask = message("ask", address=Address.COMMAND, command=Invocation("ask", {"prompt": "slow"}), attachments=(slow.attachment(),))
    task = asyncio.create_task(rig.core.handle(ask))
    await slow.asked.wait()
    await rig.press("stop")
    await task
    assert sorted(await rig.finals(2)) == ["Stopped.", "Stopped."]


@pytest.mark.parametrize("command", ["help", "reset", "queue"])
async def test_commands_pass_what_is_being_fetched(rig: Rig, command: str) -> None:
    slow = Slow()
    task = await begin(rig, slow)
    await rig.press(command)
    await rig.finals(1)
    assert not task.done()
    slow.go_on.set()
    await task
    await rig.finals(2)


async def test_a_reset_counts_for_what_was_asked_before_it_and_stored_after_it(rig: Rig) -> None:
    slow = Slow()
    task = await begin(rig, slow)
    await rig.press("reset")
    slow.go_on.set()
    await task
    await rig.say("fresh")
    await rig.finals(3)
    request = next(each for each in rig.engine.requests if asked(each) == "fresh")
    assert [str(each.content) for each in request.messages] == ["fresh"]


async def test_a_message_that_is_deleted_while_its_file_comes_is_not_asked(rig: Rig) -> None:
    task = await begin(rig, Slow())
    assert await rig.core.withdraw(PLACE, "slow", answers=False) == ()
    await task
    await rig.say("after it")
    assert await rig.finals(1) == ["You asked: after it"]


async def test_what_a_person_has_forgotten_while_their_file_comes_is_not_asked(rig: Rig) -> None:
    task = await begin(rig, Slow())
    await rig.core.actions.forget(message("forget"))
    await task
    await rig.say("after it")
    assert await rig.finals(1) == ["You asked: after it"]


async def test_an_edit_waits_for_the_message_that_it_changes(rig: Rig) -> None:
    slow = Slow()
    rig.engine.gate.clear()
    task = await begin(rig, slow, "gese?")
    edit: Incoming = message("slow", "geese?", attachments=(slow.attachment(),), edited=True)
    edited = asyncio.create_task(rig.core.handle(edit))
    slow.go_on.set()
    await asyncio.gather(task, edited)
    rig.engine.gate.set()
    assert await rig.finals(1) == ["You asked: geese?"]


async def test_many_files_of_one_message_keep_their_order(rig: Rig) -> None:
    pictures = [encode(Image.new("RGB", (20 + n, 10)), "PNG") for n in range(4)]
    files = [Slow(data) for data in pictures]
    task = asyncio.create_task(rig.say("compare", attachments=tuple(slow.attachment() for slow in files)))
    for slow in files:
        await slow.asked.wait()
    for slow in reversed(files):
        slow.go_on.set()
    await task
    await rig.finals(1)
    one_by_one = [await rig.say(f"{n}", attachments=(attachment(data),), author=BEN) for n, data in enumerate(pictures)]
    await rig.finals(1 + len(one_by_one))
    shown = [part for part in rig.engine.requests[0].messages[-1].content if not isinstance(part, str) and part.type == "image_url"]
    singly = {asked(request): str(request) for request in rig.engine.requests[1:]}
    assert [part.image_url.url in singly[str(n)] for n, part in enumerate(shown)] == [True] * 4
