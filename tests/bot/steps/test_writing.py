"""Programs that a real model writes, as they come over the wire of another project's server: good ones, bad ones, hostile ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import Image

from bot.platform import Outgoing
from bot.steps.language import SCHEMA
from bot.steps.writing import TASK
from tests.bot.hostile import encode
from tests.bot.other_servers import OtherServer, bot_on, ending, words
from tests.bot.rig import Rig, attachment

GOOD = {"program": ['reds = find(picture, "red squares")', "number = count(reds)"], "answer": "number"}
PROGRAMS: Mapping[str, Sequence[Mapping[str, Any]]] = {  # by what is asked
    "JSON?": [*words(*json.dumps(GOOD)), ending()],
    "Lines?": [*words("Here you are:\n```\n", "\n".join(GOOD["program"]), "\nanswer(number)\n```"), ending()],
    "Half?": [*words('{"program": ["reds = find(picture, '), ending(finish_reason="length")],
    "Python?": [*words('import os\nx = __import__("os").system("id")\nanswer(x)'), ending()],
    "Many?": [
        *words(json.dumps({"program": [f'a{at} = find(picture, "geese")' for at in range(5)], "answer": "a4"})),
        ending(),
    ],
    "Long?": [*words("goose = goose\n" * 20) * 400, ending()],
}


@dataclass
class Writer(OtherServer):
    """Writes these programs, counts two of everything, and says plainly what else it is asked."""

    schemas: list[Any] = field(default_factory=list)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        content = sent["messages"][-1]["content"]
        said = content if isinstance(content, str) else content[-1]["text"]
        if said.startswith(TASK):
            self.schemas.append(sent["response_format"]["json_schema"]["schema"])
            self.events = PROGRAMS[said.removeprefix(TASK).strip()]
        else:
            self.events = [*words("There are 2." if said.startswith("How many") else "plain"), ending()]
        return await super()._complete(request)


def ended(rig: Rig) -> list[Outgoing]:
    """The ends of the answers with a small line: those to `/steps`."""
    return [message for message in rig.chat.messages.values() if message.answer_id and message.final and message.footer]


async def test_programs_over_the_wire_are_run_or_fallen_back_from(tmp_path: Path) -> None:
    """The picture is so large that each `find` looks nine times: five of them are over the limit of 40."""
    server = Writer()
    async with bot_on(server, tmp_path) as rig:
        await rig.say("Look.", attachments=(attachment(encode(Image.new("RGB", (2600, 60), "white"), "PNG")),))
        await rig.finals(1)
        for count, question in enumerate(PROGRAMS, start=1):
            await rig.press("steps", prompt=question)
            await rig.until(lambda count=count: len(ended(rig)) == count)  # type: ignore[misc]
        answers = ended(rig)
    by_model, plain = ("18", "a program of the model's"), ("plain", "Answered without steps")
    wanted = dict(zip(PROGRAMS, [by_model, by_model, plain, plain, plain, plain], strict=True))
    assert {
        question: (answer.text, wanted[question][1] if wanted[question][1] in answer.footer else answer.footer)
        for question, answer in zip(PROGRAMS, answers, strict=True)
    } == wanted
    assert server.schemas == [SCHEMA] * len(PROGRAMS)
    assert len(server.requests) == 1 + len(PROGRAMS) + 2 * 9 + 40 + 4
