"""A room with a demo in it: who presents, what is shown, and what people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PIL import Image

from bot.demo.wall import Wall, WallEntry
from bot.message import Address, Author
from bot.platform import AnswerColumn, Outgoing
from bot.store.demos import Demo, Entry, Shown
from engine.api import ChatRequest
from tests.bot.hostile import encode
from tests.bot.rig import Rig, asked, attachment
from tests.bot.samples import ANN

PRESENTER = Author("web", "pat", "Pat", manages=True)


def picture(colour: str) -> bytes:
    return encode(Image.new("RGB", (20, 10), colour), "PNG")


def texts(rig: Rig) -> list[str]:
    return [message.text for message in rig.chat.messages.values()]


async def show(rig: Rig, colour: str, author: Author = ANN) -> None:
    """Post a picture without addressing the bot."""
    await rig.say("look!", author=author, address=Address.OVERHEARD, attachments=(attachment(picture(colour)),))


async def start(rig: Rig, **options: str | float) -> None:
    await rig.press("demo", author=PRESENTER, action="start", **options)  # type: ignore[arg-type]  # the tests' own words
    await rig.until(lambda: any("To warm up" in text for text in texts(rig)))


def answered(rig: Rig, words: str) -> Outgoing | None:
    return next((message for message in rig.chat.messages.values() if message.final and words in message.text and message.actions), None)


DEMO = Demo(1, "discord:stage", "discord:pat", "code", "key", "What?", 0.0, "en", 0.0, None)


def wall(*entries: WallEntry) -> Wall:
    return Wall(DEMO, entries, 0, 0, 0.0, ())


def entry(number: int, text: str = "A goose.", *, hidden: bool = False) -> WallEntry:
    shown = Shown(number, number, "Ann", "What?", text, "stop", "", waits=False, asked_at=1.0, ended_at=3.0, hidden=hidden)
    return WallEntry(Entry(shown, (), Counter()), (AnswerColumn("", text),), "done", None)


def reply(request: ChatRequest) -> Sequence[str]:
    """Says which settings it was asked with."""
    return (f"{asked(request)} at {request.temperature} with {request.num_beams}",)
