"""An answer as it grows on Discord: the best hypothesis of a beam search, typing, the footer, a broken engine, a quiet log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from bot.errors import AnswerLost, EngineRefused
from engine.api import ChatRequest, Chunk, ChunkChoice
from tests.adapters.discord.whole import GOOSE, Whole, labels, whole_bot
from tests.bot.looking.test_places import PointingEngine, named
from tests.bot.rig import ScriptedEngine, echo


class BeamSearch(ScriptedEngine):
    """Shows its best guess until it has decided."""

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        yield self._chunk(ChunkChoice.model_validate({"provisional": "Perhaps a duck"}))
        async for chunk in super().stream(request, request_id):
            yield chunk


async def test_with_beams_the_best_hypothesis_so_far_is_shown(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, engine=BeamSearch(lambda _: ["A goose."])) as whole:
        whole.engine.gate.clear()
        await whole.asks("/ask tell me a story beams:3")
        await whole.says("Perhaps a duck")
        assert labels(whole.server.said()[0]) == ["Stop"]
        whole.engine.gate.set()
        [answer] = await whole.ends(1)
    assert answer == "A goose.\n-# beams 3"
    assert whole.engine.requests[0].num_beams == 3
    assert len(whole.server.said()) == 1


async def test_stop_ends_it_and_keeps_what_was_said(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, engine=BeamSearch(lambda _: ["A goose."])) as whole:
        whole.engine.gate.clear()
        await whole.asks("tell me a story")
        await whole.says("Perhaps a duck")
        await whole.server.ann.click(whole.server.said()[0], label="Stop")
        [answer] = await whole.ends(1)
    assert answer.startswith("Perhaps a duck")
    assert "-# Stopped." in answer


async def test_what_is_found_is_shown_on_the_picture_below_the_answer(tmp_path: Path) -> None:
    engine = PointingEngine(echo, boxes=(named("a goose"),))
    async with whole_bot(tmp_path, engine=engine) as whole:
        await whole.asks("Look", attachments=[("goose.png", GOOSE)])
        await whole.says("In the picture")
        await whole.server.ann.slash(whole.server.channel, "find", thing="the goose")
        await whole.until(lambda: sum("In the picture" in message.content for message in whole.server.said()) == 2)
        marked = [message for message in whole.server.said() if "In the picture" in message.content]
    assert [(each.content, len(each.attachments)) for each in marked] == [("In the picture: 1 a goose", 1)] * 2
    assert engine.requests[-1].find == "the goose"


async def test_the_footer_has_the_settings_that_differ_and_only_those(whole: Whole) -> None:
    server = whole.server
    await whole.told(await server.ann.slash(server.channel, "temperature", value=0.2, scope="me"))
    await whole.asks("hello")
    assert await whole.ends(1) == ["You asked: hello\n-# temperature 0.2"]
    await whole.asks("hello", by=server.bob)
    assert (await whole.ends(2))[-1] == "You asked: hello"


async def test_again_takes_other_settings(whole: Whole) -> None:
    await whole.asks("hello")
    await whole.ends(1)
    await whole.server.ann.slash(whole.server.channel, "again", temperature=1.2)
    assert (await whole.ends(2))[-1] == "You asked: hello\n-# temperature 1.2"


def broken(request: ChatRequest) -> Sequence[str | Exception]:
    return [EngineRefused("num_beams is at most 4 here")] if len(request.messages) == 1 else [AnswerLost("gone")]


async def test_pain_no_traceback_is_posted_when_an_engine_fails(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, broken) as whole:
        await whole.asks("hello")
        assert await whole.ends(1) == ["That can't be answered: num_beams is at most 4 here"]
        assert not any("Traceback" in message.content for message in whole.server.said())


async def test_pain_what_people_write_stands_in_no_log(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    await whole.asks("my secret goose", attachments=[("secret.png", GOOSE)])
    await whole.ends(1)
    await whole.asks("", attachments=[("diary.txt", b"secret")])
    await whole.says("a film that I can read")
    logged = capsys.readouterr()
    assert "answer_made" in logged.out
    assert "secret" not in logged.out + logged.err
