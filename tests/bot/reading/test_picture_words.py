"""The first user's question: a screenshot of code, "what is the bug?". What the engine is asked holds exactly what `/read` shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from io import BytesIO

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import select

from adapters.evaluation.reading_pages import matplotlib_font
from bot.errors import Refusal
from bot.reading.reader import PictureReader, ReadingLimits
from bot.store import graph
from bot.store.tables import PictureRow
from engine.writing import fenced, quote_writing, quoted_writing
from tests.bot.hostile import encode
from tests.bot.rig import Rig, ScriptedEngine, attachment, running, spoken

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_spec("rapidocr") is None, reason="the extra `reading` is not installed"),
]

CODE = """\
def average(numbers):
    total = 0
    for number in numbers:
        total += number
    return total"""


def screenshot(text: str = CODE) -> bytes:
    font = ImageFont.truetype(str(matplotlib_font("DejaVuSansMono.ttf")), 15)
    picture, data = Image.new("RGB", (300, 140), "white"), BytesIO()
    for at, line in enumerate(text.split("\n")):
        ImageDraw.Draw(picture).text((12, 12 + 22 * at), line, "black", font)
    picture.save(data, "PNG")
    return data.getvalue()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader() -> AsyncIterator[PictureReader]:
    """One child for all tests of this file."""
    found = PictureReader(ReadingLimits(seconds=120))
    yield found
    await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(reader: PictureReader, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    home = tmp_path_factory.mktemp("bot")
    engine = ScriptedEngine(lambda request: ["I see."])
    engine.gate.set()
    async with running(f"sqlite:///{home / 'gander.db'}", home, engine, reader=reader) as rig:
        yield rig


async def test_the_engine_is_told_what_read_shows_in_english_and_chinese(rig: Rig) -> None:
    asked = await rig.say("What is the bug?", attachments=(attachment(screenshot()),))
    await rig.finals(1)
    await rig.press("read")
    shown = (await rig.finals(2))[-1]
    assert shown == fenced(CODE)
    assert spoken(rig.engine.requests[-1]) == [f"{quote_writing(CODE)}What is the bug?"]
    await rig.say("这段代码有什么问题？", attachments=(attachment(screenshot()),))
    await rig.finals(3)
    assert quoted_writing(spoken(rig.engine.requests[-1])[-1]) == (CODE, "这段代码有什么问题？")
    assert asked.id


async def test_words_are_kept_beside_the_picture_and_forgotten_with_it(rig: Rig) -> None:
    await rig.say("What is the bug?", attachments=(attachment(screenshot("password = 'swordfish'\nlogin(password)\nprint('done')")),))
    await rig.until(lambda: any("swordfish" in text for request in rig.engine.requests for text in spoken(request)))
    kept = await rig.database.read(lambda connection: connection.execute(select(PictureRow.sha256, PictureRow.words)).all())
    row = next(each for each in kept if each.words and "swordfish" in each.words)
    assert await rig.database.read(graph.words_in, row.sha256) == row.words
    before = len(rig.chat.finals())
    await rig.press("forget", asker="ann")
    await rig.finals(before + 1)
    assert await rig.database.read(graph.words_in, row.sha256) is None
    assert b"swordfish" not in b"".join(file.read_bytes() for file in rig.files.path("").parent.rglob("*") if file.is_file())


async def test_a_picture_without_writing_says_so_and_adds_nothing_to_the_question(rig: Rig) -> None:
    before = len(rig.chat.finals())
    await rig.say("What does it say?", attachments=(attachment(encode(Image.effect_noise((80, 60), 30).convert("RGB"), "PNG")),))
    await rig.finals(before + 1)
    await rig.press("read")
    assert (await rig.finals(before + 2))[-1] == "I find no writing in this picture."
    assert spoken(rig.engine.requests[-1]) == ["What does it say?"]


async def test_a_reader_without_room_or_time_is_said_and_starts_anew() -> None:
    cramped = PictureReader(ReadingLimits(memory=1 << 28))
    with pytest.raises(Refusal) as refused:
        await cramped.read(screenshot())
    assert refused.value.key in {"read.not_here", "read.too_much_memory"}
    await cramped.close()
