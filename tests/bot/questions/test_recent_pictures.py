"""Which pictures of a channel are remembered, for how long, and over a restart; and the sheet that shows several, numbered."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, select

from bot.store.tables import RecentPictureRow
from tests.bot.questions.album import WHITE, Album, bot, show
from tests.bot.questions.test_delete import ANN, BEN, CHANNEL, forget
from tests.bot.rig import Rig


def stored(connection: Connection) -> list[tuple[str, bool]]:
    rows = connection.execute(
        select(RecentPictureRow.files, RecentPictureRow.asked).order_by(RecentPictureRow.at, RecentPictureRow.message_id)
    )
    return [(files[0]["reference"], asked) for files, asked in rows]


async def remembers(rig: Rig, *wanted: tuple[str, bool]) -> None:
    """Wait until just these are stored."""
    async with asyncio.timeout(90):
        while await rig.database.read(stored) != list(wanted):  # noqa: ASYNC110  # nobody announces what is written
            await asyncio.sleep(0.01)


async def test_a_restart_forgets_no_picture_and_not_what_was_asked_about(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        await show(rig, chat.shown("a", WHITE))
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(1)
        await show(rig, chat.shown("b", WHITE))
        await remembers(rig, ("a", True), ("b", False))
    async with bot(database_url, tmp_path, chat) as rig:
        rig.ids = count(100)  # a platform gives none twice
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(2)
        assert str(rig.engine.requests).count("data:image/") == 1


async def test_what_is_deleted_forgotten_or_old_is_kept_no_longer(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        await show(rig, chat.shown("old", WHITE), ago=3_600)
        await show(rig, chat.shown("gone", WHITE), ago=20)
        await show(rig, chat.shown("of Ben", WHITE), ago=10, author=BEN)
        await show(rig, chat.shown("of Ann", WHITE))
        await remembers(rig, ("gone", False), ("of Ben", False), ("of Ann", False))
        await rig.core.withdraw(CHANNEL, "m2", answers=False)
        await remembers(rig, ("of Ben", False), ("of Ann", False))
        await forget(rig, ANN)
        await remembers(rig, ("of Ben", False))
