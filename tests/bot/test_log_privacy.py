"""A whole bot through good and bad days, and nothing of what people said in its log."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bot.config.logging import configure_logs
from bot.config.schema import LoggingOptions
from bot.errors import AnswerLost, DeliveryError, EngineRefused
from engine.api import ChatRequest
from tests.bot.hostile import encode
from tests.bot.rig import ScriptedEngine, asked, attachment, running


def replies(request: ChatRequest) -> Sequence[str | Exception]:
    """Answers with gossip; refuses and breaks off where it is told to."""
    question = asked(request)
    if "refuse" in question:
        return (EngineRefused("too long"),)
    if "break" in question:
        return ("half the gossip", AnswerLost("gone"))
    return ("the gossip",)


async def test_what_people_say_is_not_logged_at_the_default_level(database_url: str, tmp_path: Path) -> None:
    stream = io.StringIO()
    configure_logs(LoggingOptions(), stream=stream)
    engine = ScriptedEngine(replies)
    engine.gate.set()
    async with running(database_url, tmp_path, engine) as rig:
        rig.chat.failures.append(DeliveryError("the platform is busy", retry_after=0.01))
        await rig.say("is that my goose?", attachments=(attachment(encode(Image.new("RGB", (8, 8)), "PNG")),))
        await rig.finals(1)
        for question in ("refuse my goose", "break my goose", "and this goose?"):
            await rig.say(question)
        await rig.say("look at this goose", attachments=(attachment(b"no goose at all"),))
        await rig.press("temperature", value="goose")
        await rig.press("ask", prompt="goose?", temperature="goose")
        await rig.finals(7)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    taken, made = ({event["job"] for event in events if event["event"] == name} for name in ("question_taken", "answer_made"))
    assert taken >= made > set()  # one id from the platform's message to the answer
    assert any(event["event"] == "refused" for event in events)
    for secret in ("goose", "gossip"):
        assert secret not in stream.getvalue()
