"""`/queue` shows one's own place."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from bot.queue_status import QueuePosition, QueueStatus
from tests.bot.commands.diary import Diary, say
from tests.bot.people import commanded


async def test_queue_shows_ones_own_place(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("queue")) == "Nobody is waiting. Ask away!"
    diary.line = QueueStatus(3, 2, 41.7, (QueuePosition(1, 0, None), QueuePosition(2, 2, 12.4), QueuePosition(3, 3, None)))
    assert (await say(runner, diary, commanded("queue"))).splitlines() == [
        "2 being answered, 3 waiting.",
        "About 42 tokens a second at the moment.",
        "Yours is being answered.",
        "Yours is number 2 in line, in about 12 s.",
        "Yours is number 3 in line.",
    ]
