"""The engine's events as OpenAI's chat-completion chunks, and as whole completions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.api import (
    Alternative,
    AnswerMessage,
    BeamNode,
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    Logprobs,
    TokenLogprobs,
    Usage,
)
from engine.request import ChoiceFinished, Done, Event, Hypothesis, Provisional, TextDelta, TokenLogprob


@dataclass
class ChatChunks:
    """One answer as a stream of chunks; give it every event, in order. `include_usage` is as the request asks."""

    model: str
    include_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    _finished: list[ChoiceFinished] = field(default_factory=list)
    _begun: set[int] = field(default_factory=set)
    _texts: dict[int, str] = field(default_factory=dict)  # by choice

    def of(self, event: Event) -> Iterator[Chunk]:
        """What to send for `event`. Endings wait for `Done`: the last of them tells how many messages were dropped."""
        match event:
            case TextDelta(choice, text, scored):
                self._texts[choice] = self._texts.get(choice, "") + text
                yield self._chunk(ChunkChoice(index=choice, delta=self._delta(choice, text), logprobs=logprobs(scored)))
            case Provisional(choice, text):
                yield self._chunk(ChunkChoice(index=choice, delta=self._delta(choice), provisional=text))
            case ChoiceFinished():
                self._finished.append(event)
            case Done():
                yield from self._endings(event)

    def _endings(self, done: Done) -> Iterator[Chunk]:
        for ending in self._finished:
            end = ChunkChoice(
                index=ending.choice,
                delta=self._delta(ending.choice),
                finish_reason=ending.reason,
                beams=beam_tree(ending.beams),
                length_penalty=ending.length_penalty,
                **placed(done, self._texts.get(ending.choice, "")),
            )
            chunk = self._chunk(end)
            dropped = done.dropped_messages if ending is self._finished[-1] else 0
            yield chunk.model_copy(update={"dropped_messages": dropped}) if dropped else chunk
        if self.include_usage:
            yield self._chunk().model_copy(update={"usage": usage(done)})

    def _delta(self, choice: int, text: str | None = None) -> Delta:
        """A choice's first delta also says who speaks."""
        begun = choice in self._begun
        self._begun.add(choice)
        return Delta(role=None if begun else "assistant", content=text)

    def _chunk(self, *choices: ChunkChoice) -> Chunk:
        return Chunk(id=self.id, created=self.created, model=self.model, choices=choices)


def completion(model: str, events: Sequence[Event]) -> Completion:
    """The events of a finished answer → the whole answer, for requests that do not stream."""
    head = ChatChunks(model)
    done = next(event for event in events if isinstance(event, Done))
    endings = sorted((event for event in events if isinstance(event, ChoiceFinished)), key=lambda ending: ending.choice)
    deltas = [event for event in events if isinstance(event, TextDelta)]
    choices = tuple(whole_choice(ending, [delta for delta in deltas if delta.choice == ending.choice], done) for ending in endings)
    return Completion(
        id=head.id, created=head.created, model=model, choices=choices, usage=usage(done), dropped_messages=done.dropped_messages
    )


def whole_choice(ending: ChoiceFinished, deltas: Sequence[TextDelta], done: Done) -> Choice:
    text = "".join(delta.text for delta in deltas)
    return Choice(
        index=ending.choice,
        message=AnswerMessage(content=text),
        logprobs=logprobs([scored for delta in deltas for scored in delta.logprobs]),
        finish_reason=ending.reason,
        beams=beam_tree(ending.beams),
        length_penalty=ending.length_penalty,
        **placed(done, text),
    )


def placed(done: Done, text: str) -> dict[str, Any]:
    """`boxes` and `plain`, where an answer says where things are."""
    boxes = done.sight.boxes(text) if done.sight else ()
    return {"boxes": boxes, "plain": done.sight.plain(text)} if done.sight and boxes else {}


def logprobs(tokens: Iterable[TokenLogprob]) -> Logprobs | None:
    content = tuple(
        TokenLogprobs(token=token.text, logprob=token.logprob, bytes=numbers(token.raw), top_logprobs=alternatives(token))
        for token in tokens
    )
    return Logprobs(content=content) if content else None


def alternatives(token: TokenLogprob) -> tuple[Alternative, ...]:
    return tuple(Alternative(token=other.text, logprob=other.logprob, bytes=numbers(other.raw)) for other in token.top)


def numbers(raw: bytes | None) -> tuple[int, ...] | None:
    return None if raw is None else tuple(raw)


def beam_tree(hypotheses: Sequence[Hypothesis]) -> tuple[BeamNode, ...] | None:
    return tuple(BeamNode(**hypothesis._asdict()) for hypothesis in hypotheses) or None


def usage(done: Done) -> Usage:
    return Usage(
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
        total_tokens=done.prompt_tokens + done.completion_tokens,
    )
