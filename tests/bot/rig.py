"""A whole bot for tests: every part real, on a chat in memory and an engine that says what the test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Literal

from PIL import Image

from bot.access.permissions import Access
from bot.access.policy_store import PolicyStore
from bot.access.rate_limits import PersonLimits
from bot.command_registry import CommandRunner
from bot.config.schema import AccessOptions, LimitOptions
from bot.errors import DeliveryError, EngineRefused, EngineUnavailable, MessageFrozen, MessageGone, NotPrivate, PlaceGone, TextBlocked
from bot.event_handler import EventHandler, Resources
from bot.media.decoder_pool import MIB, Decoders, DecodingLimits
from bot.media.intake import FileLimits, Intake, Sampler
from bot.message import Address, Attachment, Author, Incoming, Invocation, Place, Reply
from bot.platform import EditBudget, Limits, Outgoing
from bot.reading.reader import WritingReader
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import Database, open_database
from bot.store.pictures import PictureFiles
from bot.texts import load_texts
from engine.api import ChatRequest, Chunk, ChunkChoice, Delta, Health, ImagePart, Usage
from engine.explanation import ExplainedAnswer, ExplainRequest
from tests.bot.hostile import encode
from tests.bot.samples import ANN, PLACE

GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")
DUCK = encode(Image.new("RGB", (20, 10), "brown"), "PNG")
EVERYBODY = AccessOptions(everyone=True)
# A simulated platform may live at a time of its own.
UNHURRIED = LimitOptions(burst=1_000, cooldown_seconds=0, questions_per_person=1_000, questions_overall=1_000, answer_hours=0)


@dataclass
class Chat:
    """A platform in memory: what a person would see, message by message."""

    name: str = "web"
    limits: Limits = field(default_factory=lambda: Limits(text=200, budget=EditBudget(1_000, 1.0)))
    messages: dict[str, Outgoing] = field(default_factory=dict)
    replies: dict[str, str | None] = field(default_factory=dict)
    failures: list[DeliveryError] = field(default_factory=list)  # raised by the next calls, one each
    places: dict[str, Place] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)  # messages that can't be changed
    unspeakable: str = ""  # a word that the place's moderation blocks
    lost: int = 0  # of the next sends so many are carried out, and nobody hears of it
    nonces: dict[str, str] = field(default_factory=dict)
    ids: count[int] = field(default_factory=lambda: count(1))
    calls: list[float] = field(default_factory=list)  # when it was called, in seconds

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        self._fail(message, place)
        if self.limits.deduplicates and nonce in self.nonces:
            return self.nonces[nonce]
        name = self.nonces[nonce] = f"bot{next(self.ids)}"
        self.messages[name], self.replies[name], self.places[name] = message, reply_to, place
        if self.lost:
            self.lost -= 1
            raise DeliveryError("no reply", unheard=True)
        return name

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        self._fail(message)
        if message_id not in self.messages:
            raise MessageGone(f"{message_id} is gone")
        if message_id in self.frozen:
            raise MessageFrozen(f"{message_id} can't be changed")
        self.messages[message_id] = message

    async def delete(self, place: Place, message_id: str) -> None:
        del self.messages[message_id]

    async def typing(self, place: Place) -> None: ...

    def finals(self) -> list[str]:
        return [message.text for message in self.messages.values() if message.final]

    def answer(self, text: str) -> Outgoing:
        return next(message for message in self.messages.values() if message.final and message.text == text)

    def _fail(self, message: Outgoing, place: Place | None = None) -> None:
        if not message.text.strip():
            raise ValueError("no platform takes a message without a word")
        self.calls.append(monotonic())
        if self.failures:
            raise self.failures.pop(0)
        if self.unspeakable and self.unspeakable in message.text:
            raise TextBlocked("blocked")


@dataclass
class Lobby(Chat):
    """A chat where a person can be told something alone, while there is a way to, and where the bot can write to people."""

    wayless: set[str] = field(default_factory=set)  # events that can't be replied to so any more
    shut: bool = False  # people take no messages
    private_messages: set[str] = field(default_factory=set)  # the messages that one person alone sees

    def can_reply_privately(self, event: str) -> bool:
        return True

    async def reply_privately(self, place: Place, message: Outgoing, *, event: str, nonce: str) -> str:
        if event in self.wayless:
            raise NotPrivate("no way is left")
        name = await self.send(place, message, reply_to=event, nonce=nonce)
        self.private_messages.add(name)
        return name

    async def private_place(self, person: str) -> Place:
        return Place(self.name, f"chat with {person}", private=True)

    def public(self) -> list[Outgoing]:
        """What everybody sees."""
        return [message for name, message in self.messages.items() if name not in self.private_messages and not self.places[name].private]

    def _fail(self, message: Outgoing, place: Place | None = None) -> None:
        super()._fail(message, place)
        if self.shut and place and place.private:
            raise PlaceGone("no messages, please")


@dataclass
class ScriptedEngine:
    """Answers with what `reply` makes of a request: words, and errors in between. Waits while `gate` is closed."""

    reply: Callable[[ChatRequest], Iterable[str | Exception]]
    name: str = "http://scripted"
    rows: int = 4
    finish: str = "stop"
    requests: list[ChatRequest] = field(default_factory=list)
    forgotten: list[tuple[str, ...]] = field(default_factory=list)  # pictures of each call
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0  # that ever ran at once
    away: bool = False
    waiting: int = 0  # as it was told
    explained: ExplainedAnswer | None = None  # what it says of every answer; None: it explains nothing

    def note_waiting(self, questions: int) -> None:
        self.waiting = questions

    async def health(self) -> Health:
        if self.away:
            raise EngineUnavailable("away")
        return Health(status="ready", model="scripted", device="none", memory_bytes=0, rows=self.rows, explains=self.explained is not None)

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        self.requests.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for word in self.reply(request):
                await self.gate.wait()
                if isinstance(word, Exception):
                    raise word
                yield self._chunk(ChunkChoice(delta=Delta(content=word)))
            await self.gate.wait()
            ended = ChunkChoice.model_validate({"finish_reason": self.finish})
            yield self._chunk(ended).model_copy(update={"usage": Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15)})
        finally:
            self.running -= 1

    async def explain(self, request: ExplainRequest) -> ExplainedAnswer:
        if self.explained is None:
            raise EngineRefused("It can't say.")
        self.requests.append(request)
        return self.explained

    async def forget(self, sha256s: Sequence[str]) -> None:
        if self.away:
            raise EngineUnavailable("away")
        self.forgotten.append(tuple(sha256s))

    def _chunk(self, choice: ChunkChoice) -> Chunk:
        return Chunk(id="c", created=0, model="scripted", choices=(choice,))


class Valve(asyncio.Event):
    """A gate that lets so many words through as it is told to, and all once it is `set`."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self._left = asyncio.Semaphore(words)

    def let(self, words: int) -> None:
        """So many more."""
        for _ in range(words):
            self._left.release()

    async def wait(self) -> Literal[True]:
        if not self.is_set():
            waiting = [asyncio.ensure_future(each) for each in (self._left.acquire(), super().wait())]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in waiting:
                each.cancel()
        return True


def asked(request: ChatRequest) -> str:
    """The words of the newest question."""
    content = request.messages[-1].content
    return content if isinstance(content, str) else "".join(part.text for part in content if part.type == "text")


def echo(request: ChatRequest) -> Sequence[str | Exception]:
    return ("You asked: ", asked(request))


@dataclass
class Rig:
    core: EventHandler
    chat: Chat
    engine: ScriptedEngine
    database: Database
    files: PictureFiles
    task: asyncio.Task[None]
    ids: count[int] = field(default_factory=lambda: count(1))

    async def say(self, text: str = "", *, author: Author = ANN, reply_to: Reply | None = None, **more: object) -> Incoming:
        """A message to the bot, handled."""
        incoming = message(f"m{next(self.ids)}", text, author=author, reply_to=reply_to, **more)
        await self.core.handle(incoming)
        return incoming

    async def press(self, command: str, *, author: Author = ANN, **options: str | int) -> None:
        await self.say(author=author, address=Address.COMMAND, command=Invocation(command, options))

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not seen():
                if self.task.done():
                    await self.task  # tells why the bot ended
                await asyncio.sleep(0.005)

    async def finals(self, number: int) -> list[str]:
        """The last words of everything, once there are so many."""
        await self.until(lambda: len(self.chat.finals()) >= number)
        return self.chat.finals()


def message(name: str, text: str = "", **more: object) -> Incoming:
    told: dict[str, object] = {"place": PLACE, "author": ANN, "address": Address.MENTION, "sent_at": datetime.now(UTC), **more}
    return Incoming(id=name, text=text, **told)  # type: ignore[arg-type]  # the tests' own words


def attachment(data: bytes, *, spoiler: bool = False) -> Attachment:
    async def read() -> AsyncIterator[bytes]:
        yield data

    return Attachment("goose.png", read, len(data), "image/png", spoiler)


@asynccontextmanager
async def running(
    url: str,
    home: Path,
    engine: ScriptedEngine,
    chat: Chat | None = None,
    limits: LimitOptions = UNHURRIED,
    idle_seconds: float = 1_800.0,
    access: AccessOptions = EVERYBODY,
    name: str = "gander",
    watched: Callable[[Database], Database] = lambda database: database,
    reader: WritingReader | None = None,
    films: Sampler | None = None,
    shares_engines: bool = False,
) -> AsyncIterator[Rig]:
    """A bot that runs until the end of the block, when it stops as a killed one does: at once. It uses its database as `watched`."""
    database = watched(await open_database(url))
    texts, chat, decoders = load_texts(), chat or Chat(), Decoders(DecodingLimits())
    policies = PolicyStore(database, access, limits)
    settings = ScopedSettings(database, texts, {}, policies)
    files = PictureFiles(home / "pictures", home / "engine" / "pictures", originals=50 * MIB)
    resources = Resources(
        database=database,
        files=files,
        engines=[engine],
        intake=Intake(FileLimits(), decoders, films),
        settings=settings,
        permissions=Access(policies),
        limits=PersonLimits(limits, policies),
        commands=CommandRunner(settings, policies, texts),
        texts=texts,
        exports=home / "exports",
        idle_seconds=idle_seconds,
        name=name,
        reader=reader,
        shares_engines=shares_engines,
    )
    core = EventHandler(resources)
    task = asyncio.create_task(core.run())
    core.attach(chat)
    try:
        yield Rig(core, chat, engine, database, files, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await decoders.close()
        await database.close()


def pictures(request: ChatRequest) -> int:
    contents = [message.content for message in request.messages if not isinstance(message.content, str)]
    return sum(isinstance(part, ImagePart) for content in contents for part in content)


def spoken(request: ChatRequest) -> list[str]:
    texts = []
    for message in request.messages:
        content = message.content
        texts.append(content if isinstance(content, str) else "".join(part.text for part in content if part.type == "text"))
    return texts
