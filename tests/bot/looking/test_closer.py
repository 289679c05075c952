"""`/zoom`, and large pictures looked at closer by the bot itself: what the engine is shown, over follow-ups, other tries and deletion."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO

import pytest
import pytest_asyncio
from PIL import ExifTags, Image, ImageDraw
from sqlalchemy import Connection, select

from bot.errors import EngineRefused
from bot.store.database import sqlite_url
from bot.store.tables import MessagePictureRow, MessageRow
from engine.api import ChatRequest, Health, ImagePart
from tests.bot.rig import Rig, ScriptedEngine, attachment, echo, running, spoken
from tests.bot.samples import ANN, BEN

pytestmark = pytest.mark.asyncio(loop_scope="module")


def scene() -> bytes:
    """1,200 × 900 pixels, white; a red square in the upper left, a blue one in the lower right."""
    picture, data = Image.new("RGB", (1200, 900), "white"), BytesIO()
    ImageDraw.Draw(picture).rectangle((60, 40, 120, 100), "red")
    ImageDraw.Draw(picture).rectangle((1000, 800, 1060, 860), "blue")
    picture.save(data, "PNG")
    return data.getvalue()


@dataclass
class SharpEngine(ScriptedEngine):
    """One whose eye is known."""

    eye: int | None = 224
    one_picture: bool = False

    async def health(self) -> Health:
        return (await super().health()).model_copy(update={"eye_pixels": self.eye, "one_picture": self.one_picture})


def shown(request: ChatRequest) -> list[Image.Image]:
    urls = [
        part.image_url.url
        for said in request.messages
        if not isinstance(said.content, str)
        for part in said.content
        if isinstance(part, ImagePart)
    ]
    return [Image.open(BytesIO(b64decode(url.partition(",")[2]))).convert("RGB") for url in urls]


def hues(picture: Image.Image) -> set[str]:
    names = {(255, 0, 0): "red", (0, 0, 255): "blue"}
    return {names[colour] for _, colour in picture.getcolors(1 << 24) or () if colour in names}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    home = tmp_path_factory.mktemp("bot")
    engine = SharpEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(home / "gander.db"), home, engine) as rig:
        yield rig


async def answered(rig: Rig, count: int) -> ChatRequest:
    await rig.until(lambda: len(rig.engine.requests) >= count)
    await rig.until(lambda: sum(message.answer_id is not None and message.final for message in rig.chat.messages.values()) >= count)
    return rig.engine.requests[count - 1]


async def test_a_part_goes_in_as_a_further_picture_and_stays_with_its_question(rig: Rig) -> None:
    await rig.say("What is in the upper left corner?", attachments=(attachment(scene()),))
    request = await answered(rig, 1)
    whole, part = shown(request)
    assert (whole.size, part.size) == ((1200, 900), (540, 405))
    assert (hues(whole), hues(part)) == ({"red", "blue"}, {"red"})
    note = "The last picture shows a part of the one before it, enlarged: its upper left."
    assert spoken(request) == [f"{note}What is in the upper left corner?"]
    assert rig.chat.messages["bot1"].footer == "Looked closer at: upper left"
    await rig.say("And its colour?")
    follow_up = await answered(rig, 2)
    assert follow_up.messages[0] == request.messages[0]
    assert rig.chat.messages["bot2"].footer == ""


async def test_zoom_takes_words_cells_and_rectangles_of_the_conversations_picture(rig: Rig) -> None:
    await rig.press("zoom", region="bottom right corner", prompt="Which colour?")
    assert hues(shown(await answered(rig, 3))[-1]) == {"blue"}
    await rig.press("zoom", region="0,0,50,50")
    assert "What is in this part of the picture?" in spoken(await answered(rig, 4))[-1]
    await rig.press("zoom")
    await rig.until(lambda: any(message.across for message in rig.chat.messages.values()))
    grid = next(message for message in rig.chat.messages.values() if message.across)
    assert [action.label for action in grid.actions][::4] == ["upper left", "middle", "lower right"]
    with Image.open(grid.files[0]) as drawn:
        assert drawn.size == (800, 600)
    cell = grid.actions[8].command.partition("cell:")[2]
    await rig.press("zoom", cell=cell, author=BEN)
    await rig.until(lambda: any("somebody else" in text for text in rig.chat.finals()))
    await rig.press("zoom", cell=cell)
    assert hues(shown(await answered(rig, 5))[-1]) == {"blue"}
    await rig.press("zoom", cell=cell)
    await rig.until(lambda: any("choose" in text.lower() or "again" in text.lower() for text in rig.chat.finals()[-1:]))


async def test_again_shows_the_same_and_the_setting_turns_it_off(rig: Rig) -> None:
    await rig.press("reset")
    await rig.say("What is at the bottom?", attachments=(attachment(scene()),))
    first = await answered(rig, 6)
    await rig.press("again")
    assert (await answered(rig, 7)).messages == first.messages
    await rig.press("settings", name="zoom", value="off", scope="me")
    await rig.press("again")
    assert len(shown(await answered(rig, 8))) == 1
    await rig.press("settings", name="zoom", value="on", scope="me")


async def test_a_model_that_takes_one_picture_gets_the_part_instead_and_that_is_said(rig: Rig) -> None:
    assert isinstance(rig.engine, SharpEngine)
    await rig.press("reset")

    def fussy(request: ChatRequest) -> list[str | Exception]:
        return [EngineRefused("At most 1 image may be given")] if len(shown(request)) > 1 else list(echo(request))

    rig.engine.reply = fussy
    await rig.say("What is in the upper left corner?", attachments=(attachment(scene()),))
    await rig.until(lambda: len(rig.engine.requests) >= 10)
    await rig.until(lambda: any("was shown that part alone" in message.footer for message in rig.chat.messages.values()))
    [part] = shown(rig.engine.requests[-1])
    assert hues(part) == {"red"}
    rig.engine.reply = echo


async def test_the_parts_of_a_picture_go_with_it(rig: Rig) -> None:
    """Whoever showed the picture has it forgotten: nothing of it stays with somebody else's question."""
    await rig.press("reset")
    await rig.press("zoom", author=BEN, region="upper left", prompt="Mine?")
    await rig.say("Look", attachments=(attachment(scene()),))
    await rig.press("zoom", author=BEN, region="lower right", prompt="This corner?")
    await rig.until(lambda: any("This corner?" in text for text in rig.chat.finals()))

    def parts(connection: Connection) -> list[str]:
        theirs = select(MessagePictureRow.sha256).join(MessageRow, MessageRow.id == MessagePictureRow.message)
        return list(connection.scalars(theirs.where(MessageRow.person == BEN.key)))

    [part] = await rig.database.read(parts)
    assert rig.files.path(part).exists()
    await rig.press("forget", asker=ANN.id)
    await rig.until(lambda: any("Done. Deleted" in text for text in rig.chat.finals()))
    assert await rig.database.read(parts) == []
    assert not rig.files.path(part).exists()
    await rig.until(lambda: any(part in told for told in rig.engine.forgotten))


def photograph(longer: int = 2400) -> bytes:
    """2,400 × 1,600 pixels on their side, as phones save them; the upper left is black."""
    picture, data, exif = Image.new("L", (longer * 2 // 3, longer), "white"), BytesIO(), Image.Exif()
    ImageDraw.Draw(picture).rectangle((0, longer - 300, 300, longer), "black")
    exif[ExifTags.Base.Orientation] = 6
    picture.save(data, "JPEG", quality=95, exif=exif)
    return data.getvalue()


async def test_a_part_is_cut_out_of_the_file_that_was_sent_while_that_is_kept(rig: Rig) -> None:
    originals = rig.files.path("") / "originals"
    await rig.say("Look.", attachments=(attachment(photograph()),))
    for question, size in (("Sharp?", (192, 128)), ("And without it?", (123, 82))):
        await rig.press("zoom", region="0,0,8,8", prompt=question)
        await rig.until(lambda asked=question: any(spoken(each)[-1].endswith(asked) for each in rig.engine.requests))  # type: ignore[misc]
        part = shown(rig.engine.requests[-1])[-1]
        assert (part.size, part.convert("L").getextrema()) == (size, (0, 0))
        for kept in originals.iterdir():
            kept.unlink()
    await rig.say("Again.", attachments=(attachment(photograph()),))
    await rig.until(lambda: len(list(originals.iterdir())) == 1)
    await rig.press("forget", asker=ANN.id)
    await rig.until(lambda: not list(originals.iterdir()))


async def test_a_large_eye_looks_closer_by_the_size_of_what_was_sent(rig: Rig) -> None:
    """An eye of 800 pixels would see all that is stored, 1,536, and not all of 2,400; of 1,920 it sees enough."""
    assert isinstance(rig.engine, SharpEngine)
    rig.engine.eye = 800
    await rig.until(lambda: all(state.health and state.health.eye_pixels == 800 for state in rig.core.actions.pool.states()))
    for longer, question, sizes in ((2400, "See?", [(1536, 1024), (1080, 720)]), (1920, "Seen?", [(1536, 1024)])):
        await rig.press("reset")
        await rig.say(f"What is in the upper left corner? {question}", attachments=(attachment(photograph(longer)),))
        await rig.until(lambda asked=question: any(spoken(each)[-1].endswith(asked) for each in rig.engine.requests))  # type: ignore[misc]
        assert [each.size for each in shown(rig.engine.requests[-1])] == sizes
