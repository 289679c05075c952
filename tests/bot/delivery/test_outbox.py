"""What streaming decides is carried out to its end, however long the steps between take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import pytest

from bot.delivery.outbox import TRIES_REJECTED, Outbox
from bot.errors import DeliveryError
from bot.platform import EditBudget, Limits, Outgoing
from bot.store.database import open_database, sqlite_url
from bot.texts import load_texts
from tests.bot.rig import Chat, Lobby
from tests.bot.samples import PLACE

UNSHOWN = "My answer could not be shown here. Please ask again, or ask in other words."


@dataclass
class Slow:
    """A clock of a busy machine: between any two looks at it time has passed."""

    step: float
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@asynccontextmanager
async def speaking(home: Path, chat: Chat, clock: Callable[[], float]) -> AsyncIterator[Outbox]:
    database = await open_database(sqlite_url(home / "gander.db"))
    outbox = Outbox(database, load_texts(), clock)
    outbox.attach(chat)
    running = asyncio.create_task(outbox.run())
    yield outbox
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()


async def shown(chat: Chat, number: int) -> list[str]:
    async with asyncio.timeout(90):
        while len(chat.messages) < number:  # noqa: ASYNC110  # the queues decide
            await asyncio.sleep(0.01)
    return chat.finals()


async def test_a_channel_that_is_silent_is_remembered_no_longer_than_its_budget(tmp_path: Path) -> None:
    chat = Chat(limits=Limits(200, EditBudget(2, seconds=0.2)))
    async with speaking(tmp_path, chat, monotonic) as outbox:
        tasks = len(asyncio.all_tasks())
        for number in range(50):
            outbox.send_notice(replace(PLACE, channel=f"c{number}"), Outgoing("one"), None)
        await shown(chat, 50)
        async with asyncio.timeout(90):
            while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110  # the queues decide
                await asyncio.sleep(0.01)
        for _ in range(3):
            outbox.send_notice(PLACE, Outgoing("again"), None)
        await shown(chat, 53)
    assert chat.calls[-1] - chat.calls[-3] >= 0.19  # its budget is minded as before


async def test_a_file_that_is_gone_keeps_no_words_back(tmp_path: Path) -> None:
    """As when an export is said on a platform that was away until the export had gone."""
    chat = Chat()
    async with speaking(tmp_path, chat, monotonic) as outbox:
        outbox.send_notice(PLACE, Outgoing("the export", files=(tmp_path / "gone.html",)), None)
        await shown(chat, 1)
    assert [(message.text, message.files) for message in chat.messages.values()] == [("the export", ())]


async def test_what_comes_due_while_something_else_is_done_does_not_wait_for_news(tmp_path: Path) -> None:
    chat = Chat(limits=Limits(200, EditBudget(1, seconds=1.0)))
    async with speaking(tmp_path, chat, Slow(0.4)) as outbox:
        for text in ("one", "two", "three"):
            outbox.send_notice(PLACE, Outgoing(text), None)
        assert await shown(chat, 3) == ["one", "two", "three"]


@pytest.mark.parametrize(("rejected", "said"), [(True, [UNSHOWN, "two"]), (False, ["one", "two"])])
async def test_what_a_platform_finds_fault_with_is_given_up_soon(tmp_path: Path, rejected: bool, said: list[str]) -> None:
    chat = Chat()
    async with speaking(tmp_path, chat, Slow(100.0)) as outbox:
        chat.failures = [DeliveryError("Invalid Form Body", rejected=rejected)] * TRIES_REJECTED
        outbox.send_notice(PLACE, Outgoing("one"), None)
        async with asyncio.timeout(90):
            while len(chat.calls) < TRIES_REJECTED:  # noqa: ASYNC110  # the queues decide
                await asyncio.sleep(0.01)
        outbox.send_notice(PLACE, Outgoing("two"), None)
        assert sorted(await shown(chat, len(said))) == said


async def test_what_one_person_alone_is_told_counts_in_nobody_elses_budget(tmp_path: Path) -> None:
    """Each goes by the way of its own interaction: thirty at once are said at once, though a channel takes two in an hour."""
    chat = Lobby(limits=Limits(200, EditBudget(2, seconds=3_600.0)))
    async with speaking(tmp_path, chat, monotonic) as outbox:
        for number in range(30):
            outbox.send_notice(PLACE, Outgoing(f"help {number}", private=True), f"e{number}")
        await shown(chat, 30)
        assert len(chat.private_messages) == 30


async def test_what_is_said_while_it_ends_waits_for_the_next_start(tmp_path: Path) -> None:
    chat = Chat()
    database = await open_database(sqlite_url(tmp_path / "gander.db"))
    outbox = Outbox(database, load_texts())
    outbox.attach(chat)
    first = asyncio.create_task(outbox.run())
    first.add_done_callback(lambda _: outbox.send_notice(replace(PLACE, channel="other"), Outgoing("after"), None))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    outbox.send_notice(PLACE, Outgoing("meanwhile"), None)
    await asyncio.gather(first, return_exceptions=True)
    assert chat.finals() == []
    second = asyncio.create_task(outbox.run())
    assert sorted(await shown(chat, 2)) == ["after", "meanwhile"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await database.close()
