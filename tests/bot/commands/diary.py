"""What commands want done, written down instead of done; and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.answer_settings import VariedSetting
from bot.command_registry import CommandRunner
from bot.commands.actions import Demos
from bot.engines.engine import EngineState
from bot.errors import Refusal
from bot.message import Incoming, Value
from bot.platform import Outgoing
from bot.questions.film_sheet import FilmSheet
from bot.queue_status import QueueStatus
from bot.reading.picture_words import PictureReading
from bot.regions import Region
from bot.store.forgetting import ForgetPreview, Forgotten
from bot.texts import load_texts
from engine.api import Health

TEXTS = load_texts()


READY = Health(
    status="ready",
    model="pocket",
    device="cuda:0",
    memory_bytes=3 << 30,
    rows=8,
    defaults={"temperature": 0.6},
    notice="A goose.",
    fallback="gemma3",
    picture_detail="low",
)


NOTHING_READ = PictureReading("")
EMPTY = QueueStatus(0, 0, None, ())


@dataclass
class Diary:
    """The bot's actions, written down instead of done."""

    done: list[tuple[Any, ...]] = field(default_factory=list)
    said: list[Outgoing] = field(default_factory=list)
    stopped: int = 0
    line: QueueStatus = EMPTY
    findings: tuple[str, ...] = ()
    reading: PictureReading = NOTHING_READ
    states: tuple[EngineState, ...] = (EngineState("http://secret.example", READY, 2),)

    async def ask(self, incoming: Incoming, question: str, request: Mapping[str, Value]) -> None:
        self.done.append(("ask", question, dict(request)))

    async def zoom(self, incoming: Incoming, question: str, region: Region) -> None:
        self.done.append(("zoom", question, region))

    async def steps(self, incoming: Incoming, question: str) -> None:
        self.done.append(("steps", question))

    async def find(self, incoming: Incoming, thing: str, question: str) -> None:
        self.done.append(("find", thing, question))

    async def how(self, incoming: Incoming, answer_id: int | None, language: str) -> Outgoing:
        self.done.append(("how", answer_id, language))
        return Outgoing("So it came about.", private=True)

    async def zoom_grid(self, incoming: Incoming, question: str, language: str) -> Outgoing:
        raise NotImplementedError("grids are tested with a whole bot")

    async def zoom_cell(self, incoming: Incoming, name: str) -> None:
        self.done.append(("zoom_cell", name))

    async def pick(self, incoming: Incoming, name: str) -> None:
        self.done.append(("pick", name))

    async def again(self, incoming: Incoming, answer_id: int | None, request: Mapping[str, Value]) -> None:
        self.done.append(("again", answer_id, dict(request)))

    async def resume(self, incoming: Incoming, answer_id: int | None) -> None:
        self.done.append(("resume", answer_id))

    async def frames(self, incoming: Incoming) -> FilmSheet:
        raise NotImplementedError("films are tested with a whole bot")

    async def ask_frames(self, incoming: Incoming, question: str, count: int) -> None:
        self.done.append(("frames", question, count))

    async def read(self, incoming: Incoming) -> PictureReading:
        return self.reading

    async def stop(self, incoming: Incoming, answer_id: int | None) -> int:
        self.done.append(("stop", answer_id))
        return self.stopped

    async def reset(self, incoming: Incoming) -> None:
        self.done.append(("reset",))

    async def held(self, incoming: Incoming, person: str | None, *, channel: bool) -> ForgetPreview:
        return ForgetPreview(4, 2, (("*Ann*", 2),))

    async def forget(self, incoming: Incoming) -> Forgotten:
        self.done.append(("forget",))
        return Forgotten(4, 2)

    async def forget_here(self, incoming: Incoming, person: str | None) -> Forgotten:
        self.done.append(("forget_here", person))
        return Forgotten(4, 2)

    async def compare(self, incoming: Incoming, question: str, varied: VariedSetting) -> None:
        self.done.append(("compare", question, varied))

    async def queue(self, incoming: Incoming) -> QueueStatus:
        return self.line

    async def follow_line(self, incoming: Incoming, words: Callable[[QueueStatus], Outgoing]) -> None:
        self.said.append(words(self.line))

    @property
    def demos(self) -> Demos:
        raise NotImplementedError("demos are tested with a whole bot")

    def file_bytes(self, incoming: Incoming) -> int | None:
        return None

    def announce(self, incoming: Incoming, message: Outgoing) -> None:
        self.said.append(message)

    def tell_privately(self, incoming: Incoming, message: Outgoing) -> bool:
        self.said.append(message)
        return False

    async def engines(self) -> tuple[EngineState, ...]:
        return self.states

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        return self.findings


async def refusal(runner: CommandRunner, diary: Diary, incoming: Incoming) -> tuple[str, dict[str, Any]]:
    with pytest.raises(Refusal) as refused:
        await runner.run(incoming, diary)
    assert TEXTS.render("en", refused.value.key, **refused.value.values)
    return refused.value.key, refused.value.values


async def say(runner: CommandRunner, diary: Diary, incoming: Incoming) -> str:
    """What the command says to this person alone."""
    outgoing = await runner.run(incoming, diary) or diary.said.pop()
    assert outgoing.private
    return outgoing.text
