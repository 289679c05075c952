"""What a command may do: the bot's side of `/command`. Tests put a recorder in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from bot.answer_settings import VariedSetting
from bot.demo.summary import Summary
from bot.engines.engine import EngineState
from bot.message import Incoming, Value
from bot.platform import Outgoing
from bot.questions.film_sheet import FilmSheet
from bot.queue_status import QueueStatus
from bot.reading.picture_words import PictureReading
from bot.regions import Region
from bot.store.demos import Demo
from bot.store.forgetting import ForgetPreview, Forgotten


class Demos(Protocol):
    """What a command may do about demonstrations."""

    async def start(self, incoming: Incoming, prompt: str, slow_seconds: float, language: str) -> Demo:
        """Every picture that is posted in this channel from now on is asked about with `prompt`."""
        ...

    async def stop(self, incoming: Incoming) -> Demo:
        """Refusal `demo.none` where none runs."""
        ...

    async def newest(self, incoming: Incoming) -> Demo:
        """The one that runs here, or the last one that did. Refusal `demo.none`."""
        ...

    async def summarize(self, demo: Demo) -> Summary: ...

    async def export(self, demo: Demo) -> tuple[Path, ...]:
        """Files with all of it that was not hidden. Refusal `demo.not_written` where the disk takes none."""
        ...

    def wall(self, demo: Demo) -> str:
        """The wall's address; empty: no page is served."""
        ...

    async def vote(self, incoming: Incoming, answer: int | None, column: int) -> None:
        """One vote a person and answer (None: the newest here): again for the same column takes it back. Refusal `answer.unknown`."""
        ...


class Actions(Protocol):
    """What a command may do. `answer_id` None = the newest answer to this person in this place.

    Pressing another person's button is refused here, unless the presser moderates the channel.
    """

    async def ask(self, incoming: Incoming, question: str, request: Mapping[str, Value]) -> None:
        """Enqueue a question, with `incoming`'s pictures and reply link. `request` holds settings of this one question."""
        ...

    async def compare(self, incoming: Incoming, question: str, varied: VariedSetting) -> None:
        """As `ask`: the question is answered once with each value, side by side."""
        ...

    async def zoom(self, incoming: Incoming, question: str, region: Region) -> None:
        """As `ask`, looking closer at a part of the picture."""
        ...

    async def steps(self, incoming: Incoming, question: str) -> None:
        """As `ask`: the question is answered by a short program over the picture, where one fits."""
        ...

    async def zoom_grid(self, incoming: Incoming, question: str, language: str) -> Outgoing:
        """A message that asks which part of the picture is meant, with nine buttons. Refusal `zoom.no_picture`."""
        ...

    async def zoom_cell(self, incoming: Incoming, name: str) -> None:
        """Ask what waits for its part to be chosen. Refusals `ask.choice_gone`, `answer.not_yours`."""
        ...

    async def find(self, incoming: Incoming, thing: str, question: str) -> None:
        """As `ask`: where `thing` is in the picture. Refusal `find.no_places` where no engine's model says such things."""
        ...

    async def pick(self, incoming: Incoming, name: str) -> None:
        """Ask what waits for its picture to be chosen, about the one of this name. Refusals `ask.choice_gone`, `answer.not_yours`."""
        ...

    async def again(self, incoming: Incoming, answer_id: int | None, request: Mapping[str, Value]) -> None:
        """Answer the same question once more, as a branch beside the first answer."""
        ...

    async def resume(self, incoming: Incoming, answer_id: int | None) -> None:
        """Go on with an answer that ran into its token limit. Refusal `nothing_to_continue` otherwise."""
        ...

    async def frames(self, incoming: Incoming) -> FilmSheet:
        """The frames of the film of what this event replies to, or of the conversation here. Refusals `frames.…`."""
        ...

    async def ask_frames(self, incoming: Incoming, question: str, count: int) -> None:
        """As `ask`, with so many frames of the film of this event, of what it replies to, or of the conversation here. Refusals
        `frames.…`."""
        ...

    async def read(self, incoming: Incoming) -> PictureReading:
        """What is written in the picture of this event, of what it replies to, or of the conversation here. Refusals `read.…`."""
        ...

    async def how(self, incoming: Incoming, answer_id: int | None, language: str) -> Outgoing:
        """How anybody's answer in this place came about, as a picture and in words. Refusals `how.…`, `answer.unknown`."""
        ...

    async def stop(self, incoming: Incoming, answer_id: int | None) -> int:
        """Stop one answer, or all of this person's in this place; how many. What was said so far stays."""
        ...

    async def reset(self, incoming: Incoming) -> None:
        """The next message here starts a new conversation (of this person only, where memory is personal)."""
        ...

    async def forget(self, incoming: Incoming) -> Forgotten:
        """Delete what this person wrote and showed, everywhere, and the answers to it."""
        ...

    async def held(self, incoming: Incoming, person: str | None, *, channel: bool) -> ForgetPreview:
        """What would be forgotten: of this person here, of all in this channel, or else of who asks. Refusal as `forget_here`."""
        ...

    async def forget_here(self, incoming: Incoming, person: str | None) -> Forgotten:
        """Delete what was said in this channel, or what one person (by the platform's id) said on this server.

        Refusal `forget.not_yours` for those who do not moderate the channel.
        """
        ...

    async def queue(self, incoming: Incoming) -> QueueStatus: ...

    async def follow_line(self, incoming: Incoming, words: Callable[[QueueStatus], Outgoing]) -> None:
        """Say `words` of the queue, and keep it true until they are final."""
        ...

    @property
    def demos(self) -> Demos: ...

    def file_bytes(self, incoming: Incoming) -> int | None:
        """The most that the files of one message may take where this comes from; None = any."""
        ...

    def announce(self, incoming: Incoming, message: Outgoing) -> None:
        """Say something to all who are there."""
        ...

    def tell_privately(self, incoming: Incoming, message: Outgoing) -> bool:
        """Say something to this person alone; True: in their private chat, since the platform knows no other way."""
        ...

    async def engines(self) -> tuple[EngineState, ...]: ...

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        """What keeps the bot from answering this person here: keys of texts without values."""
        ...
