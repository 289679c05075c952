"""What the core asks of its parts, and what commands may ask of the core: small Protocols, so that each is built and tested alone.

Everything that says no raises `Refusal` (bot/errors.py); the core tells the person. Keys are those of bot/message.py.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bot.demo.entries import Summary
from bot.errors import Fault
from bot.message import Attachment, Author, Incoming, Picture, Place
from bot.ports import Outgoing
from bot.store.demos import Demo
from engine.api import ChatRequest, Chunk, Health

Value = str | int | float | bool


class Memory(StrEnum):
    """What a message continues that replies to nothing."""

    SHARED = "shared"  # the place's newest conversation
    PERSONAL = "personal"  # the author's newest in this place
    REPLIES = "replies"  # nothing: always fresh


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """The settings of one answer, resolved. None = the model's own default."""

    temperature: float | None = None
    beams: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    length_penalty: float | None = None
    max_new_tokens: int | None = None
    language: str = "en"  # BCP 47: of the bot's own words, and of the answer where the model can
    memory: Memory = Memory.SHARED
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Varied:
    """A comparison: one question, answered once with each of these values of one setting."""

    setting: str
    values: tuple[Value, ...]

    def each(self, settings: AnswerSettings) -> tuple[AnswerSettings, ...]:
        """The settings of every column."""
        return tuple(replace(settings, **{self.setting: value}) for value in self.values)  # type: ignore[arg-type]  # SETTINGS types them


@dataclass(frozen=True, slots=True)
class Resolved:
    settings: AnswerSettings
    footer: str = ""  # what differs from the default, for the small line below the answer


@dataclass(frozen=True, slots=True)
class Load:
    """What waits or runs at the moment of asking, the question itself not counted."""

    mine: int  # this person's, everywhere
    overall: int


class Settings(Protocol):
    async def resolve(
        self, place: Place, author: Author, request: Mapping[str, Value], locale: str | None, *, varied: str = ""
    ) -> Resolved:
        """This request → me → channel → server → default, within the operator's caps. `varied` is left out of the footer."""
        ...

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        """The highest values that this person may set here, of the settings that are capped."""
        ...


class Permissions(Protocol):
    async def hears(self, incoming: Incoming) -> bool:
        """Whether this is for the bot at all; everything else is dropped without a word."""
        ...

    async def check(self, incoming: Incoming) -> None:
        """Refuse a person or a place that was not allowed."""
        ...

    async def moderates(self, incoming: Incoming) -> bool:
        """Whether this person may act on what others asked here."""
        ...

    async def follow(self, old: Place, new: Place) -> None:
        """A channel has another id: who was let in there still is."""
        ...


class RateLimits(Protocol):
    async def check(self, incoming: Incoming) -> None:
        """Too fast, or too old? Counts every event of a person when it was sent, commands too; in memory."""
        ...

    def admit(self, load: Load, incoming: Incoming) -> None:
        """Is there room in the queue for one more question of this person? Called inside the transaction."""
        ...


class Intake(Protocol):
    async def take(self, attachment: Attachment, whose: str = "") -> Picture:
        """Fetch, check, decode and clean one attachment of a person. The caller stores it."""
        ...


class Texts(Protocol):
    def on(self, platform: str) -> Texts:
        """The texts as they are said on this platform."""
        ...

    def say(self, language: str, key: str, **values: Value) -> str:
        """The bot's own words. An unknown language falls back to English; an unknown key is a KeyError."""
        ...


class Engine(Protocol):
    """One engine, by HTTP. Errors: EngineUnavailable, EngineRefused, AnswerLost."""

    @property
    def name(self) -> str:
        """Its address, without credentials."""
        ...

    async def health(self) -> Health: ...

    def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        """The answer's chunks, the last with `finish_reason` and usage. Closing the generator cancels on the engine.

        `request_id` stands in the engine's log.
        """
        ...


@dataclass(frozen=True, slots=True)
class InLine:
    """One question of a person that is not answered yet."""

    answer_id: int
    position: int  # 1 = next; 0 = being answered
    seconds: float | None  # estimated until something of its answer is shown; None = nothing measured yet


@dataclass(frozen=True, slots=True)
class Queue:
    waiting: int
    running: int
    tokens_per_second: float | None  # measured over all engines
    mine: tuple[InLine, ...]


@dataclass(frozen=True, slots=True)
class EngineState:
    name: str
    health: Health | None  # None = does not answer
    running: int
    fault: Fault | None = None  # why it will not, until somebody mends that


@dataclass(frozen=True, slots=True)
class Forgotten:
    messages: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Held:
    """What `/forget` would delete: messages with the answers to them, and pictures that nobody else showed."""

    messages: int
    pictures: int
    people: tuple[tuple[str, int], ...]  # the names of those who wrote it, with how many messages each; who wrote most comes first


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

    async def compare(self, incoming: Incoming, question: str, varied: Varied) -> None:
        """As `ask`: the question is answered once with each value, side by side."""
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

    async def stop(self, incoming: Incoming, answer_id: int | None) -> int:
        """Stop one answer, or all of this person's in this place; how many. What was said so far stays."""
        ...

    async def reset(self, incoming: Incoming) -> None:
        """The next message here starts a new conversation (of this person only, where memory is personal)."""
        ...

    async def forget(self, incoming: Incoming) -> Forgotten:
        """Delete what this person wrote and showed, everywhere, and the answers to it."""
        ...

    async def held(self, incoming: Incoming, person: str | None, *, channel: bool) -> Held:
        """What would be forgotten: of this person here, of all in this channel, or else of who asks. Refusal as `forget_here`."""
        ...

    async def forget_here(self, incoming: Incoming, person: str | None) -> Forgotten:
        """Delete what was said in this channel, or what one person (by the platform's id) said on this server.

        Refusal `forget.not_yours` for those who do not moderate the channel.
        """
        ...

    async def queue(self, incoming: Incoming) -> Queue: ...

    async def follow_line(self, incoming: Incoming, words: Callable[[Queue], Outgoing]) -> None:
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

    def confide(self, incoming: Incoming, message: Outgoing) -> bool:
        """Say something to this person alone; True: in their private chat, since the platform knows no other way."""
        ...

    async def engines(self) -> tuple[EngineState, ...]: ...

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        """What keeps the bot from answering this person here: keys of texts without values."""
        ...


class Commands(Protocol):
    def is_upkeep(self, incoming: Incoming) -> bool:
        """Whether this is a command for those who manage the place, from one of them: it works where the bot may not answer, too."""
        ...

    def asked(self, incoming: Incoming) -> tuple[str, Mapping[str, Value]] | None:
        """The words and the settings of the question that this is; None for any other command."""
        ...

    async def run(self, incoming: Incoming, actions: Actions) -> Outgoing | None:
        """Carry out `incoming.command` (a pressed button is one too). None = nothing to say: an answer will follow."""
        ...
