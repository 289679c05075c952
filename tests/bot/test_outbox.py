"""What streaming decides is carried out to its end, however long the steps between take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.outbox import Outbox
from bot.ports import EditBudget, Limits, Outgoing
from bot.store.database import open_database, sqlite_url
from tests.bot.rig import Chat
from tests.bot.samples import PLACE


@dataclass
class Slow:
    """A clock of a busy machine: between any two looks at it time has passed."""

    step: float
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


async def test_what_comes_due_while_something_else_is_done_does_not_wait_for_news(tmp_path: Path) -> None:
    database, chat = await open_database(sqlite_url(tmp_path / "gander.db")), Chat(limits=Limits(200, EditBudget(1, seconds=1.0)))
    outbox = Outbox(database, Slow(0.4))
    outbox.attach(chat)
    pumps = asyncio.create_task(outbox.run())
    for text in ("one", "two", "three"):
        outbox.say(PLACE, Outgoing(text), None)
    async with asyncio.timeout(20):
        while len(chat.messages) < 3:  # noqa: ASYNC110  # the pump decides
            await asyncio.sleep(0.01)
    pumps.cancel()
    await asyncio.gather(pumps, return_exceptions=True)
    await database.close()
