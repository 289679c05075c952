"""`/find`, and answers that say where things are: what the engine is asked, and the picture below the answer; hostile answers too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from bot.looking.places import MOST, marks_of
from bot.media.decoder_worker import draw
from bot.message import Place
from bot.platform import Outgoing
from bot.store.database import sqlite_url
from engine.api import ChatRequest, Chunk, ChunkChoice, Delta, Health, ImagePart, NamedBox
from tests.bot.rig import GOOSE, Chat, Rig, ScriptedEngine, attachment, echo, running, spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")


def named(name: str, left: float = 0.1, top: float = 0.2, right: float = 0.5, bottom: float = 0.9) -> NamedBox:
    return NamedBox(name=name, left=left, top=top, right=right, bottom=bottom)


@dataclass
class PointingEngine(ScriptedEngine):
    """Its answers end with `boxes`."""

    boxes: tuple[NamedBox, ...] = ()
    plain: str = ""
    finds: bool = True

    async def health(self) -> Health:
        return (await super().health()).model_copy(update={"finds": self.finds})

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        async for chunk in super().stream(request, request_id):
            ends = chunk.choices and chunk.choices[0].finish_reason and self.boxes
            end = ChunkChoice(delta=Delta(), finish_reason="stop", boxes=self.boxes, plain=self.plain)
            yield chunk.model_copy(update={"choices": (end,)}) if ends else chunk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    home = tmp_path_factory.mktemp("bot")
    engine = PointingEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(home / "gander.db"), home, engine) as rig:
        yield rig


def pointing(rig: Rig) -> PointingEngine:
    assert isinstance(rig.engine, PointingEngine)
    return rig.engine


async def marked(rig: Rig, count: int) -> Outgoing:
    """The newest of so many marked pictures."""

    def found() -> list[Outgoing]:
        return [message for message in rig.chat.messages.values() if message.files]

    await rig.until(lambda: len(found()) >= count)
    return found()[-1]


async def test_the_engine_is_asked_and_what_it_points_at_is_drawn_below(rig: Rig) -> None:
    pointing(rig).boxes, pointing(rig).plain = (named("a *goose*"), named("鹅", 0.6, 0.1, 0.9, 0.4)), ""
    await rig.say("Look", attachments=(attachment(GOOSE),))
    await marked(rig, 1)
    await rig.press("find", thing="the  goose")
    shown = await marked(rig, 2)
    request = rig.engine.requests[-1]
    assert (request.find, spoken(request)[-1]) == ("the goose", "Where is the goose?")
    assert sum(isinstance(part, ImagePart) for said in request.messages for part in said.content) == 1
    assert (shown.text, shown.alt) == (r"In the picture: 1 a \*goose\*, 2 鹅", "In the picture: 1 a *goose*, 2 鹅")
    with Image.open(shown.files[0]) as drawn:
        assert drawn.size == (20, 10)
        assert drawn.convert("RGB").getpixel((2, 8)) != (255, 255, 255)
    assert any(message.answer_id and message.text == "a *goose*, 鹅" for message in rig.chat.messages.values())


async def test_a_model_that_gives_no_places_says_so(rig: Rig) -> None:
    pointing(rig).boxes = ()
    asked = len(rig.engine.requests)
    await rig.press("find")
    await rig.until(lambda: any("What shall I look for?" in text for text in rig.chat.finals()))
    pointing(rig).finds = False
    await rig.until(lambda: not any(state.health and state.health.finds for state in rig.core.actions.pool.states()))
    await rig.press("find", thing="the goose")
    await rig.until(lambda: any("gives no places" in text for text in rig.chat.finals()))
    assert len(rig.engine.requests) == asked


@dataclass
class Slow(Chat):
    """A platform that takes no pictures yet."""

    takes_pictures: bool = False
    waiting: int = 0

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        if message.files and not self.takes_pictures:
            self.waiting += 1
            await asyncio.Event().wait()
        return await super().send(place, message, reply_to=reply_to, nonce=nonce)


async def test_a_kill_between_the_answer_and_its_marked_picture_loses_nothing(tmp_path: Path) -> None:
    chat, engine = Slow(), PointingEngine(echo, boxes=(named("a goose"), named("x", 7, 0, 9, 1)))
    engine.gate.set()
    url = sqlite_url(tmp_path / "gander.db")
    async with running(url, tmp_path, engine, chat) as rig:
        await rig.say("Look", attachments=(attachment(GOOSE, spoiler=True),))
        await rig.until(lambda: chat.waiting == 1)
        assert [message.text for message in chat.messages.values()] == ["a goose, x"]
    chat.takes_pictures = True
    async with running(url, tmp_path, engine, chat) as rig:
        await rig.until(lambda: len(chat.messages) == 2)
        await rig.core.drain()
    engine.boxes = ()
    async with running(url, tmp_path, engine, chat) as rig:  # where there is nothing to show any more
        next(rig.ids)
        await rig.say("And?")
        await rig.until(lambda: len(chat.finals()) == 3)
        await rig.core.drain()
    answer, shown, _ = chat.messages.values()
    assert (answer.text, shown.text, shown.spoiler) == ("a goose, x", "In the picture: 1 a goose", True)
    assert list(chat.replies.values())[:2] == ["m1", "m1"]
    assert len(engine.requests) == 2
    with Image.open(shown.files[0]) as drawn:
        assert drawn.size == (20, 10)


async def test_of_hostile_boxes_a_few_are_drawn_inside_the_picture() -> None:
    wrong = [named("x", 0.9, 0.1, 0.2, 0.5), named("y", -3, 0, 7, 1), named("z", float("nan"), 0, 1, 1), named("w", 0.5, 0.5, 0.5, 0.5)]
    many = [named("@everyone <@123> " * 500, at / 5000, 0, 1, 1) for at in range(5000)]
    marks = marks_of([*wrong, *many])
    assert len(marks) == MOST
    assert all(0 <= left < right <= 1002 and 0 <= top < bottom <= 1002 and len(label) < 60 for left, top, right, bottom, label in marks)


async def test_a_mark_on_a_picture_of_one_pixel() -> None:
    drawn = draw(Image.new("RGB", (1, 1), "white"), marks_of([named("a thing", 0, 0, 1, 1), named("b", 0.99, 0.99, 1, 1)]))
    assert drawn.size == (1, 1)
    drawn.save(BytesIO(), "JPEG")
