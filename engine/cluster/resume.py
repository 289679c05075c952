"""One answer from replicas that may die: what is missing is asked of another, and whoever reads along sees the answer go on.

The text so far goes along as the assistant's own words, and the new replica continues them (`continue_final_message`). A beam search,
whose text is chosen at its end, is made anew, and nothing is shown of it until it is as long as what was seen. What can't go on without
saying something twice, which is several choices at once or JSON that keeps to a schema, ends with an error: whoever asked, asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import structlog

from engine.api import ChatRequest, Message, TextPart
from engine.errors import EngineError, GenerationError, NotReadyError, RequestError
from engine.request import ChoiceFinished, Done, Event, Provisional, TextDelta

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 30.0  # after which a replica that had begun is taken for gone: it shows life every five
LIVES = 5  # replicas that may die of one request, before it is taken for the cause

log = structlog.get_logger()

Batch = tuple[Event | EngineError | None, ...]  # what a replica sends at once; None: it is alive and has nothing to say
Ask = Callable[[ChatRequest], AsyncGenerator[Batch]]  # raises ReplicaLost


class ReplicaLost(Exception):
    """The replica that was answering is gone, or can't be reached."""


@dataclass
class Progress:
    """How far an answer to `request` has come, over all replicas that worked on it. `limit`: tokens of an answer that names none itself."""

    request: ChatRequest
    limit: int
    text: str = ""
    tokens: int = 0  # counted in pieces of text, of which nearly every one is a token
    previewed: int = 0  # characters of a beam search's best text that were sent
    finished: list[ChoiceFinished] = field(default_factory=list)
    before: int = 0  # tokens that replicas wrote which are gone

    @property
    def ended(self) -> bool:
        """All that is missing are its counts."""
        return len(self.finished) == self.request.n

    @property
    def can_go_on(self) -> bool:
        if not self.text:
            return not self.finished
        return self.request.n == 1 and self.request.response_format is None and not self.previewed

    def rest(self) -> ChatRequest:
        """What is left to ask for."""
        if not self.text:
            return self.request
        asked = self.request
        messages = continued(asked, self.text)
        left = max(self.allowed - self.tokens, 1)
        changes = {"messages": messages, "continue_final_message": True, "max_tokens": left, "max_completion_tokens": None}
        return asked.model_copy(update={**changes, "min_tokens": max(asked.min_tokens - self.tokens, 0)})

    @property
    def allowed(self) -> int:
        return self.request.max_completion_tokens or self.request.max_tokens or self.limit

    def seen(self, event: Event) -> Event | None:
        """The event as the reader is to see it; None: it says less than was seen before."""
        match event:
            case TextDelta(_, text):
                self.text, self.tokens = self.text + text, self.tokens + 1
            case Provisional(_, text):
                if len(text) < self.previewed:
                    return None
                self.previewed = len(text)
            case ChoiceFinished():
                self.finished.append(event)
            case Done(prompt, written):
                return replace(event, prompt_tokens=max(prompt - self.before, 0), completion_tokens=written + self.before)
        return event

    def counts(self) -> Done:
        return Done(0, self.tokens, 0)


async def resumed(ask: Ask, request: ChatRequest, limit: int, lost_one: Callable[[], None] = lambda: None) -> AsyncGenerator[Event | None]:
    """The events of one answer; None while there is nothing to say. Calls `lost_one` for each replica that was lost. Raises EngineError."""
    progress = Progress(request, limit)
    for life in range(LIVES):
        try:
            asked = showing_life(ask(progress.rest()))
            async with aclosing(with_heartbeats(asked) if life else asked) as batches:
                async for event in events(batches, progress):
                    yield event
                    if isinstance(event, Done):
                        return
        except ReplicaLost as lost:
            lost_one()
            log.warning("replica lost", request_lives=life + 1, reason=str(lost), written=len(progress.text))
        if progress.ended:
            yield progress.counts()
            return
        if not progress.can_go_on:
            raise GenerationError("The replica that was answering is gone, and this answer can't go on in its middle: ask again.")
        if progress.text and progress.tokens >= progress.allowed:
            yield ChoiceFinished(0, "length")
            yield progress.counts()
            return
        progress.before = progress.tokens
    raise NotReadyError("Every replica that was asked is gone.", retry_after=10)


async def showing_life(batches: AsyncGenerator[Batch], seconds: float | None = None) -> AsyncGenerator[Batch]:
    """The same batches. Raises ReplicaLost where nothing follows the first for SILENT_SECONDS, or so long: its whole process hangs, and
    Ray, which finds that out too, might let it have two minutes more to end by itself.
    """
    begun = False
    async with aclosing(batches):
        while True:
            try:
                async with asyncio.timeout((seconds or SILENT_SECONDS) if begun else None):
                    batch = await following(batches)
            except TimeoutError:
                raise ReplicaLost("it shows no life") from None
            if not batch:
                return
            begun = True
            yield batch


async def with_heartbeats(batches: AsyncGenerator[Batch], seconds: float = HEARTBEAT_SECONDS) -> AsyncGenerator[Batch]:
    """Signs of life while the next replica has no room yet: whoever reads a begun answer takes silence for its end."""
    coming: asyncio.Task[Batch] | None = None
    try:
        while True:
            coming = coming or asyncio.create_task(following(batches))
            await asyncio.wait({coming}, timeout=seconds)
            if not coming.done():
                yield (None,)
                continue
            batch, coming = coming.result(), None
            if not batch:
                return
            yield batch
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})
        await batches.aclose()


async def following(batches: AsyncGenerator[Batch]) -> Batch:
    """The next batch; empty at the end."""
    async for batch in batches:
        return batch
    return ()


async def events(batches: AsyncGenerator[Batch], progress: Progress) -> AsyncGenerator[Event | None]:
    """One replica's events, as the reader is to see them. Raises EngineError, and ReplicaLost where they end before their end."""
    async for batch in batches:
        for event in batch:
            if isinstance(event, EngineError):
                raise as_loss(event, progress)
            if event is None:
                yield None
            elif (seen := progress.seen(event)) is not None:
                yield seen
    raise ReplicaLost("it ended the answer midway")


def as_loss(error: EngineError, progress: Progress) -> EngineError | ReplicaLost:
    """What an error of a replica means for the answer: one that stops in the middle of it is as good as gone."""
    if isinstance(error, NotReadyError) and (progress.text or progress.previewed):
        return ReplicaLost(str(error))
    if isinstance(error, RequestError) and progress.text:  # a model that can't continue a text refuses what nobody asked for
        return GenerationError(f"The replica that was answering is gone, and another can't go on: {error}")
    return error


def continued(request: ChatRequest, text: str) -> tuple[Message, ...]:
    """The conversation with the assistant's words so far at its end."""
    *earlier, last = request.messages
    if not request.continue_final_message:
        return (*request.messages, Message(role="assistant", content=text))
    content = last.content + text if isinstance(last.content, str) else (*last.content, TextPart(text=text))
    return (*earlier, last.model_copy(update={"content": content}))
