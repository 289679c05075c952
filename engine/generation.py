"""What the decoder is asked and what it tells while it works, so that the wire and the decoder meet without tensors. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from engine.api import FinishReason, Role
from engine.models.card import Generation
from engine.pictures import Picture


@dataclass(frozen=True)
class Turn:
    """One message. Its parts stand in the order they were sent in; only a user's may hold pictures."""

    role: Role
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True)
class GenerationRequest:
    """One answer to make, or `n` of them. `generation` has no gaps: the card's defaults are filled in already."""

    turns: tuple[Turn, ...]
    generation: Generation
    min_tokens: int = 0  # EOS is barred before so many new tokens; a stop string still ends
    stop: tuple[str, ...] = ()  # besides the template's own
    seed: int | None = None  # None = another one each time
    n: int = 1  # with beams: the n best, n ≤ num_beams
    conversation: str | None = None  # `prompt_cache_key`


@dataclass(frozen=True)
class TextDelta:
    """More text of a choice; never half a character, never part of a stop string."""

    choice: int
    text: str


@dataclass(frozen=True)
class Provisional:
    """Beams only: the best text so far, whole. It replaces what came before."""

    choice: int
    text: str


@dataclass(frozen=True)
class ChoiceFinished:
    """No more text of this choice. `length` = it ran into `max_tokens` or the context window."""

    choice: int
    reason: FinishReason


@dataclass(frozen=True)
class Done:
    """The last event of every generation that was not cancelled. `completion_tokens` counts all choices."""

    prompt_tokens: int
    completion_tokens: int
    dropped_messages: int


Event = TextDelta | Provisional | ChoiceFinished | Done


class Generator(Protocol):
    """What the worker's thread calls. `engine.decoding.Decoder` is one."""

    def generate(self, request: GenerationRequest, cancelled: Callable[[], bool]) -> Iterator[Event]:
        """Yields events as they come about; ends early, without `Done`, once `cancelled()` says so (asked each step).

        Raises RequestError (ContextError, …) before the first event and GenerationError when the device runs out of memory.
        """
        ...
