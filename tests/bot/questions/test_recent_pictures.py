"""Which pictures of a channel are remembered, for how long, and over a restart; and the sheet that shows several, numbered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path

from PIL import Image
from sqlalchemy import Connection, select

from bot.message import Address, Attachment, Author
from bot.questions.contact_sheet import TILE, draw
from bot.store.tables import RecentPictureRow
from tests.bot.hostile import encode
from tests.bot.questions.test_delete import ANN, BEN, CHANNEL, forget
from tests.bot.rig import Chat, Rig, ScriptedEngine, echo, running

WHITE, BROWN = (encode(Image.new("RGB", (20, 10), color), "PNG") for color in ("white", "brown"))


@dataclass
class Album(Chat):
    """A chat that finds its files again."""

    files: dict[str, bytes] = field(default_factory=dict)

    def shown(self, name: str, data: bytes, *, spoiler: bool = False) -> Attachment:
        self.files[name] = data
        return Attachment(name, partial(self.reopen, name), len(data), "image/png", spoiler, name)

    async def reopen(self, reference: str) -> AsyncIterator[bytes]:
        yield self.files[reference]


@asynccontextmanager
async def bot(url: str, home: Path, chat: Album) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(url, home, engine, chat) as rig:
        yield rig


async def show(rig: Rig, *pictures: Attachment, author: Author = ANN, ago: float = 0.0) -> None:
    """Somebody posts pictures, each in a message, that are not for the bot."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    for picture in pictures:
        await rig.say("look", author=author, place=CHANNEL, address=Address.OVERHEARD, sent_at=at, attachments=(picture,))


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


async def test_the_sheet_goes_with_the_choice_or_with_whose_pictures_it_shows(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        await show(rig, chat.shown("a", WHITE), chat.shown("b", WHITE))
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(1)
        [offer] = chat.messages.values()
        assert [each.exists() for each in offer.files] == [True]
        assert offer.alt == "\n".join(action.label for action in offer.actions)
        await forget(rig, ANN)
        assert not offer.files[0].exists()


async def test_a_hidden_picture_is_not_shown_on_the_sheet(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        for name in ("a", "b"):
            await show(rig, chat.shown(name, BROWN, spoiler=True))
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(1)
        [offer] = chat.messages.values()
        assert offer.files == ()
        assert len(offer.actions) == 2


def test_a_sheet_has_a_tile_for_each_and_an_empty_one_for_what_can_not_be_shown() -> None:
    assert [draw([None] * number).width // TILE for number in (2, 3, 4, 5)] == [2, 3, 2, 3]
    sheet = draw([WHITE, None, BROWN])
    colors = [sheet.getpixel((round((at + 0.5) * sheet.width / 3), sheet.height // 2)) for at in range(3)]
    assert len(set(colors)) == 3
    out = BytesIO()
    sheet.save(out, "JPEG")
    assert len(out.getvalue()) < 100_000
