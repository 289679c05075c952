"""The interface of an engine as the bot needs it, and what is known of one at a moment. Tests put scripted engines in its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.errors import Fault
from engine.api import ChatRequest, Chunk, Health
from engine.explanation import ExplainedAnswer, ExplainRequest


class Engine(Protocol):
    """One engine, by HTTP: EngineClient, or a script in tests. Errors: EngineUnavailable, EngineRefused, AnswerLost."""

    @property
    def name(self) -> str:
        """Its address, without credentials."""
        ...

    async def health(self) -> Health:
        """Its model and how many rows it has. Raises EngineUnavailable, and EngineRefused for what its operator has to mend."""
        ...

    def note_waiting(self, questions: int) -> None:
        """So many questions wait at this bot: engines of which more can be started are told."""
        ...

    def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        """The answer's chunks, the last with `finish_reason` and usage. Closing the generator cancels on the engine.

        `request_id` stands in the engine's log.
        """
        ...

    async def explain(self, request: ExplainRequest) -> ExplainedAnswer:
        """How an answer came about. EngineRefused: this engine can't say."""
        ...

    async def forget(self, sha256s: Sequence[str]) -> None:
        """Let it keep nothing of these pictures, nor of any conversation. A server that is not Gander's can't be told."""
        ...


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine at this moment; `name` is its address without credentials, `running` how many jobs it works on."""

    name: str
    health: Health | None  # None: it does not answer
    running: int
    fault: Fault | None = None  # why it refuses every request, until somebody mends that
