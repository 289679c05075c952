"""A film is asked about by its frames in their order, with their times; `/frames` shows what the model saw."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from bot.conversation import films, with_fewer_frames
from bot.errors import EngineRefused
from bot.media.films import FilmFrames, FilmSampling
from bot.message import Address, Invocation
from bot.store.graph import Turn
from engine.api import ChatRequest
from tests.bot.media.test_films import film
from tests.bot.rig import ScriptedEngine, attachment, echo, pictures, running, spoken

pytestmark = pytest.mark.skipif(find_spec("av") is None, reason="the extra `films` is not installed")


async def test_the_engine_sees_the_frames_in_order_and_frames_shows_them(tmp_path: Path) -> None:
    def answer(request: ChatRequest) -> list[str | Exception]:
        too_long = spoken(request)[-1].endswith("What happens?") and pictures(request) > 2
        return [EngineRefused("context", too_long=True)] if too_long else list(echo(request))

    engine, frames = ScriptedEngine(answer), FilmFrames(FilmSampling())
    engine.gate.set()
    async with running(f"sqlite:///{tmp_path / 'gander.db'}", tmp_path, engine, films=frames) as rig:
        await rig.say("What happens?", attachments=(attachment(film("mpeg4", "mp4")),))
        await rig.finals(1)
        first, second = engine.requests
        times = "First, at 0.5 s:Then, at 1.5 s:After that, at 2.5 s:Finally, at 3.5 s:What happens?"
        assert (pictures(first), spoken(first)) == (4, [times])
        # A window that is too small for all has every second one.
        assert (pictures(second), spoken(second)) == (2, ["First, at 0.5 s:Finally, at 2.5 s:What happens?"])
        assert [part.type for part in first.messages[0].content if not isinstance(part, str)] == ["text", "image_url"] * 4 + ["text"]
        await rig.press("frames")
        await rig.until(lambda: any(message.files for message in rig.chat.messages.values()))
        [sheet] = [message for message in rig.chat.messages.values() if message.files]
        assert sheet.text == "What I saw of the film: 0.5 s, 1.5 s, 2.5 s, 3.5 s"
        with Image.open(sheet.files[0]) as drawn:
            red, yellow = (drawn.convert("RGB").crop((at, at, at + 1, at + 1)).tobytes() for at in (160, 490))
        assert red[0] > 200 > red[1]
        assert min(yellow[:2]) > 200 > yellow[2]
        await rig.press("frames", count=3, prompt="And closer?")
        await rig.finals(3)
        assert spoken(engine.requests[2])[-1] == "First, at 0.6 s:Then, at 2.0 s:Finally, at 3.3 s:And closer?"
        await rig.press("frames", count=33)
        await rig.until(lambda: any("from 1 to 32" in text for text in rig.chat.finals()))
        for kept in (tmp_path / "pictures" / "originals").iterdir():
            kept.unlink()
        await rig.press("frames", count=16)
        await rig.until(lambda: any("any more" in text for text in rig.chat.finals()))
        sent = attachment(film("mpeg4", "mp4"))
        await rig.say(address=Address.COMMAND, command=Invocation("frames", {"count": "32"}), attachments=(sent,))
        await rig.until(lambda: len(engine.requests) == 4)
        assert pictures(engine.requests[3]) == 32
        await rig.press("reset")
        await rig.press("frames")
        await rig.until(lambda: any("There is no film here" in text for text in rig.chat.finals()))
    await frames.close()


def test_films_among_pictures_are_told_apart() -> None:
    assert films([None, 0.5, 1.5, 0.2, 0.9, None, 3.0]) == [[(1, 0.5), (2, 1.5)], [(3, 0.2), (4, 0.9)], [(6, 3.0)]]
    turn = Turn(1, "c", "web:ann", "user", "?", None, False, ("a", "b", "c"), ("t",) * 3, (None, 0.5, 1.5), (None,) * 3)
    [thinner] = with_fewer_frames([turn])
    assert (thinner.sha256s, thinner.seconds) == (("a", "b"), (None, 0.5))
